"""The operator's file of tenants: what it can define, and that a mistake in it is refused at start."""

from pathlib import Path

import pytest

from hailuo_mcp.app import load_settings
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.core.settings import Settings

KEYS = {"SEGMIND_API_KEY": "server-segmind", "APIXO_API_KEY": "server-apixo"}
TOKENS = {"HAILUO_MCP_HTTP_TOKENS": "ann:a-token,ben:b-token"}


def read(directory: Path, text: str, **more: str) -> Settings:
    file = directory / "tenants.toml"
    file.write_text(text)
    return load_settings({**KEYS, **TOKENS, "HAILUO_MCP_TENANTS_FILE": str(file), **more})


def keys_of(settings: Settings) -> dict[str, str]:
    return {name: gateway.key.get_secret_value() for name, gateway in settings.gateways.items() if gateway.key}


def test_a_tenant_has_its_own_limits_and_keys_and_others_use_the_servers(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[tenants.ann]\nmax_jobs_per_day = 3\nkeys.segmind = "ann-segmind"\n'
        '[tenants."oauth:carl"]\nmax_usd_per_day = 1.5\n',
        HAILUO_MCP_MAX_JOBS_PER_DAY="9",
    )
    ann, ben, carl = (settings.for_tenant(name) for name in ("ann", "ben", "oauth:carl"))
    assert (ann.max_jobs_per_day, ann.max_usd_per_day, keys_of(ann)) == (3, None, {"segmind": "ann-segmind"})
    assert (carl.max_jobs_per_day, carl.max_usd_per_day) == (9, 1.5)
    assert keys_of(carl) == keys_of(ben) == {"segmind": "server-segmind", "apixo": "server-apixo"}
    assert ben is settings


def test_keys_sent_with_a_call_replace_all_others(tmp_path: Path) -> None:
    settings = read(tmp_path, '[tenants.ann]\nkeys.segmind = "ann-segmind"\n')
    apixo = settings.gateways["apixo"].key
    assert apixo
    assert keys_of(settings.for_tenant("ann", {"apixo": apixo})) == {"apixo": "server-apixo"}
    assert keys_of(settings.for_tenant("ben", {"apixo": apixo})) == {"apixo": "server-apixo"}


def test_an_empty_table_of_keys_disables_the_servers_keys(tmp_path: Path) -> None:
    settings = read(tmp_path, "[tenants.ann.keys]\n")
    assert keys_of(settings.for_tenant("ann")) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tenants.anm]\nmax_jobs_per_day = 1", "no token of HAILUO_MCP_HTTP_TOKENS has this name"),
        ("[tenants.ann]\nmax_job_per_day = 1", "max_job_per_day"),
        ("[tenants.ann]\nmax_jobs_per_day = -1", "max_jobs_per_day"),
        ("[tenants.ann]\nmax_usd_per_day = inf", "max_usd_per_day"),
        ("[tenants.ann]\nmax_usd_per_day = nan", "max_usd_per_day"),
        ('[tenants.ann]\nkeys.segmnd = "hush-hush"', "there is no gateway segmnd"),
        ('[tenants.ann]\nkeys.segmind = ""', "tenants.ann.keys.segmind"),
        ('[tenants.ann]\nkeys.segmind = "hush hush"', "printable ASCII"),
        ('[tenants.ann]\nkeys.segmind = "hush\\u00e9"', "printable ASCII"),
        ('[tenants.ann]\nkeys.segmind = ["hush-hush"]', "tenants.ann.keys.segmind"),
        ('[tenants.ann]\nkeys = "hush-hush"', "tenants.ann.keys"),
        ("[tenant.ann]\nmax_jobs_per_day = 1", "tenant"),
        ('[tenants.ann]\nkeys.segmind = "hush-hush', "is not TOML (at end of document)"),
        ("\ufeff[tenants.ann", "is not TOML"),
    ],
)
def test_a_mistake_is_reported_without_repeating_a_key(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text)
    assert why in str(refused.value)
    assert "hush" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TENANTS_FILE"):
        load_settings({**TOKENS, "HAILUO_MCP_TENANTS_FILE": str(tmp_path / "none.toml")})
    with pytest.raises(SettingsError, match="TENANTS_FILE"):
        load_settings({**TOKENS, "HAILUO_MCP_TENANTS_FILE": str(tmp_path)})

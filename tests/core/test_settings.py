"""The environment: every variable, its default, and the error for a wrong value."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from hailuo_mcp.app import load_settings
from hailuo_mcp.core.environment import read_settings
from hailuo_mcp.core.setting_values import PREFIX, SettingsError
from hailuo_mcp.core.settings import INTERNAL_FIELDS, Settings, variables
from hailuo_mcp.gateways import GATEWAYS

HOSTS = {gateway.name: gateway.hosts for gateway in GATEWAYS}


def read(**environ: str) -> Settings:
    return read_settings(environ, HOSTS)


DEFAULTS = {
    "sandbox": "auto",
    "sandbox_seconds": 6,
    "models": (),
    "input_dirs": (),
    "callback_hosts": (),
    "duplicate_window_seconds": 600,
    "max_jobs_per_day": None,
    "max_usd_per_day": None,
    "max_video_mb": 500,
    "min_poll_seconds": 2,
    "fix_images": False,
    "auto_download": True,
    "log_level": "INFO",
}


def test_without_any_variable_everything_has_its_documented_default() -> None:
    settings = read()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.in_sandbox
    assert settings.output_dir.name == "hailuo"
    assert settings.output_dir.is_absolute()
    assert settings.database_path == settings.state_dir / "jobs.sqlite3"
    assert not any(gateway.key for gateway in settings.gateways.values())
    assert {name: dict(gateway.urls) for name, gateway in settings.gateways.items()} == {
        "segmind": {
            "base": "https://api.segmind.com",
            "upload": "https://workflows-api.segmind.com",
            "history": "https://api.spotprod.segmind.com",
        },
        "apixo": {"base": "https://api.apixo.ai"},
        "aimlapi": {"base": "https://api.aimlapi.com"},
        "minimax": {"base": "https://api.minimax.io"},
        "fal": {
            "base": "https://queue.fal.run",
            "upload": "https://rest.fal.ai",
            "history": "https://api.fal.ai",
            "webhooks": "https://rest.alpha.fal.ai",
        },
        "replicate": {"base": "https://api.replicate.com", "upload": "https://api.replicate.com"},
    }


VALID_VALUES: list[tuple[str, str, object]] = [
    ("SANDBOX", "1", "1"),
    ("SANDBOX", "0", "0"),
    ("SANDBOX_SECONDS", "0.5", 0.5),
    ("MODELS", " segmind/a , apixo/b,,", ("segmind/a", "apixo/b")),
    ("CATALOG", "~/models.toml", Path.home() / "models.toml"),
    ("DATABASE_URL", "sqlite:///jobs.db", "sqlite:///jobs.db"),
    ("OUTPUT_DIR", "/clips", Path("/clips")),
    ("OUTPUT_DIR", "~/clips", Path.home() / "clips"),
    ("INPUT_DIRS", os.pathsep.join(["/a", " ~/b ", ""]), (Path("/a"), Path.home() / "b")),
    ("CALLBACK_HOSTS", "me.example,*", ("me.example", "*")),
    ("DUPLICATE_WINDOW_SECONDS", "0", 0),
    ("MAX_JOBS_PER_DAY", "3", 3),
    ("MAX_USD_PER_DAY", "2.5", 2.5),
    ("MAX_VIDEO_MB", "10", 10),
    ("CONFIRM_ABOVE_USD", "0", 0),
    ("KEEP_IMAGE_METADATA", "1", True),
    ("MIN_POLL_SECONDS", "0", 0),
    ("FIX_IMAGES", "1", True),
    ("KEEP_IMAGE_METADATA", "true", True),
    ("AUTO_DOWNLOAD", "0", False),
    ("HTTP_MAX_CONNECTIONS", "100", 100),
    ("HTTP_TOKENS", "ann:t", {"ann": sha256(b"t").hexdigest()}),
    ("ALLOWED_HOSTS", "a.example,b.example:8000", ("a.example", "b.example:8000")),
    ("ALLOWED_ORIGINS", "https://a.example", ("https://a.example",)),
    ("PUBLIC_URL", "https://a.example/", "https://a.example"),
    ("OAUTH_AUDIENCE", "video", "video"),
    ("KEYS_FROM_HEADERS", "1", True),
    ("LOG_LEVEL", "debug", "DEBUG"),
    ("LOG_FORMAT", "JSON", "json"),
]
TESTED_SEPARATELY = {"OAUTH_ISSUER", "OAUTH_JWKS_URL", "TENANTS_FILE"}
"""Variables that need another one, or a file; they have their own tests."""


@pytest.mark.parametrize(("name", "text", "value"), VALID_VALUES)
def test_a_variable_is_read(name: str, text: str, value: object) -> None:
    assert getattr(read(**{PREFIX + name: f" {text} "}), name.lower()) == value


def test_every_variable_is_tested_and_described_in_one_line() -> None:
    described = variables()
    assert set(described) == {PREFIX + name for name in {name for name, _, _ in VALID_VALUES} | TESTED_SEPARATELY}
    assert len(described) == len(Settings.model_fields) - len(INTERNAL_FIELDS)
    assert all(description and "\n" not in description for description in described.values())


EVERY_KIND_OF_VARIABLE = pytest.mark.parametrize(
    "name", [*sorted(variables()), "SEGMIND_API_KEY", "APIXO_BASE_URL", "SEGMIND_UPLOAD_URL", "APIXO_API_KEY_FILE"]
)


@EVERY_KIND_OF_VARIABLE
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_value_counts_as_unset(name: str, empty: str) -> None:
    assert load_settings({name: empty}) == load_settings({})


PLACEHOLDERS = (
    "${workspaceFolder}/clips",
    "~/${user_config.folder}",
    "https://${HOST}",
    "a${B}",
    "sqlite:///${HOME}/jobs",
)


@EVERY_KIND_OF_VARIABLE
@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_inside_a_value_is_refused_with_its_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: text})
    message = str(refused.value)
    assert message.startswith(f"{name}: ${{")
    assert text[text.index("$") : text.index("}") + 1] in message
    assert "write what it stands for" in message
    assert refused.value.variable == name


@EVERY_KIND_OF_VARIABLE
@pytest.mark.parametrize("quoted", ['"{}"', "'{}'", ' "{}" '])
def test_quotes_around_a_value_are_refused_and_the_value_is_not_repeated(name: str, quoted: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}: the quotes around it") as refused:
        load_settings({name: quoted.format("Secret0123")})
    assert "Secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["OUTPUT_DIR", "INPUT_DIRS", "CATALOG", "TENANTS_FILE"])
@pytest.mark.parametrize(
    "url", ["file:///home/me/clips", "FILE:/home/me/clips", "https://example.com/clips", "s3://bucket"]
)
def test_a_url_is_refused_as_a_directory(name: str, url: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{PREFIX}{name}.*write the path alone"):
        read(**{PREFIX + name: url})


def test_a_directory_may_begin_with_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for start in ("~", "$HOME"):
        assert read(HAILUO_MCP_OUTPUT_DIR=f"{start}/clips").output_dir == tmp_path / "clips"
        assert read(HAILUO_MCP_INPUT_DIRS=f"/a{os.pathsep}{start}/b").input_dirs == (Path("/a"), tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SANDBOX", "maybe"),
        ("SANDBOX_SECONDS", "-1"),
        ("SANDBOX_SECONDS", "4000"),
        ("SANDBOX_SECONDS", "nan"),
        ("DUPLICATE_WINDOW_SECONDS", "ten"),
        ("DUPLICATE_WINDOW_SECONDS", "inf"),
        ("MAX_JOBS_PER_DAY", "1.5"),
        ("MAX_JOBS_PER_DAY", "-1"),
        ("MAX_USD_PER_DAY", "$5"),
        ("MAX_USD_PER_DAY", "1e999"),
        ("MAX_VIDEO_MB", "0"),
        ("MIN_POLL_SECONDS", "-2"),
        ("FIX_IMAGES", "perhaps"),
        ("AUTO_DOWNLOAD", "2"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_LEVEL", "LO\nUD"),
        ("OUTPUT_DIR", "~nobody-of-this-name/x"),
        ("INPUT_DIRS", "~nobody-of-this-name/x"),
        ("DATABASE_URL", "jobs.db"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite://host/x"),
        ("DATABASE_URL", "mysql://host/x"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_names_the_variable(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(**{PREFIX + name: text})
    message = str(refused.value)
    assert message.startswith(f"{PREFIX}{name}={text!r}: ")
    assert "\n" not in message
    assert refused.value.__cause__ is None


BAD_URLS = [
    "api.segmind.com",
    "ftp://api.segmind.com",
    "https:///path",
    "https://host:99999",
    "https://host:x",
    "https://[broken",
    "https://ho st",
    "https://host/\x7f",
    "https://host#part",
    "https://host\\evil",
]


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("name", ["SEGMIND_BASE_URL", "SEGMIND_UPLOAD_URL", "APIXO_BASE_URL"])
def test_a_wrong_address_is_refused_in_one_line_that_names_the_variable(name: str, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(**{name: url})
    assert str(refused.value).startswith(f"{name}={url!r}: an address looks like")


def test_the_sandbox_can_be_forced_or_disabled() -> None:
    assert read(SEGMIND_API_KEY="k", HAILUO_MCP_SANDBOX="1").in_sandbox
    assert not read(HAILUO_MCP_SANDBOX="0").in_sandbox


def test_a_custom_base_address_also_applies_to_the_gateways_other_hosts() -> None:
    gateways = read(SEGMIND_BASE_URL="http://127.0.0.1:8080/").gateways
    assert dict(gateways["segmind"].urls) == dict.fromkeys(("base", "upload", "history"), "http://127.0.0.1:8080")
    assert gateways["apixo"].urls["base"] == "https://api.apixo.ai"


def test_each_host_can_be_set_separately() -> None:
    urls = read(SEGMIND_BASE_URL="http://a:1/x", SEGMIND_UPLOAD_URL="http://b/").gateways["segmind"].urls
    assert dict(urls) == {"base": "http://a:1/x", "upload": "http://b", "history": "http://a:1/x"}
    urls = read(SEGMIND_HISTORY_URL="https://h").gateways["segmind"].urls
    assert dict(urls) == {**HOSTS["segmind"], "history": "https://h"}


def test_the_database_may_have_any_path() -> None:
    assert read(HAILUO_MCP_DATABASE_URL="sqlite:///a/b.db").database_path == Path("a/b.db")
    assert read(HAILUO_MCP_DATABASE_URL="sqlite:////a/b.db").database_path == Path("/a/b.db")


def test_a_very_long_wrong_value_is_shortened() -> None:
    with pytest.raises(SettingsError) as refused:
        read(HAILUO_MCP_LOG_LEVEL="x" * 10_000)
    assert len(str(refused.value)) < 300


def test_other_variables_are_ignored() -> None:
    assert read(PATH="/bin", OTHER_API_KEY="k", HAILUO_MCP_UNKNOWN="1") == read()


def test_the_earlier_name_of_the_catalog_variable_works_with_one_warning(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"HAILUO_MCP_CATALOGUE": "/models.toml"}
    assert [read_settings(environ, {}).catalog for _ in range(2)] == [Path("/models.toml")] * 2
    assert capsys.readouterr().err.count("HAILUO_MCP_CATALOGUE is now HAILUO_MCP_CATALOG") == 1

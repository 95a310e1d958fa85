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


def test_without_any_variable_everything_has_its_documented_default() -> None:
    settings = read()
    assert settings.sandbox == "auto"
    assert settings.in_sandbox
    assert settings.sandbox_seconds == 6
    assert settings.models == ()
    assert settings.input_dirs == ()
    assert settings.callback_hosts == ()
    assert settings.duplicate_window_seconds == 600
    assert settings.max_jobs_per_day is None
    assert settings.max_usd_per_day is None
    assert settings.max_video_mb == 500
    assert settings.min_poll_seconds == 2
    assert settings.fix_images is False
    assert settings.auto_download is True
    assert settings.log_level == "INFO"
    assert settings.output_dir.name == "hailuo"
    assert settings.output_dir.is_absolute()
    assert settings.database_path == settings.state_dir / "jobs.sqlite3"
    assert {name: (gateway.key, dict(gateway.urls)) for name, gateway in settings.gateways.items()} == {
        "segmind": (
            None,
            {
                "base": "https://api.segmind.com",
                "upload": "https://workflows-api.segmind.com",
                "history": "https://api.spotprod.segmind.com",
            },
        ),
        "apixo": (None, {"base": "https://api.apixo.ai"}),
        "aimlapi": (None, {"base": "https://api.aimlapi.com"}),
        "minimax": (None, {"base": "https://api.minimax.io"}),
        "fal": (
            None,
            {
                "base": "https://queue.fal.run",
                "upload": "https://rest.fal.ai",
                "history": "https://api.fal.ai",
                "webhooks": "https://rest.alpha.fal.ai",
            },
        ),
        "replicate": (None, {"base": "https://api.replicate.com", "upload": "https://api.replicate.com"}),
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


@pytest.mark.parametrize("name", sorted(variables()))
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_value_counts_as_unset(name: str, empty: str) -> None:
    assert read(**{name: empty}) == read()


@pytest.mark.parametrize("name", ["SEGMIND_API_KEY", "APIXO_BASE_URL", "SEGMIND_UPLOAD_URL", "SEGMIND_HISTORY_URL"])
def test_an_empty_gateway_variable_counts_as_unset(name: str) -> None:
    assert read(**{name: " "}) == read()


PLACEHOLDERS = (
    "${workspaceFolder}/clips",
    "~/${user_config.folder}",
    "https://${HOST}",
    "a${B}",
    "sqlite:///${HOME}/jobs",
)


@pytest.mark.parametrize("name", [*sorted(variables()), "SEGMIND_API_KEY", "APIXO_BASE_URL", "APIXO_API_KEY_FILE"])
@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_inside_a_value_is_refused_with_its_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: text})
    message = str(refused.value)
    assert message.startswith(f"{name}: ${{")
    assert text[text.index("$") : text.index("}") + 1] in message
    assert "write what it stands for" in message
    assert refused.value.variable == name


@pytest.mark.parametrize("name", [*sorted(variables()), "SEGMIND_API_KEY", "APIXO_BASE_URL", "APIXO_API_KEY_FILE"])
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


def test_the_file_of_a_secret_may_be_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("hunter2\n")
    for path in ("~/key", "$HOME/key"):
        key = load_settings({"SEGMIND_API_KEY_FILE": path}).gateways["segmind"].key
        assert key
        assert key.get_secret_value() == "hunter2"
    with pytest.raises(SettingsError, match="SEGMIND_API_KEY_FILE='file:///key' cannot be read: this is a URL"):
        load_settings({"SEGMIND_API_KEY_FILE": "file:///key"})


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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SEGMIND_BASE_URL", "https://user:hunter2@host"),
        ("SEGMIND_BASE_URL", "https://:hunter2@host"),
        ("APIXO_BASE_URL", "https://host/?api_key=hunter2"),
        ("HAILUO_MCP_DATABASE_URL", "postgresql://user:hunter2@host:port/db"),
        ("HAILUO_MCP_DATABASE_URL", "postgres://user:hunter2/x@host/db"),
        ("HAILUO_MCP_DATABASE_URL", "postgres://user:hunter2 x@host/db"),
        ("HAILUO_MCP_DATABASE_URL", "mysql://user:hunter2@host/db"),
        ("SEGMIND_API_KEY", "hunter2 hunter2"),
        ("SEGMIND_API_KEY", "hunter2…"),
        ("SEGMIND_API_KEY", "hunter2\nhunter2"),
        ("SEGMIND_API_KEY", "hunter2\x00"),
    ],
)
def test_an_error_never_contains_a_secret(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(**{name: text})
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).startswith(name)


def test_a_key_enables_its_gateway_and_is_never_shown() -> None:
    settings = read(SEGMIND_API_KEY=" hunter2 ")
    key = settings.gateways["segmind"].key
    assert key is not None
    assert key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()
    assert not settings.in_sandbox


def test_the_sandbox_can_be_forced_or_disabled() -> None:
    assert read(SEGMIND_API_KEY="k", HAILUO_MCP_SANDBOX="1").in_sandbox
    assert not read(HAILUO_MCP_SANDBOX="0").in_sandbox


def test_a_custom_base_address_also_applies_to_the_other_hosts() -> None:
    urls = read(SEGMIND_BASE_URL="http://127.0.0.1:8080/").gateways["segmind"].urls
    assert dict(urls) == dict.fromkeys(("base", "upload", "history"), "http://127.0.0.1:8080")


def test_each_host_can_be_set_separately() -> None:
    urls = read(SEGMIND_BASE_URL="http://a:1/x", SEGMIND_UPLOAD_URL="http://b/").gateways["segmind"].urls
    assert dict(urls) == {"base": "http://a:1/x", "upload": "http://b", "history": "http://a:1/x"}
    urls = read(SEGMIND_HISTORY_URL="https://h").gateways["segmind"].urls
    assert urls["base"] == "https://api.segmind.com"
    assert urls["upload"] == "https://workflows-api.segmind.com"
    assert urls["history"] == "https://h"


def test_a_base_address_applies_to_one_gateway_only() -> None:
    settings = read(SEGMIND_BASE_URL="http://127.0.0.1:1")
    assert settings.gateways["apixo"].urls["base"] == "https://api.apixo.ai"


def test_the_database_may_have_any_path() -> None:
    assert read(HAILUO_MCP_DATABASE_URL="sqlite:///a/b.db").database_path == Path("a/b.db")
    assert read(HAILUO_MCP_DATABASE_URL="sqlite:////a/b.db").database_path == Path("/a/b.db")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_database_may_be_a_server_whose_password_is_never_shown(scheme: str) -> None:
    url = f"{scheme}://user:hunter2@one:5432,two:5433/db?sslmode=require"
    settings = read(HAILUO_MCP_DATABASE_URL=url)
    assert settings.on_postgres
    assert settings.database_url == url
    assert "hunter2" not in f"{settings!r} {settings}"


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

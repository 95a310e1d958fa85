"""Secrets among the settings: read from a variable or from a file, and never shown."""

from pathlib import Path

import pytest

from hailuo_mcp.app import load_settings
from hailuo_mcp.core.setting_values import SettingsError
from tests.support import settings_for


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SEGMIND_BASE_URL", "https://user:hunter2@host"),
        ("SEGMIND_BASE_URL", "https://:hunter2@host"),
        ("APIXO_BASE_URL", "https://host/?api_key=hunter2"),
        ("HAILUO_MCP_DATABASE_URL", "postgresql://user:hunter2@host:port/db"),
        ("HAILUO_MCP_DATABASE_URL", "postgresql://host:hunter2/db"),
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
        load_settings({name: text})
    assert "hunter2" not in str(refused.value)
    assert str(refused.value).startswith(name)


def test_a_key_enables_its_gateway_and_is_never_shown() -> None:
    settings = load_settings({"SEGMIND_API_KEY": " hunter2 "})
    key = settings.gateways["segmind"].key
    assert key is not None
    assert key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()
    assert not settings.in_sandbox


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_database_may_be_a_server_whose_password_is_never_shown(scheme: str) -> None:
    url = f"{scheme}://user:hunter2@one:5432,two:5433/db?sslmode=require"
    settings = load_settings({"HAILUO_MCP_DATABASE_URL": url})
    assert settings.on_postgres
    assert settings.database_url == url
    assert "hunter2" not in f"{settings!r} {settings}"


def test_a_secret_comes_from_its_file_if_the_host_did_not_fill_in_the_variable(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    environ = {"SEGMIND_API_KEY": "${user_config.key}", "SEGMIND_API_KEY_FILE": str(tmp_path / "key")}
    key = load_settings(environ).gateways["segmind"].key
    assert key
    assert key.get_secret_value() == "hunter2"


def test_the_file_of_a_secret_may_be_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("hunter2\n")
    for path in ("~/key", "$HOME/key"):
        key = load_settings({"SEGMIND_API_KEY_FILE": path}).gateways["segmind"].key
        assert key
        assert key.get_secret_value() == "hunter2"
    with pytest.raises(SettingsError, match="SEGMIND_API_KEY_FILE='file:///key' cannot be read: this is a URL"):
        load_settings({"SEGMIND_API_KEY_FILE": "file:///key"})


def test_key_and_database_url_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-a-file\n")
    (tmp_path / "database").write_text("sqlite:////var/lib/jobs.sqlite3\n")
    files = {"SEGMIND_API_KEY_FILE": "key", "HAILUO_MCP_DATABASE_URL_FILE": "database"}
    settings = settings_for(tmp_path, **{name: str(tmp_path / file) for name, file in files.items()})
    key = settings.gateways["segmind"].key
    assert key
    assert key.get_secret_value() == "sk-from-a-file"
    assert settings.database_path == Path("/var/lib/jobs.sqlite3")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SEGMIND_API_KEY_FILE": "/nowhere/key"}, "SEGMIND_API_KEY_FILE='/nowhere/key' cannot be read: No such file"),
        (
            {"SEGMIND_API_KEY_FILE": "/nowhere/key", "SEGMIND_API_KEY": "sk-1"},
            "SEGMIND_API_KEY and SEGMIND_API_KEY_FILE are both set",
        ),
    ],
)
def test_unusable_secret_file_is_named_in_the_error(tmp_path: Path, variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        settings_for(tmp_path, **variables)
    assert "sk-1" not in str(refused.value)

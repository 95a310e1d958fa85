"""Secrets from files, as containers provide them."""

from pathlib import Path

import pytest

from hailuo_mcp.core.setting_values import SettingsError
from tests.support import settings_for


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

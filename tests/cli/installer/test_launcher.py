"""The command that is written is one that outlives an upgrade and an emptied cache."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from hailuo_mcp.cli.installer import launcher

SCRIPT = Path(sysconfig.get_path("scripts")) / "hailuo-mcp"


def test_the_command_beside_this_python_is_named_by_its_absolute_path() -> None:
    assert (launcher({}).command, launcher({}).args) == (str(SCRIPT), ())
    shown = subprocess.run([launcher({}).command, "--version"], capture_output=True, text=True, check=True)
    assert "hailuo-mcp" in shown.stdout


def test_the_link_on_the_path_is_preferred_to_what_it_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "hailuo-mcp"
    link.symlink_to(SCRIPT)
    assert launcher({"PATH": str(tmp_path)}).command == str(link)


def test_a_command_of_that_name_that_is_another_is_passed_over(tmp_path: Path) -> None:
    other = tmp_path / "hailuo-mcp"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert launcher({"PATH": str(tmp_path)}).command == str(SCRIPT)


def test_out_of_a_cache_uvx_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "uv"
    environment = cache / "archive-v0" / "abc"
    environment.mkdir(parents=True)
    (cache / "CACHEDIR.TAG").touch()
    monkeypatch.setattr(sys, "prefix", str(environment))
    for name in ("uv", "uvx"):
        (tmp_path / name).touch(0o755)
    by_variable = launcher({"UV": str(tmp_path / "uv")})
    by_path = launcher({"PATH": str(tmp_path)})
    assert by_variable == by_path
    assert by_variable.command == str(tmp_path / "uvx")
    assert by_variable.args[-1] == "hailuo-mcp"
    assert by_variable.fetches
    # Nowhere to be found: better what works today than nothing.
    assert launcher({}).command == str(SCRIPT)


def test_an_environment_of_uv_is_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CACHEDIR.TAG").touch()
    (tmp_path / "uvx").touch(0o755)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert not launcher({"PATH": str(tmp_path)}).fetches


def test_without_the_command_python_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scripts(_name: str) -> str:
        return str(tmp_path)

    monkeypatch.setattr(sysconfig, "get_path", scripts)
    assert (launcher({}).command, launcher({}).args) == (sys.executable, ("-m", "hailuo_mcp"))

"""The installed command survives an upgrade and an emptied cache."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from hailuo_mcp.cli.installer import find_launcher

SCRIPT = Path(sysconfig.get_path("scripts")) / "hailuo-mcp"


def test_the_launcher_is_the_absolute_path_of_the_command_next_to_this_python() -> None:
    assert (find_launcher({}).command, find_launcher({}).args) == (str(SCRIPT), ())
    shown = subprocess.run([find_launcher({}).command, "--version"], capture_output=True, text=True, check=True)
    assert "hailuo-mcp" in shown.stdout


def test_a_link_on_the_path_is_preferred_to_its_target(tmp_path: Path) -> None:
    link = tmp_path / "hailuo-mcp"
    link.symlink_to(SCRIPT)
    assert find_launcher({"PATH": str(tmp_path)}).command == str(link)


def test_another_command_with_the_same_name_is_ignored(tmp_path: Path) -> None:
    other = tmp_path / "hailuo-mcp"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert find_launcher({"PATH": str(tmp_path)}).command == str(SCRIPT)


def test_in_a_cache_the_launcher_is_the_absolute_path_of_uvx(tmp_path: Path) -> None:
    cache = tmp_path / "uv"
    environment = cache / "archive-v0" / "abc"
    environment.mkdir(parents=True)
    (cache / "CACHEDIR.TAG").touch()
    for name in ("uv", "uvx"):
        (tmp_path / name).touch(0o755)
    by_variable = find_launcher({"UV": str(tmp_path / "uv")}, prefix=environment)
    by_path = find_launcher({"PATH": str(tmp_path)}, prefix=environment)
    assert by_variable == by_path
    assert by_variable.command == str(tmp_path / "uvx")
    assert by_variable.args[-1] == "hailuo-mcp"
    assert by_variable.fetches
    # No uvx anywhere: a command that works today is better than nothing.
    assert find_launcher({}, prefix=environment).command == str(SCRIPT)


def test_an_environment_made_by_uv_is_not_a_cache(tmp_path: Path) -> None:
    (tmp_path / "CACHEDIR.TAG").touch()
    (tmp_path / "uvx").touch(0o755)
    assert not find_launcher({"PATH": str(tmp_path)}, prefix=tmp_path).fetches


def test_without_the_command_the_launcher_is_python(tmp_path: Path) -> None:
    launcher = find_launcher({}, scripts=tmp_path)
    assert (launcher.command, launcher.args) == (sys.executable, ("-m", "hailuo_mcp"))

"""`docs/hosts.md` matches what the commands do."""

from pathlib import Path

import pytest

from hailuo_mcp.cli import installer
from tests.cli.conftest import InProcessCli
from tests.cli.installer import pages

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "hosts.md"


@pytest.mark.parametrize("name", [host.name for host in installer.HOSTS])
def test_a_snippet_on_the_page_is_what_the_command_prints(name: str, in_process: InProcessCli) -> None:
    done = in_process("install", name, "--gateway", "segmind", "--print", HAILUO_MCP_OUTPUT_DIR="")
    host = installer.find_host(name)
    snippet = pages.snippet(host)
    assert snippet in PAGE.read_text()
    shown = done.stdout.replace(installer.find_launcher().command, pages.LAUNCHER.command)
    assert _without_settings(shown) == _without_settings(snippet)


def _without_settings(text: str) -> list[str]:
    """The lines without the settings of the test, which are installed too."""
    lines = [line.rstrip(",") for line in text.splitlines() if "HAILUO_MCP_" not in line]
    return [line for line in lines if line and line not in ("[mcp_servers.hailuo.env]", "    envs:")]

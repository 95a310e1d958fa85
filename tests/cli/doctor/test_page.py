"""Everything that `docs/troubleshooting.md` names exists."""

import re
from pathlib import Path

import pytest

from hailuo_mcp.cli.group import run
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import variables
from hailuo_mcp.gateways import GATEWAYS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "troubleshooting.md").read_text()
BLOCKS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
COMMANDS = sorted({*BLOCKS, *re.findall(r"`(hailuo-mcp(?: [^`]*)?)`", PAGE)})
FROM_UV = ("uv tool install --force ", "uv tool upgrade ")


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_exists(capsys: pytest.CaptureFixture[str], line: str) -> None:
    command = re.sub(r"^(?:[A-Z_]+=\S+ )*", "", line)
    if command.startswith(FROM_UV):
        assert "hailuo-mcp" in command
        return
    program, *args = re.findall(r'"[^"]*"|\S+', command)
    assert program == "hailuo-mcp"
    # With --help nothing is executed, but a command or an option that does not exist is refused.
    assert run([*args, "--help"]) == 0, capsys.readouterr().err


def test_every_variable_exists() -> None:
    prefixes = [f"{kind.name.upper()}_" for kind in GATEWAYS]
    known = {*variables(), *(f"{prefix}{what}" for prefix in prefixes for what in ("API_KEY", "BASE_URL"))}
    named = set(re.findall(rf"\b(?:{'|'.join([PREFIX, *prefixes])})[A-Z_]+", PAGE))
    assert len(named) > 10
    assert named <= known


def test_every_link_has_a_target() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert target.removeprefix("#") in anchors if target.startswith("#") else (DOCS / target).exists(), target
    assert len(anchors) == len(re.findall(r"\]\(#", PAGE))

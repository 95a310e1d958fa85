"""What `install --print` prints for each host, from an empty home, starts a server that the Inspector can use: it reads
that same configuration."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Host
from tests.cli.installer.support import command_of, parsed
from tests.interop.calls import TOOLS
from tests.interop.clients import INSPECTOR, ONE_CALL_SECONDS
from tests.interop.conftest import SERVER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test also waits for the installation

PLACES = [(host, place.scope) for host in installer.HOSTS for place in host.places()]
INSPECTORS_OWN = "mcpServers"
"""The container that the Inspector reads. VS Code and Codex have others, and Codex another notation: there the
container alone is renamed, and what it holds is left as it was printed."""


def as_the_inspector_reads_it(host: Host, printed: str) -> str:
    """Every host's shape of an entry, in the one that the Inspector reads."""
    if host.servers_key == INSPECTORS_OWN and host.format != "yaml":
        return printed
    entry = parsed(host, printed)[host.servers_key]["hailuo"]
    program, *arguments = command_of(host, entry)
    env = entry.get(host.shape.env, {})
    return json.dumps({INSPECTORS_OWN: {"hailuo": {"command": program, "args": arguments, "env": env}}})


@pytest.mark.parametrize("options", [[], ["--gateway", "segmind"], ["--sandbox"]], ids=["bare", "a key", "sandbox"])
@pytest.mark.parametrize(("host", "scope"), PLACES, ids=[f"{host.name}-{scope}" for host, scope in PLACES])
def test_the_inspector_lists_the_tools_with_what_was_printed(
    clients: Path, tmp_path: Path, host: Host, scope: str, options: list[str]
) -> None:
    home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [*SERVER, "install", host.name, "--scope", scope, *options, "--print"]
    printed = subprocess.run(command, cwd=tmp_path, env=home, capture_output=True, text=True, check=True).stdout
    assert list(tmp_path.iterdir()) == []

    config = tmp_path / "config.json"
    config.write_text(as_the_inspector_reads_it(host, printed))
    arguments = ["--config", str(config), "--server", "hailuo", "--format", "json", "--method", "tools/list"]
    ran = subprocess.run(
        ["node", INSPECTOR, "--cli", *arguments],
        cwd=clients,
        env=home,
        capture_output=True,
        text=True,
        timeout=ONE_CALL_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert [tool["name"] for tool in json.loads(ran.stdout)["result"]["tools"]] == list(TOOLS)

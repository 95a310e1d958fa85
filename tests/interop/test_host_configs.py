"""The configuration that `install --print` prints for each host, with an empty home directory, starts a server that the
Inspector can use."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Host
from hailuo_mcp.cli.installer.formats import parse_text
from tests.cli.installer.support import command_of
from tests.interop.calls import TOOLS
from tests.interop.clients import INSPECTOR, ONE_CALL_SECONDS
from tests.interop.conftest import SERVER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test also waits for the installation

CASES = [(host, place.scope) for host in installer.HOSTS for place in host.places()]
INSPECTOR_SERVERS_KEY = "mcpServers"
"""The key under which the Inspector looks for servers. Configurations that differ in key or format are converted."""


def inspector_config(host: Host, printed: str) -> str:
    """The printed configuration in the format that the Inspector reads."""
    if host.servers_key == INSPECTOR_SERVERS_KEY and host.format != "yaml":
        return printed
    entry = parse_text(host, printed)[host.servers_key]["hailuo"]
    program, *arguments = command_of(host, entry)
    env = entry.get(host.shape.env, {})
    return json.dumps({INSPECTOR_SERVERS_KEY: {"hailuo": {"command": program, "args": arguments, "env": env}}})


@pytest.mark.parametrize("options", [[], ["--gateway", "segmind"], ["--sandbox"]], ids=["bare", "a key", "sandbox"])
@pytest.mark.parametrize(("host", "scope"), CASES, ids=[f"{host.name}-{scope}" for host, scope in CASES])
def test_inspector_lists_the_tools_with_the_printed_configuration(
    clients: Path, tmp_path: Path, host: Host, scope: str, options: list[str]
) -> None:
    home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [*SERVER, "install", host.name, "--scope", scope, *options, "--print"]
    printed = subprocess.run(command, cwd=tmp_path, env=home, capture_output=True, text=True, check=True).stdout
    assert list(tmp_path.iterdir()) == []

    config = tmp_path / "config.json"
    config.write_text(inspector_config(host, printed))
    arguments = ["--config", str(config), "--server", "hailuo", "--format", "json", "--method", "tools/list"]
    done = subprocess.run(
        ["node", INSPECTOR, "--cli", *arguments],
        cwd=clients,
        env=home,
        capture_output=True,
        text=True,
        timeout=ONE_CALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [tool["name"] for tool in json.loads(done.stdout)["result"]["tools"]] == list(TOOLS)

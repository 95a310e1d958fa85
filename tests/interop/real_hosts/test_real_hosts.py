"""The hosts themselves read what `install` writes: they list the server, start it, and forget it after `uninstall`."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Machine, Place
from hailuo_mcp.cli.installer.formats import parse_text
from tests.cli.installer import pages
from tests.cli.installer.support import config_of
from tests.interop.calls import TOOLS
from tests.interop.real_hosts.conftest import HOST_KEY
from tests.interop.real_hosts.hosts import HOSTS, ClaudeCode, Codex, GeminiCli, Home, Opencode, RealHost

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test also waits for the installation

THEIRS = {
    "claude-code": '{"numStartups":31,"mcpServers":{"theirs":{"type":"stdio","command":"false","args":[]}}}',
    "codex": """# mine
[mcp_servers.theirs]
command = "false" # theirs
args = [
  "x", # one
]
enabled = false
""",
    "gemini-cli": """{
  // mine
  "mcpServers": { "theirs": { "command": "false" } }
}
""",
    "opencode": """{
  "$schema": "https://opencode.ai/config.json", // mine
  "mcp": {
    "theirs": { "type": "local", "command": ["false"], "enabled": false, },
  },
}
""",
    "copilot-cli": """{
  // mine
  "mcpServers": { "theirs": { "type": "local", "command": "false", "args": [] } }
}""",
    "cline": """{
  "mcpServers": { "theirs": { "command": "false", "args": [], "disabled": true } }
}
""",
}
"""Host to a configuration with another server, and with comments where the host reads them."""
WITH_PROJECTS = (ClaudeCode, Codex, GeminiCli, Opencode)


def hailuo_mcp(home: Home, *arguments: str, **environ: str) -> None:
    """Run hailuo-mcp as a user, with another key than the one that the host is started with."""
    command = [sys.executable, "-m", "hailuo_mcp", *arguments, "--yes"]
    variables = {"HOME": str(home.path), "PATH": home.environ["PATH"], "SEGMIND_API_KEY": "key-of-the-installer"}
    subprocess.run(command, cwd=home.project, env=variables | environ, capture_output=True, check=True)


def user_place(host: RealHost, home: Home) -> Place:
    return config_of(host.name, Machine("linux", home.path, {}, home.project)).place


def recorded_start(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """The arguments and the variables that the host started the server with."""
    arguments, *lines = (tmp_path / "started").read_text().splitlines()
    return arguments, {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name, indirect=True)
def test_the_host_starts_the_server_and_forgets_it_after_uninstall(host: RealHost, home: Home, tmp_path: Path) -> None:
    place = user_place(host, home)
    place.path.parent.mkdir(parents=True, exist_ok=True)
    place.path.write_text(THEIRS[host.name])

    hailuo_mcp(home, "install", host.name, "--portable", "--sandbox", "--gateway", "segmind")
    assert host.connected(home) in (None, set(TOOLS))
    arguments, variables = recorded_start(tmp_path)
    in_file = installer.find_host(host.name).key_storage is installer.KeyStorage.IN_FILE
    assert arguments == "hailuo-mcp"
    assert variables["SEGMIND_API_KEY"] == ("key-of-the-installer" if in_file else HOST_KEY)
    assert variables["HAILUO_MCP_SANDBOX"] == "1"

    is_untouched = host.name != ClaudeCode.name  # which keeps its own state in this file
    hailuo_mcp(home, "uninstall", host.name)
    assert host.listed(home) == {"theirs"}
    assert not is_untouched or place.path.read_text() == THEIRS[host.name]


@pytest.mark.parametrize("host", WITH_PROJECTS, ids=lambda host: host.name, indirect=True)
def test_the_host_starts_the_server_of_a_project(host: RealHost, home: Home) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=home.project, check=True)
    host.trust(home)
    hailuo_mcp(home, "install", host.name, "--scope", "project", "--sandbox")
    assert host.connected(home) in (None, set(TOOLS))


@pytest.mark.parametrize(
    "host", [host for host in HOSTS if host.name in pages.OWN_COMMANDS], ids=lambda host: host.name, indirect=True
)
def test_the_hosts_own_command_writes_the_same_entry(host: RealHost, home: Home, tmp_path: Path) -> None:
    (tmp_path / "programs" / host.program).symlink_to(host.executable)
    command = shlex.split(pages.OWN_COMMANDS[host.name])
    assert command[0] == host.program
    host.run(home, *command[1:])
    definition = installer.find_host(host.name)
    hailuo_mcp(home, "install", host.name, "--name", "ours", "--portable", "--gateway", "segmind")
    servers = parse_text(definition, user_place(host, home).path.read_text())[definition.servers_key]
    differs = {
        field: (servers["hailuo"].get(field), servers["ours"].get(field))
        for field in servers["hailuo"].keys() | servers["ours"].keys()
        if servers["hailuo"].get(field) != servers["ours"].get(field)
    }
    assert differs == EXPECTED_DIFFERENCES.get(host.name, {})


EXPECTED_DIFFERENCES = {
    # It leaves out what is empty, and has no option for the variables that are passed on, or for the time to start.
    "codex": {"env_vars": (None, ["SEGMIND_API_KEY"]), "startup_timeout_sec": (None, 60)},
    "opencode": {"enabled": (None, True)},
}
"""Field to the values that the host's command and ours write."""

"""`hailuo-mcp install` and `uninstall` as real processes, with a home directory of their own."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer.formats import parse_text
from tests.cli.conftest import ON_A_TERMINAL, PROGRAM, Cli
from tests.cli.installer.support import CODEX, DESKTOP, KEY, command_of

pytestmark = pytest.mark.slow

HOSTS = [host.name for host in installer.HOSTS]


def everything_in(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("host", HOSTS)
def test_print_prints_only_the_entry_and_changes_nothing(cli: Cli, host: str) -> None:
    done = cli("install", host, "--print", "--gateway", "segmind", SEGMIND_API_KEY=KEY)
    assert done.returncode == 0, done
    known = installer.find_host(host)
    entry = parse_text(known, done.stdout)[known.servers_key]["hailuo"]
    program, *_ = command_of(known, entry)
    assert Path(program).is_absolute()
    assert os.access(program, os.X_OK)
    assert "SEGMIND_API_KEY" in {
        **entry.get(known.shape.env, {}),
        **dict.fromkeys(entry.get(known.shape.forwarded, ())),
    }
    assert KEY not in done.stdout + done.stderr
    assert everything_in(cli.home) == []


@pytest.mark.parametrize("host", ["vscode", "codex"])
def test_installing_reports_the_change_and_installing_again_changes_nothing(cli: Cli, host: str) -> None:
    done = cli.json("install", host, "--yes", "--sandbox")
    assert (done["action"], done["host"], done["backup"]) == ("created", host, None)
    assert Path(done["path"]).is_relative_to(cli.home)
    written = Path(done["path"]).read_bytes()
    assert cli.json("install", host, "--yes")["action"] == "unchanged"
    assert "already up to date" in cli("install", host).stdout
    assert Path(done["path"]).read_bytes() == written
    assert cli.json("uninstall", host, "--yes")["action"] == "restored"
    assert cli.json("uninstall", host, "--yes")["action"] == "absent"
    assert [path for path in everything_in(cli.home) if path.suffix in (".json", ".toml")] == []


def test_the_change_is_shown_with_masked_keys_and_not_made_without_confirmation(cli: Cli) -> None:
    path = cli.home / ".config" / "Claude" / "claude_desktop_config.json"
    path.parent.mkdir(parents=True)
    path.write_text(DESKTOP)
    done = cli("install", "claude-desktop", SEGMIND_API_KEY=KEY)
    assert done.returncode == 2
    assert '+      "command": "' in done.stderr
    assert '"SEGMIND_API_KEY": "…"' in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert "--yes" in done.stderr
    assert path.read_text() == DESKTOP
    assert cli("install", "claude-desktop", "--json", SEGMIND_API_KEY=KEY).returncode == 2
    assert path.read_text() == DESKTOP

    done = cli("install", "claude-desktop", "--yes", SEGMIND_API_KEY=KEY)
    assert done.returncode == 0, done
    assert json.loads(path.read_text())["mcpServers"]["hailuo"]["env"]["SEGMIND_API_KEY"] == KEY
    assert path.stat().st_mode & 0o777 == 0o600
    assert "only you can read" in done.stdout
    assert "claude_desktop_config.json.before-hailuo-mcp" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert cli("uninstall", "claude-desktop", "--yes").returncode == 0
    assert path.read_text() == DESKTOP


def test_variables_that_are_set_are_installed_in_the_users_file(cli: Cli) -> None:
    variables = {
        "APIXO_API_KEY": "apx-1",
        "APIXO_BASE_URL": "http://127.0.0.1:9",
        "AIMLAPI_BASE_URL": "http://127.0.0.1:8",
        "HAILUO_MCP_MAX_USD_PER_DAY": "3",
    }
    cli("install", "claude-desktop", "--yes", **variables)
    entry = json.loads((cli.home / ".config/Claude/claude_desktop_config.json").read_text())["mcpServers"]["hailuo"]
    del variables["AIMLAPI_BASE_URL"]  # its key is not set
    assert variables.items() <= entry["env"].items()
    assert "AIMLAPI_BASE_URL" not in entry["env"]
    done = cli("install", "claude-code", "--scope", "project", "--yes", "--portable", **variables)
    assert done.returncode == 0, done
    shared = json.loads((cli.home / ".mcp.json").read_text())["mcpServers"]["hailuo"]
    assert shared == {
        "type": "stdio",
        "command": "uvx",
        "args": ["hailuo-mcp"],
        "env": {"APIXO_API_KEY": "${APIXO_API_KEY:-}"},
    }


def test_the_installed_entry_starts_the_server(cli: Cli) -> None:
    cli("install", "codex", "--yes", "--sandbox")
    entry = tomllib.loads((cli.home / ".codex/config.toml").read_text())["mcp_servers"]["hailuo"]
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    started = subprocess.run(
        [entry["command"], *entry["args"]],
        env={"PATH": "/usr/bin:/bin", "HOME": str(cli.home), **entry["env"]},
        input=json.dumps(initialize) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(started.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "hailuo-mcp"


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["install", "claude-desktop", "--scope", "project", "--yes"], "no project configuration"),
        (["install", "emacs"], "emacs"),
        (["install", "cursor", "--yes", "--name", "a b"], "not a valid name"),
        (["install", "claude-desktop", "--yes", "--gateway", "segmind"], "SEGMIND_API_KEY is not set"),
        (["install", "cursor", "--key", "sg_1"], "--key"),
    ],
)
def test_invalid_arguments_are_refused_with_a_reason(cli: Cli, args: list[str], reason: str) -> None:
    done = cli(*args)
    assert done.returncode == 2
    assert reason in done.stderr
    assert everything_in(cli.home) == []


def test_a_file_that_cannot_be_parsed_is_left_alone_and_reported_as_json_too(cli: Cli) -> None:
    path = cli.home / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text(CODEX + "[broken\n")
    error = cli.json("install", "codex", "--yes", code=2)["error"]
    assert error["code"] == "invalid_input"
    assert str(path) in error["message"]
    assert "line" in error["message"]
    assert path.read_text() == CODEX + "[broken\n"


def on_a_terminal(cli: Cli, args: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run on a terminal, and type each answer when its question appears. Returns the exit code and the output."""
    with subprocess.Popen(
        [*ON_A_TERMINAL, *PROGRAM, *args],
        env=cli.environment,
        cwd=cli.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin
        assert running.stdout
        shown, waiting = b"", list(answers)
        while read := os.read(running.stdout.fileno(), 4096):
            shown += read
            if waiting and waiting[0][0].encode() in shown:
                running.stdin.write(waiting.pop(0)[1].encode() + b"\n")
                running.stdin.flush()
    assert not waiting, shown.decode()
    return running.returncode, shown.decode()


def test_on_a_terminal_it_asks_and_does_not_show_a_typed_key(cli: Cli) -> None:
    questions = [("Gateways you have", "segmind"), ("SEGMIND_API_KEY (not shown)", KEY), ("Make this change?", "y")]
    code, shown = on_a_terminal(cli, ["install", "claude-desktop"], questions)
    assert code == 0
    assert KEY not in shown
    entry = json.loads((cli.home / ".config/Claude/claude_desktop_config.json").read_text())["mcpServers"]["hailuo"]
    assert entry["env"]["SEGMIND_API_KEY"] == KEY

    code, shown = on_a_terminal(cli, ["uninstall", "claude-desktop"], [("Make this change?", "n")])
    assert code == 130
    assert "Nothing was changed." in shown
    assert KEY not in shown
    assert (cli.home / ".config/Claude/claude_desktop_config.json").exists()


def test_an_unset_variable_that_the_host_needs_is_named(cli: Cli) -> None:
    missing = "SEGMIND_API_KEY is not set here"
    assert missing in cli("install", "cursor", "--gateway", "segmind", "--yes").stderr
    assert missing not in cli("install", "cursor", "--gateway", "segmind", "--yes", SEGMIND_API_KEY=KEY).stderr
    assert missing not in cli("install", "vscode", "--gateway", "segmind", "--yes").stderr  # it asks for it


def test_after_uninstalling_the_next_step_is_to_restart_the_host(cli: Cli) -> None:
    cli("install", "zed", "--sandbox", "--yes")
    assert re.search(r"^next +Restart Zed, ", cli("uninstall", "zed", "--yes").stdout, re.MULTILINE)


def test_without_a_host_the_hosts_on_this_machine_are_listed(cli: Cli) -> None:
    assert "No supported host was found" in (none := cli("install").stdout)
    assert "HOST is one of claude-desktop, " in none
    (cli.home / ".cursor").mkdir()
    (cli.home / ".config" / "goose").mkdir(parents=True)
    cli("install", "goose", "--yes")
    text = cli("install").stdout
    assert re.search(r"^cursor +not installed +\S+mcp.json", text, re.MULTILINE)
    assert re.search(r"^goose +installed +\S+config.yaml", text, re.MULTILINE)
    assert "kiro" in text.split("Not found here:")[1]
    hosts = {row["host"]: row for row in json.loads(cli("install", "--json").stdout)["hosts"]}
    assert hosts["goose"]["installed"]
    assert not hosts["kiro"]["found"]

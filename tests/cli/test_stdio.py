import json
import subprocess
import sys

import pytest

from hailuo_mcp.cli.output import in_commands
from hailuo_mcp.mcp.tools import BY_NAME
from tests.cli.conftest import Cli, pipe, responses, send, started

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
HEAVY = ("rich", "PIL", "httpx", "stamina", "hailuo_mcp.sandbox", "hailuo_mcp.cli.group")


@pytest.mark.parametrize("arguments", [(), pytest.param(("serve", "--stdio"), marks=pytest.mark.slow)])
def test_without_arguments_stdout_carries_only_the_protocol(cli: Cli, arguments: tuple[str, ...]) -> None:
    with cli.start(*arguments) as server:
        send(server, INITIALIZE, {"method": "notifications/initialized"}, {"id": 2, "method": "tools/list"})
        answers = responses(server, 2)
        pipe(server.stdin).close()
        rest, errors = pipe(server.stdout).read(), pipe(server.stderr).read()
    assert [answer["id"] for answer in answers] == [1, 2]
    assert [tool["name"] for tool in answers[1]["result"]["tools"]] == list(BY_NAME)
    assert (rest, server.returncode) == ("", 0)
    assert "waiting for an MCP client" not in errors


def test_a_wrong_setting_is_one_line_on_stderr_and_code_2(cli: Cli) -> None:
    for variable, value in (("HAILUO_MCP_MIN_POLL_SECONDS", "soon"), ("HAILUO_MCP_MODELS", "segmind/nope")):
        done = cli(**{variable: value})
        assert done.returncode == 2
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert variable in line


def test_the_stdio_server_imports_nothing_that_only_the_commands_need(cli: Cli) -> None:
    # click and uvicorn come with the SDK's server; the command line must not add to what that brings.
    program = (
        "import sys; from hailuo_mcp.cli import main; sys.argv = ['hailuo-mcp']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "import json\n"
        "real = [name for name, module in sys.modules.items() if getattr(module, '__spec__', None)]  # no stand-ins\n"
        "print(json.dumps(sorted(real)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=cli.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = json.loads(done.stdout)
    assert not [name for name in loaded if f"{name}.".startswith(tuple(f"{heavy}." for heavy in HEAVY))]
    ours = {name for name in loaded if name.startswith("hailuo_mcp.cli")}
    assert ours == {"hailuo_mcp.cli"}


def test_modules_for_the_first_poll_are_imported_after_listing_the_tools(cli: Cli) -> None:
    program = (
        "import sys, threading, time\n"
        "def watch():\n"
        "    while not {'httpx', 'httpcore', 'stamina'} <= set(sys.modules): time.sleep(0.02)\n"
        "    sys.stderr.write(f\"imported, with rich: {'rich' in sys.modules}\\n\"); sys.stderr.flush()\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
        "from hailuo_mcp.cli import main; sys.argv = ['hailuo-mcp']; main()"
    )
    with started([sys.executable, "-c", program], cli.environment, cli.home) as server:
        send(server, INITIALIZE, {"id": 2, "method": "tools/list"})
        assert [answer["id"] for answer in responses(server, 2)] == [1, 2]
        assert pipe(server.stderr).readline() == "imported, with rich: False\n"
        pipe(server.stdin).close()
    assert server.returncode == 0


def test_hints_name_commands_instead_of_tools() -> None:
    assert in_commands("Call get_status with wait_seconds until it ends.") == (
        "Run hailuo-mcp status with --wait until it ends."
    )
    assert in_commands("list_jobs shows it; force_new submits another.") == (
        "hailuo-mcp jobs shows it; --force-new submits another."
    )

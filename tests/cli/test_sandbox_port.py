import signal
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Cli, InProcessCli, facts_of_clip, pipe


@pytest.fixture
def over_port(cli: Cli) -> Iterator[Cli]:
    """The command line with a key for each of three gateways, all served by a sandbox on a port."""
    with cli.start("sandbox", "--port", "0", "--seconds", "0.3") as server:
        url = pipe(server.stdout).readline().strip()
        names = ("SEGMIND", "APIXO", "AIMLAPI")
        variables = {f"{name}_BASE_URL": url for name in names} | {f"{name}_API_KEY": "sandbox-key" for name in names}
        yield Cli(cli.home, variables)
        server.send_signal(signal.SIGINT)
        errors = pipe(server.stderr).read()
    assert server.returncode == 0
    assert all(f"{name}_BASE_URL={url} {name}_API_KEY=" in errors for name in names)
    assert "sandbox:lost_answer" in errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_whole_job_runs_over_a_real_port(over_port: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    submitted = over_port.json("generate", "A red kite")
    assert submitted["sandbox"] is True
    in_process = InProcessCli(over_port.environment, capsys)
    ended = in_process.json("status", submitted["request_id"], "--wait")
    assert ended["state"] == "completed"
    assert facts_of_clip(ended["video_path"]) == ("h264", 6.0)
    # The sandbox drops the connection; its server must not print a traceback, which the fixture checks.
    assert in_process.json("generate", "sandbox:lost_answer kite", code=7)["state"] == "unconfirmed"

"""How long the server takes from its start to the response to `tools/list`, and how much memory it uses at that moment,
compared with the smallest useful MCP server (`bare_server.py`).

    uv run python -m benchmarks.cold_start [--pairs 15] [--json] [--command "hailuo-mcp"]

The two are started in turns, A B A B, so that other work on the machine affects both alike; each is started once first,
to fill the byte-code caches. Both run under this interpreter and are called with bare JSON-RPC lines, so that the
client costs nothing. Memory is read from /proc (Linux) right after the response: `rss` is the memory in use, `peak` its
maximum. The targets are 1.10 times the bare server's time and 1.3 times its memory. They are started in an empty
directory, so that `--command` can name another installation.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

BARE = (sys.executable, str(Path(__file__).with_name("bare_server.py")))
OURS = (sys.executable, "-m", "hailuo_mcp")
AIMS = {"seconds": 1.10, "rss_mb": 1.3, "peak_mb": 1.3}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "cold-start", "version": "0"},
}


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start: seconds to the list of tools, and MiB of memory at that moment."""

    seconds: float
    rss_mb: float
    peak_mb: float


def measure(command: Sequence[str], environ: Mapping[str, str]) -> Start:
    """Start a server, ask for its tools, and end it.

    Raises:
        RuntimeError: the server sent no response.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        env=environ,
        cwd=environ["HOME"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _ask(server, 1, "initialize", INITIALIZE)
            _send(server, {"method": "notifications/initialized"})
            _ask(server, 2, "tools/list", {})
            seconds = time.perf_counter() - began
            memory = _memory(server.pid)
        finally:
            server.kill()
    return Start(seconds, memory["VmRSS"], memory["VmHWM"])


def _send(server: subprocess.Popen[bytes], message: Mapping[str, Any]) -> None:
    assert server.stdin
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    server.stdin.flush()


def _ask(server: subprocess.Popen[bytes], number: int, method: str, params: Mapping[str, Any]) -> None:
    assert server.stdout
    _send(server, {"id": number, "method": method, "params": params})
    for line in server.stdout:
        answer = json.loads(line)
        if answer.get("id") == number:
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            return
    raise RuntimeError(f"{server.args} ended without an answer to {method}")


def _memory(pid: int) -> dict[str, float]:
    """The process's memory figures in MiB, by the kernel's names for them."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(value.split()[0]) / 1024 for name, value in fields.items() if value.endswith("kB")}


def compare(ours: Sequence[str], pairs: int) -> dict[str, Any]:
    """Medians of both servers and their ratios, over `pairs` starts of each."""
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home, "HAILUO_MCP_SANDBOX": "1"}
        for command in (BARE, ours):
            measure(command, environ)
        starts = [(measure(BARE, environ), measure(ours, environ)) for _ in range(pairs)]
    medians = {
        name: {field: round(statistics.median(asdict(start)[field] for start in runs), 3) for field in AIMS}
        for name, runs in zip(("bare", "ours"), zip(*starts, strict=True), strict=True)
    }
    return {
        "pairs": pairs,
        "command": shlex.join(ours),
        "python": sys.version.split()[0],
        **medians,
        "ratio": {field: round(medians["ours"][field] / medians["bare"][field], 3) for field in AIMS},
        "aim": AIMS,
    }


def figures(pairs: int = 15) -> list[Figure]:
    """For the table of all benchmarks."""
    found = compare(OURS, pairs)
    names = {
        "seconds": ("start to tools/list", "s"),
        "rss_mb": ("memory then", "MiB"),
        "peak_mb": ("most until then", "MiB"),
    }
    return [
        Figure("cold_start", name, unit, found["bare"][field], found["ours"][field], f"≤ {AIMS[field]}")
        for field, (name, unit) in names.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Cold start and memory against a bare SDK server.")
    parser.add_argument("--pairs", type=int, default=15, help="how many starts of each (default 15)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--command", default=shlex.join(OURS), help="how our server is started")
    options = parser.parse_args()
    figures = compare(shlex.split(options.command), options.pairs)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{figures['pairs']} pairs, Python {figures['python']}, {figures['command']}")
    print(f"{'median':10}{'bare':>10}{'ours':>10}{'ratio':>10}{'aim':>10}")
    for field, aim in AIMS.items():
        bare, ours, ratio = figures["bare"][field], figures["ours"][field], figures["ratio"][field]
        print(f"{field:10}{bare:>10.3f}{ours:>10.3f}{ratio:>10.2f}{'≤ ' + str(aim):>10}")


if __name__ == "__main__":
    main()

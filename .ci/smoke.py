"""Checks the installed wheel as a new user gets it: no checkout on the path, no development packages, no key.

    python .ci/smoke.py PATH-OF-THE-INSTALLED-hailuo-mcp

Asks for the version, then talks JSON-RPC to the stdio server: lists the tools, submits a sandbox job, waits for it and
saves its clip. Then the doctor must find no problem. Uses only the standard library, so that it runs under any Python.
"""

# ruff: noqa: S101, S603, T201 - a check run by hand or by CI: it asserts, starts processes, and prints

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TOOLS = ["generate_video", "get_status", "list_models", "list_jobs", "download_video", "cancel_job"]


class Server:
    """The stdio server, one request at a time."""

    def __init__(self, command: str, environ: dict[str, str], directory: str) -> None:
        self._process = subprocess.Popen(
            [command], env=environ, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._last = 0

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        self.send({"id": self._last, "method": method, "params": params})
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._last:
                assert "result" in answer, answer
                return answer["result"]
        raise AssertionError(f"the server ended without a response to {method}")

    def send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        result = self.request("tools/call", {"name": tool, "arguments": arguments})
        assert not result.get("isError"), result
        return result["structuredContent"]

    def close(self) -> int:
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait(20)


def main(command: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "HAILUO_MCP_OUTPUT_DIR": str(Path(home) / "clips"),
            "HAILUO_MCP_SANDBOX_SECONDS": "1",
        }
        printed = subprocess.run(
            [command, "--version"], env=environ, cwd=home, capture_output=True, text=True, check=True
        )
        version = printed.stdout.split()[-1]

        server = Server(command, environ, home)
        client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "smoke", "version": "0"}}
        server_info = server.request("initialize", client)["serverInfo"]
        assert server_info["version"] == version, server_info
        server.send({"method": "notifications/initialized"})
        tools = [tool["name"] for tool in server.request("tools/list", {})["tools"]]
        assert tools == TOOLS, tools

        job = server.call("generate_video", {"prompt": "a lighthouse at dusk, push in"})
        assert job["sandbox"] is True, job
        job_id = {"request_id": job["request_id"]}
        status = server.call("get_status", {**job_id, "wait_seconds": 30})
        assert status["state"] == "completed", status
        clip = Path(server.call("download_video", job_id)["video_path"])
        assert clip.is_relative_to(home), clip
        assert clip.read_bytes()[4:8] == b"ftyp", clip
        print(f"hailuo-mcp {version}: {len(tools)} tools, saved a clip of {clip.stat().st_size} bytes")
        assert server.close() == 0

        # Not `check=True`: on failure, the findings say more than the exit code.
        doctor = subprocess.run(
            [command, "doctor", "--offline", "--json"], env=environ, cwd=home, capture_output=True, text=True
        )
        found = {finding["about"]: finding for finding in json.loads(doctor.stdout)["findings"]}
        assert doctor.returncode == 0, doctor.stdout
        assert found["packages"]["level"] == "ok", found["packages"]
        assert "intact" in found["database"]["what"], found["database"]
        print("the doctor finds nothing wrong")


if __name__ == "__main__":
    main(*sys.argv[1:])

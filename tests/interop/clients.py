"""Two third-party clients, wrapped for the tests."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
ONE_CALL_SECONDS = 60
CLOSE_SECONDS = 10

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InspectorRun:
    """The result of one run of the Inspector's command line."""

    exit_code: int
    output: Answer
    stderr: str

    @property
    def result(self) -> Answer:
        return self.output["result"]


@dataclass(frozen=True, slots=True)
class Inspector:
    """The Inspector's command line. Every run starts a server of its own."""

    directory: Path
    era: str
    server: Sequence[str]
    variables: Mapping[str, str]

    def run(self, method: str, *options: str) -> InspectorRun:
        server_variables = [part for name, value in self.variables.items() for part in ("-e", f"{name}={value}")]
        command = ["node", INSPECTOR, "--cli", "--protocol-era", self.era, "--format", "json", *server_variables]
        done = subprocess.run(
            # The method comes last: an option that takes several values would read the server's command as one.
            [*command, *options, "--method", method, *self.server],
            cwd=self.directory,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=ONE_CALL_SECONDS,
            check=False,
        )
        return InspectorRun(done.returncode, json.loads(done.stdout or "{}"), done.stderr)

    def call(self, tool: str, arguments: Answer) -> InspectorRun:
        return self.run("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))

    def read(self, uri: str) -> InspectorRun:
        return self.run("resources/read", "--uri", uri)

    def prompt(self, name: str, arguments: Mapping[str, str]) -> InspectorRun:
        pairs = [part for argument, value in arguments.items() for part in ("--prompt-args", f"{argument}={value}")]
        return self.run("prompts/get", "--prompt-name", name, *pairs)


class Bridge:
    """The TypeScript SDK's client in a process of its own (`bridge.mjs`), one call at a time."""

    tools: Mapping[str, Answer]
    """Tool name to definition, as the client read it."""

    def __init__(self, directory: Path, package: str, server: Sequence[str], variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["node", "bridge.mjs", package, json.dumps(dict(variables)), *server],
            cwd=directory,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self.tools = {tool["name"]: tool for tool in self._read()["tools"]}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def call(self, tool: str, arguments: Answer) -> Answer:
        """The result as the client returns it.

        Raises:
            AssertionError: the client threw an exception.
        """
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"name": tool, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        assert "thrown" not in answer, answer["thrown"]
        return answer["result"]

    def _read(self) -> Answer:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the client ended without a response"
        return json.loads(line)

"""The hosts that run without a login, and how each lists its servers."""

import json
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.interop.real_hosts import model

ONE_RUN_SECONDS = 90
_PROVIDER = "openai-compatible"
_COLOR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Home:
    """A user's home directory, where the host runs."""

    path: Path
    environ: Mapping[str, str]

    @property
    def project(self) -> Path:
        return self.path / "project"


class RealHost(ABC):
    name: ClassVar[str]
    """Its name in `hailuo-mcp install`."""
    program: ClassVar[str]
    """The name of its command."""
    package: ClassVar[str]
    """Its executable, below `node_modules`."""
    environ: ClassVar[Mapping[str, str]] = {}
    """Variables that keep it from using the network."""
    start_delay: ClassVar[int] = 0
    """Seconds that the server takes longer to start."""

    def __init__(self, packages: Path) -> None:
        self.executable = packages / "node_modules" / self.package

    def run(self, home: Home, *arguments: str, **environ: str) -> str:
        """What it prints on stdout, or else on stderr, where Gemini CLI prints its list."""
        done = subprocess.run(
            [self.executable, *arguments],
            cwd=home.project,
            env={**home.environ, **self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ONE_RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return _COLOR.sub("", done.stdout or done.stderr)

    @abstractmethod
    def listed(self, home: Home) -> set[str]:
        """The names of the servers that it lists."""

    @abstractmethod
    def connected(self, home: Home) -> set[str] | None:
        """Start the server named `hailuo`. Returns the names of its tools, or None if the host shows only that it is
        connected.

        Raises:
            AssertionError: it is not connected.
        """

    def trust(self, home: Home) -> None:
        """Let it use the servers that the project configures."""
        del home


class ClaudeCode(RealHost):
    name = "claude-code"
    program = "claude"
    package = "@anthropic-ai/claude-code-linux-x64/claude"
    environ: ClassVar[Mapping[str, str]] = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}

    def listed(self, home: Home) -> set[str]:
        return set(re.findall(r"^([\w-]+): .+ - \S+ ", self.run(home, "mcp", "list"), re.MULTILINE))

    def connected(self, home: Home) -> None:
        assert re.search(r"^hailuo: .+ - \S+ Connected$", self.run(home, "mcp", "list"), re.MULTILINE)

    def trust(self, home: Home) -> None:
        answers = {"hasTrustDialogAccepted": True, "enabledMcpjsonServers": ["hailuo"]}
        (home.path / ".claude.json").write_text(json.dumps({"projects": {str(home.project): answers}}))


class Codex(RealHost):
    name = "codex"
    program = "codex"
    package = "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"

    def listed(self, home: Home) -> set[str]:
        return {server["name"] for server in json.loads(self.run(home, "mcp", "list", "--json"))}

    def connected(self, home: Home) -> set[str]:
        with subprocess.Popen(
            [self.executable, "app-server"],
            cwd=home.project,
            env=home.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:

            def request(method: str, **params: Any) -> dict[str, Any]:
                assert process.stdin
                assert process.stdout
                process.stdin.write(json.dumps({"id": method, "method": method, "params": params}) + "\n")
                process.stdin.flush()
                answers = (json.loads(line) for line in process.stdout)
                return next(answer for answer in answers if answer.get("id") == method)["result"]

            request("initialize", clientInfo={"name": "test", "version": "1"})
            # Only a thread reads the project's configuration.
            thread = request("thread/start", cwd=str(home.project))["thread"]
            servers = request("mcpServerStatus/list", threadId=thread["id"])["data"]
        return next(set(server["tools"]) for server in servers if server["name"] == "hailuo")

    def trust(self, home: Home) -> None:
        config = home.path / ".codex" / "config.toml"
        config.parent.mkdir()
        config.write_text(f'[projects."{home.project}"]\ntrust_level = "trusted"\n')


class GeminiCli(RealHost):
    name = "gemini-cli"
    program = "gemini"
    package = ".bin/gemini"
    # It starts no servers in a folder that is not trusted.
    environ: ClassVar[Mapping[str, str]] = {"GEMINI_CLI_TRUST_WORKSPACE": "true"}

    def listed(self, home: Home) -> set[str]:
        return set(re.findall(r"^\S ([\w-]+): .+ - \w+$", self.run(home, "mcp", "list"), re.MULTILINE))

    def connected(self, home: Home) -> None:
        assert re.search(r"^✓ hailuo: .+ - Connected$", self.run(home, "mcp", "list"), re.MULTILINE)


class Opencode(RealHost):
    name = "opencode"
    program = "opencode"
    package = "opencode-linux-x64-baseline/bin/opencode"
    environ: ClassVar[Mapping[str, str]] = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}

    def listed(self, home: Home) -> set[str]:
        return set(re.findall(r"^● +\S ([\w-]+) ", self.run(home, "mcp", "list"), re.MULTILINE))

    def connected(self, home: Home) -> None:
        assert re.search(r"^● +✓ hailuo connected$", self.run(home, "mcp", "list"), re.MULTILINE)


class CopilotCli(RealHost):
    name = "copilot-cli"
    program = "copilot"
    package = "@github/copilot-linux-x64/copilot"
    environ: ClassVar[Mapping[str, str]] = {"COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false"}

    def listed(self, home: Home) -> set[str]:
        return set(json.loads(self.run(home, "mcp", "list", "--json"))["mcpServers"])

    def connected(self, home: Home) -> set[str]:
        with model.serve_model() as served:
            variables = {"BASE_URL": served.url, "TYPE": "openai", "API_KEY": "any"}
            environ = {f"COPILOT_PROVIDER_{name}": value for name, value in variables.items()}
            self.run(home, "-p", "Say hello.", "--allow-all-tools", COPILOT_MODEL=model.NAME, **environ)
        return {name.removeprefix("hailuo-") for name in served.tools if name.startswith("hailuo-")}


class Cline(RealHost):
    name = "cline"
    program = "cline"
    package = "@cline/cli-linux-x64/bin/cline"
    start_delay = 4  # without a timeout in the entry, it waits three
    environ: ClassVar[Mapping[str, str]] = {
        # Otherwise it leaves a process running, which the next run would use.
        "CLINE_SESSION_BACKEND_MODE": "local",
        # With a proxy that does not exist, it retries for eight seconds in each run.
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), ""),
    }

    def listed(self, home: Home) -> set[str]:
        return {server["name"] for server in json.loads(self.run(home, "config", "mcp", "--json"))}

    def connected(self, home: Home) -> set[str]:
        with model.serve_model() as served:
            settings = {"provider": _PROVIDER, "apiKey": "any", "model": model.NAME, "baseUrl": served.url}
            provider = {"settings": settings, "updatedAt": "2026-12-01T00:00:00Z", "tokenSource": "manual"}
            # As `cline auth` writes it.
            providers = {"version": 1, "lastUsedProvider": _PROVIDER, "providers": {_PROVIDER: provider}}
            (home.path / ".cline" / "data" / "settings" / "providers.json").write_text(json.dumps(providers))
            self.run(home, "--json", "Say hello.")
        return {name.removeprefix("hailuo__") for name in served.tools if name.startswith("hailuo__")}


HOSTS: tuple[type[RealHost], ...] = (ClaudeCode, Codex, GeminiCli, Opencode, CopilotCli, Cline)

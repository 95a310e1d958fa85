"""Shared by the tests of the installer: an entry to install, and realistic configurations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import ConfigChange, DetectedConfig, Host, InstallSpec, Launcher, Machine, Place, Scope
from hailuo_mcp.cli.installer.formats import Edit, apply_edits, parse_text
from hailuo_mcp.cli.installer.values import Key

KEY = "sg_a-real-looking-key"
LAUNCHER = Launcher("/home/you/.local/bin/hailuo-mcp", ())
SPEC = InstallSpec(
    LAUNCHER, keys={"SEGMIND_API_KEY": SecretStr(KEY)}, settings={"HAILUO_MCP_OUTPUT_DIR": "/home/you/Vidéos/海螺"}
)
PLACES = [(host.name, place.scope) for host in installer.HOSTS for place in host.places()]


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration of a host."""

    host: Host
    place: Place

    @property
    def path(self) -> Path:
        return self.place.path

    @property
    def backup(self) -> Path:
        return self.path.with_name(f"{self.path.name}.before-hailuo-mcp")

    def write(self, content: bytes | str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def put(self, *path: Key, value: Any) -> None:
        """Change a value in the section for servers, as another program would."""
        text = self.path.read_text() if self.path.exists() else ""
        self.write(apply_edits(self.host, text, [Edit((self.host.servers_key, *path), value)]))

    def parsed(self, text: str | None = None) -> dict[str, Any]:
        """The data of this text; by default, of the file."""
        return parse_text(self.host, self.path.read_bytes().decode() if text is None else text)

    def entry(self) -> dict[str, Any]:
        return self.parsed()[self.host.servers_key]["hailuo"]

    def plan(self, spec: InstallSpec = SPEC) -> ConfigChange:
        return installer.install(self.host, self.place, spec)

    def plan_removal(self, name: str = "hailuo") -> ConfigChange:
        return installer.uninstall(self.host, self.place, name)

    def install(self, spec: InstallSpec = SPEC) -> None:
        self.plan(spec).apply()

    def uninstall(self) -> None:
        self.plan_removal().apply()

    def detect(self) -> DetectedConfig:
        return installer.detect(self.host, self.place)


def config_of(name: str, machine: Machine, scope: Scope = "user") -> Config:
    host = installer.find_host(name)
    place = host.place(scope, machine)
    assert place
    return Config(host, place)


def command_of(host: Host, entry: Mapping[str, Any]) -> list[str]:
    """The program and its arguments."""
    shape = host.shape
    return entry[shape.command] if shape.args is None else [entry[shape.command], *entry[shape.args]]


DESKTOP = """{
  "globalShortcut": "Ctrl+Space",
  "mcpServers": {
    "filesystem": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/Users/jörg/Schreibtisch"]
    },
    "brave-search": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-brave-search"],
      "env": { "BRAVE_API_KEY": "BSA-someone-elses" }
    }
  },
  "preferences": {"sidebarMode": "chat"}
}
"""
CODE = (
    '{"numStartups":31,"projects":{"/home/you/film":{"allowedTools":[],"mcpServers":{"local":{"command":"x"}}}},'
    '"oauthAccount":{"emailAddress":"you@example.org"},"mcpServers":{"github":{"type":"http","url":"https://x/mcp",'
    '"headers":{"Authorization":"Bearer ghp_someone-elses"}}}}'
)
CURSOR = """{
\t// mine
\t"mcpServers": {
\t\t"figma": { "url": "http://127.0.0.1:3845/mcp" }, // design, token fig_someone-elses
\t\t/* "off": {}, */
\t},
}
"""
VSCODE = """// Kept by hand: see the wiki
{
    "inputs": [
        { "type": "promptString", "id": "github", "description": "GitHub token", "password": true },
    ],
    "servers": {
        "github": {
            "type": "http",
            "url": "https://api.githubcopilot.com/mcp/",
            "headers": { "Authorization": "Bearer ${input:github}" } // asks
        }
        // the last one
    }
}"""
CODEX = """# My Codex
model = "gpt-5.5"   # the big one
notify = ["notify-send", "Codex"]

[mcp_servers.context7]
command = "npx"
args = [
  "-y",  # yes
  "@upstash/context7-mcp",
]
env = { TOKEN = "ctx_someone-elses" }

[projects."/home/you/film"]
trust_level = "trusted"
"""
GEMINI = """{
  "theme": "GitHub", // dark
  "mcpServers": { "github": { "httpUrl": "https://api.githubcopilot.com/mcp/" } }
}
"""
OPENCODE = """{
  "$schema": "https://opencode.ai/config.json",
  "mcp": {
    "context7": { "type": "remote", "url": "https://mcp.context7.com/mcp", "enabled": true }
  }
}
"""
ZED = """// Zed settings
{
  "theme": "One Dark",
  "context_servers": {
    "some-server": { "command": "some-command", "args": [], "env": {} }
  },
}
"""
GOOSE = """# Goose, on my desk
GOOSE_PROVIDER: anthropic
GOOSE_MODEL: claude-sonnet-5
extensions:
  # the tools
  developer:
    bundled: true
    enabled: true
    name: developer
    timeout: 300
    type: builtin
  github:
    args:
    - -y
    - '@modelcontextprotocol/server-github'
    cmd: npx
    enabled: false
    env_keys: []
    envs:
      GITHUB_TOKEN: ghp_someone-elses
    name: github
    type: stdio
  # the last one

GOOSE_MODE: approve
"""
REAL = {
    "gemini-cli": [GEMINI, "{}"],
    "copilot-cli": [DESKTOP, CURSOR, '{"mcpServers":{}}'],
    "windsurf": [DESKTOP],
    "cline": [DESKTOP, '{\n  "mcpServers": {}\n}'],
    "zed": [ZED, "{}"],
    "goose": [
        GOOSE,
        "GOOSE_MODE: auto",
        "extensions: {}\n",
        "extensions:\nGOOSE_MODE: auto\n",
        "extensions:\n    a:\n        cmd: x\n        type: stdio",
    ],
    "lm-studio": [DESKTOP],
    "jetbrains": [DESKTOP, "{}"],
    "opencode": [OPENCODE, "{}"],
    "kiro": [DESKTOP],
    "claude-desktop": [DESKTOP, '{"mcpServers":{}}', "{}", '{"mcpServers": {}, "isUsingBuiltInNodeForMcp": true}\n'],
    "claude-code": [CODE, DESKTOP, '{\n  "numStartups": 1\n}'],
    "cursor": [CURSOR, DESKTOP, '{\n  "mcpServers": {\n  }\n}', "// nothing yet\n"],
    "vscode": [VSCODE, '{\n\t"servers": {},\n\t"inputs": []\n}', '{ "servers": { "a": { "command": "b" } } }'],
    "codex": [
        CODEX,
        'model = "o4"',
        '[mcp_servers]\na = { command = "x" }\n',
        'mcp_servers.a.command = "x"\n',
        'mcp_servers = { a = { command = "x" } }\n',
        '[mcp_servers.a]\ncommand = "x"\n[tools]\nweb = true\n[mcp_servers.b]\ncommand = "y"\n',
        'note = """\n[mcp_servers.hailuo]\n"""\n',
    ],
}
"""Host to configurations without our entry."""

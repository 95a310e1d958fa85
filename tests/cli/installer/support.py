"""Shared by the tests of the installer: an entry to install, and realistic configurations."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Host, InstallSpec, Launcher, Machine, Place
from hailuo_mcp.cli.installer.formats import Edit, apply_edits
from hailuo_mcp.cli.installer.values import Key

KEY = "sg_a-real-looking-key"
LAUNCHER = Launcher("/home/you/.local/bin/hailuo-mcp", ())
SPEC = InstallSpec(
    LAUNCHER, keys={"SEGMIND_API_KEY": SecretStr(KEY)}, settings={"HAILUO_MCP_OUTPUT_DIR": "/home/you/Vidéos/海螺"}
)
PLACES = [(host.name, place.scope) for host in installer.HOSTS for place in host.places()]


def put(host: Host, text: str, path: tuple[Key, ...], value: Any) -> str:
    """Change the file as another program would."""
    return apply_edits(host, text, [Edit(path, value)])


def command_of(host: Host, entry: Mapping[str, Any]) -> list[str]:
    """The program and its arguments."""
    shape = host.shape
    return entry[shape.command] if shape.args is None else [entry[shape.command], *entry[shape.args]]


def save(place: Place, raw: bytes | str) -> None:
    place.path.parent.mkdir(parents=True, exist_ok=True)
    place.path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())


def place_of(name: str, scope: str, machine: Machine) -> tuple[Host, Place]:
    host = installer.find_host(name)
    return host, next(place for place in host.places(machine) if place.scope == scope)


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

"""Shared by the tests of the installer: an entry to install, and realistic configurations."""

from pydantic import SecretStr

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Host, InstallSpec, Launcher, Machine, Place

KEY = "sg_a-real-looking-key"
LAUNCHER = Launcher("/home/you/.local/bin/hailuo-mcp", ())
SPEC = InstallSpec(
    LAUNCHER, keys={"SEGMIND_API_KEY": SecretStr(KEY)}, settings={"HAILUO_MCP_OUTPUT_DIR": "/home/you/Vidéos/海螺"}
)
PLACES = [(host.name, place.scope) for host in installer.HOSTS for place in host.places()]


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
REAL = {
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

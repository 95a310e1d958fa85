"""The generated parts of `docs/hosts.md` and of the README: `uv run cog -r docs/hosts.md` writes them, and a test fails
on drift."""

from pathlib import Path

from pydantic import SecretStr

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Host, InstallSpec, Launcher, Machine, Place
from tests.tables import table

LAUNCHER = Launcher("/home/you/.local/bin/hailuo-mcp", ())
"""On a real machine, the command finds it."""
VARIABLE = "SEGMIND_API_KEY"
PLACEHOLDER = f"YOUR_{VARIABLE}"
OWN_COMMANDS = {
    "claude-code": "claude mcp add hailuo --scope user --env 'SEGMIND_API_KEY=${SEGMIND_API_KEY:-}' -- uvx hailuo-mcp",
    "codex": "codex mcp add hailuo -- uvx hailuo-mcp",
    "gemini-cli": "gemini mcp add --scope user --env 'SEGMIND_API_KEY=$SEGMIND_API_KEY' hailuo uvx hailuo-mcp",
    "copilot-cli": "copilot mcp add hailuo --env 'SEGMIND_API_KEY=${SEGMIND_API_KEY:-}' -- uvx hailuo-mcp",
    "opencode": "opencode mcp add hailuo --env 'SEGMIND_API_KEY={env:SEGMIND_API_KEY}' -- uvx hailuo-mcp",
}
"""Host to its own command that adds the server, with the key left in the environment."""
OWN_COMMAND_NOTES = {"codex": ", but without the line `env_vars`, which has no option: add it to the file yourself"}
PROJECT = Path()
MACOS = Machine("macos", Path("~"), {}, PROJECT)
LINUX = Machine("linux", Path("~"), {}, PROJECT)
WINDOWS = Machine(
    "windows",
    Path("%USERPROFILE%"),
    {"APPDATA": "%APPDATA%", "LOCALAPPDATA": "%LOCALAPPDATA%"},
    PROJECT,
)


def snippet(host: Host) -> str:
    """What `install HOST --gateway segmind --print` prints."""
    return installer.snippet(host, InstallSpec(LAUNCHER, keys={VARIABLE: SecretStr(PLACEHOLDER)}))


def per_host() -> str:
    return "\n".join(_section(host) for host in installer.HOSTS)


def lines() -> str:
    """The README's table: how to add the server to each host."""
    rows = [(host.title, f"`hailuo-mcp install {host.name}`") for host in installer.HOSTS]
    return table(("assistant", "command"), rows)


def _section(host: Host) -> str:
    parts = [f"## {host.title}\n", "```sh", f"hailuo-mcp install {host.name}", "```\n"]
    for place in host.places(LINUX):
        option = "" if place.scope == "user" else f"With `--scope {place.scope}`, the file is "
        parts.append(f"{option}{_files(host, place)}. The key is kept {host.key_storage}.\n")
        if place.scope == "user":
            parts.append(f"```{host.format.removesuffix('c')}\n{snippet(host)}```\n")
    if command := OWN_COMMANDS.get(host.name):
        parts.append(f"Its own command adds the server too{OWN_COMMAND_NOTES.get(host.name, '')}:\n")
        parts.append(f"```sh\n{command}\n```\n")
    return "\n".join([*parts, f"{host.next_step} Format: <{host.docs_url}>.\n"])


def _files(host: Host, place: Place) -> str:
    """One path where it is the same everywhere, else one for each system."""

    def path(machine: Machine) -> str:
        found = host.place(place.scope, machine)
        assert found
        return str(found.path)

    if place.scope == "project":
        return f"`{path(LINUX)}` in the directory you are in"
    windows = path(WINDOWS).replace("/", "\\")
    same = path(MACOS) == path(LINUX)
    first = f"`{path(LINUX)}`" if same else f"`{path(MACOS)}` (macOS), `{path(LINUX)}` (Linux)"
    return f"{first}, `{windows}` (Windows)"

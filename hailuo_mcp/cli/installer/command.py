"""`hailuo-mcp install` and `uninstall`: this server in a host's configuration."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.installer import ConfigChange, Host, InstallSpec, Place, Scope
from hailuo_mcp.cli.installer.install_env import SANDBOX, gateway_names, install_env
from hailuo_mcp.cli.output import PROGRAM, Field, print_fields, print_json, remarks, results
from hailuo_mcp.core.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])
PORTABLE = installer.Launcher("uvx", (PROGRAM,), fetches=True)
"""What others can start too, where their host finds uvx."""
DIFF_STYLES = {"+": "green", "-": "red"}


def _common(command: F) -> F:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document; changes nothing without --yes."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
        click.option("--name", default=installer.NAME, show_default=True, help="What the server is called there."),
        click.option(
            "--scope",
            type=click.Choice(["user", "project"]),
            default="user",
            show_default=True,
            help="Your own configuration, or that of the project in this directory.",
        ),
        click.argument("host", type=click.Choice([host.name for host in installer.all()])),
    ):
        command = option(command)
    return command


@click.command()
@_common
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    type=click.Choice(gateway_names()),
    help="Whose key goes along; may be given more than once. Default: those whose key is set now.",
)
@click.option("--sandbox/--no-sandbox", default=None, help="Let the sandbox answer, and no gateway; or no longer.")
@click.option("--portable", is_flag=True, help=f"Write `uvx {PROGRAM}` instead of a path of this machine.")
@click.option("--print", "prints", is_flag=True, help="Only print the entry, to be pasted; touches nothing.")
def install(
    host: str,
    scope: Scope,
    name: str,
    yes: bool,
    as_json: bool,
    gateways: tuple[str, ...],
    sandbox: bool | None,
    portable: bool,
    prints: bool,
) -> Exit:
    """Add this server to a host's configuration, or bring it up to date there.

    Shows what will change, asks, and keeps the file as it was beside it. Other servers, comments and layout stay. A key
    is taken from the environment, or asked for and typed unseen; it stays out of the file where the host has another
    place for it. What is set now of HAILUO_MCP_… goes along.

    \b
    SEGMIND_API_KEY=… hailuo-mcp install claude-desktop
    hailuo-mcp install vscode --gateway segmind --print
    """
    chosen, place = _place(host, scope)
    found = installer.detect(chosen, place)
    held = next((entry.variables for entry in found.entries if entry.name == name), ())
    along = install_env(place, gateways, held, sandbox=sandbox, prints=prints, asks=_can_ask() and not (yes or prints))
    wanted = InstallSpec(
        launcher=PORTABLE if portable else installer.launcher(),
        name=_checked(name),
        keys=along.keys,
        settings=along.settings,
        without=frozenset({SANDBOX}) if sandbox is False else frozenset(),
    )
    if prints:
        click.echo(installer.printed(chosen, place, wanted), nl=False)
        return Exit.DONE
    edited = installer.install(chosen, place, wanted)
    if place.is_shared and not portable:
        remarks().print(
            f"note:  the command is a path of this machine; --portable writes `uvx {PROGRAM}`.", style="yellow"
        )
    if not found.is_host_here:
        remarks().print(f"note:  {chosen.title} has left no trace here; the file is made all the same.", style="yellow")
    variables = [*along.keys, *(v for v in held if v.endswith("_API_KEY") and v not in along.keys)]
    key: Field = ("key", f"{', '.join(variables)}: {place.keys}" if variables else "none: the sandbox answers")
    return _carry_out(edited, place, name, [key, ("next", chosen.afterwards)], yes=yes, as_json=as_json)


@click.command()
@_common
def uninstall(host: str, scope: Scope, name: str, yes: bool, as_json: bool) -> Exit:
    """Take this server out of a host's configuration.

    Where nothing else was changed since it was installed, the file becomes what it was before, to the byte.
    """
    chosen, place = _place(host, scope)
    edited = installer.uninstall(chosen, place, name)
    return _carry_out(edited, place, name, [("next", chosen.afterwards)], yes=yes, as_json=as_json)


def _place(host: str, scope: Scope) -> tuple[Host, Place]:
    chosen = installer.find(host)
    place = chosen.place(scope)
    if place is None:
        raise InvalidInput(f"{chosen.title} has no configuration of a {scope}", "Leave --scope out.")
    return chosen, place


def _checked(name: str) -> str:
    """Hosts put a server's name before those of its tools, and some cut what is long."""
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or len(name) > 40:
        raise InvalidInput(f"--name {name!r} is not a name", "Use letters, digits, - and _, at most 40.")
    return name


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _carry_out(
    edited: ConfigChange, place: Place, name: str, closing: list[Field], *, yes: bool, as_json: bool
) -> Exit:
    """Show, ask, do, and say what was done."""
    if edited.does_something and not as_json:
        _show(edited)
    if edited.does_something and not yes:
        if not _can_ask():
            raise InvalidInput("nothing was changed, for there is nobody to ask", "Say --yes.")
        if not click.confirm("Change it so?", default=True, err=True):
            remarks().print("Nothing was changed.")
            return Exit.INTERRUPTED
    backup = edited.apply()
    if as_json:
        print_json(
            {
                "host": edited.host.name,
                "scope": place.scope,
                "name": name,
                "path": str(place.path),
                "action": edited.action,
                "changes": list(edited.changes),
                "diff": edited.diff.splitlines(),
                "backup": str(backup) if backup else None,
                **{field[0]: field[1] for field in closing},
            }
        )
        return Exit.DONE
    if not edited.does_something:
        said = "already so" if edited.action == "unchanged" else f"no server is called {name} there"
        print_fields([("file", str(place.path)), ("change", f"none: {said}")], results())
        return Exit.DONE
    done: list[Field] = [("file", str(place.path)), ("change", "\n".join(edited.changes), "green")]
    if backup:
        done.append(("before", str(backup)))
    print_fields([*done, *closing], results())
    return Exit.DONE


def _show(edited: ConfigChange) -> None:
    what = {"created": "is made", "restored": "becomes what it was" if edited.raw is not None else "is removed"}
    remarks().print(f"{edited.file.path} {what.get(edited.action, 'is changed')}:", style="bold")
    for line in edited.diff.splitlines():
        remarks().print(line, style=DIFF_STYLES.get(line[:1]))

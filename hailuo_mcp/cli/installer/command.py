"""`hailuo-mcp install` and `uninstall`: add this server to a host's configuration, and remove it."""

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from hailuo_mcp.app import load_settings
from hailuo_mcp.cli import installer
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.installer import ConfigChange, Host, InstallSpec, KeyStorage, Place, Scope
from hailuo_mcp.cli.installer.install_env import (
    GATEWAY_BY_NAME,
    SANDBOX,
    choose_gateways,
    keys_to_install,
    settings_to_install,
)
from hailuo_mcp.cli.output import (
    PROGRAM,
    Field,
    print_fields,
    print_json,
    print_warnings,
    stderr_console,
    stdout_console,
)
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.setting_values import key_variable

F = TypeVar("F", bound=Callable[..., Any])
PORTABLE = installer.Launcher("uvx", (PROGRAM,), fetches=True)
"""A command that also works on other machines, if the host finds uvx there."""
DIFF_STYLES = {"+": "green", "-": "red"}


def _common(command: F) -> F:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document; changes nothing without --yes."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
        click.option("--name", default=installer.NAME, show_default=True, help="The server's name there."),
        click.option(
            "--scope",
            type=click.Choice(["user", "project"]),
            default="user",
            show_default=True,
            help="Your own configuration, or the one of the project in this directory.",
        ),
    ):
        command = option(command)
    return command


HOST = click.Choice([host.name for host in installer.HOSTS])
HOSTS_HELP = f"HOST is one of {', '.join(HOST.choices)}."


@click.command(epilog=HOSTS_HELP)
@click.argument("host", type=HOST, required=False, metavar="[HOST]")
@_common
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    type=click.Choice(list(GATEWAY_BY_NAME)),
    help="Include this gateway's key; may be repeated. Default: the gateways whose key is set now.",
)
@click.option("--sandbox/--no-sandbox", default=None, help="Use the sandbox instead of the gateways, or stop using it.")
@click.option("--portable", is_flag=True, help=f"Write `uvx {PROGRAM}` instead of a path on this machine.")
@click.option("--print", "prints", is_flag=True, help="Only print the entry, for pasting; change nothing.")
def install(
    host: str | None,
    scope: Scope,
    name: str,
    yes: bool,
    as_json: bool,
    gateways: tuple[str, ...],
    sandbox: bool | None,
    portable: bool,
    prints: bool,
) -> Exit:
    """Add this server to a host's configuration, or bring it up to date there. Without HOST, list the hosts that are
    found on this machine.

    Shows what will change, asks, and keeps a backup next to the file. Other servers, comments and layout stay. A key is
    taken from the environment, or asked for without showing it; it stays out of the file if the host has another place
    for it. The HAILUO_MCP_… variables that are set now are included.

    \b
    SEGMIND_API_KEY=… hailuo-mcp install claude-desktop
    hailuo-mcp install vscode --gateway segmind --print
    """
    if host is None:
        return _list_hosts(as_json=as_json)
    chosen, place = _place(host, scope)
    found = installer.detect(chosen, place)
    present = next((entry.variables for entry in found.entries if entry.name == name), ())
    load_settings()  # report a wrong value here, not in the host's log
    named = [GATEWAY_BY_NAME[gateway] for gateway in dict.fromkeys(gateways)]
    if not named and not sandbox:
        named = choose_gateways(present, asks=sys.stdin.isatty() and not (yes or prints))
    spec = InstallSpec(
        launcher=PORTABLE if portable else installer.find_launcher(),
        name=_check_name(name),
        keys=keys_to_install(chosen, named, present, prints=prints),
        settings=settings_to_install(place, named, sandbox=sandbox),
        without=frozenset({SANDBOX}) if sandbox is False else frozenset(),
    )
    if prints:
        click.echo(installer.snippet(chosen, spec), nl=False)
        return Exit.DONE
    change = installer.install(chosen, place, spec)
    if place.is_shared and not portable:
        print_warnings([f"the command is a path on this machine; --portable writes `uvx {PROGRAM}`."])
    if not found.is_host_here:
        print_warnings([f"{chosen.title} was not found on this machine; the file is created anyway."])
    if chosen.key_storage in (KeyStorage.REFERENCE, KeyStorage.FORWARDED):
        unset = [key_variable(gateway.name) for gateway in named if not gateway.key_in(os.environ)]
        print_warnings(f"{variable} is not set here; the host needs it where it runs." for variable in unset)
    variables = [*spec.keys, *(v for v in present if v.endswith("_API_KEY") and v not in spec.keys)]
    key: Field = ("key", f"{', '.join(variables)}: {chosen.key_storage}" if variables else "none: the sandbox is used")
    return _carry_out(change, place, name, [key, ("next", chosen.next_step)], yes=yes, as_json=as_json)


@click.command(epilog=HOSTS_HELP)
@click.argument("host", type=HOST, metavar="HOST")
@_common
def uninstall(host: str, scope: Scope, name: str, yes: bool, as_json: bool) -> Exit:
    """Take this server out of a host's configuration.

    If nothing else has changed since it was installed, the file is restored byte for byte.
    """
    chosen, place = _place(host, scope)
    change = installer.uninstall(chosen, place, name)
    closing: list[Field] = [("next", f"Restart {chosen.title}, which may still run the server.")]
    return _carry_out(change, place, name, closing, yes=yes, as_json=as_json)


def _list_hosts(*, as_json: bool) -> Exit:
    found = [config for config in installer.detect_all() if config.place.scope == "user"]
    if as_json:
        print_json(
            {
                "hosts": [
                    {
                        "host": config.host.name,
                        "found": config.is_host_here,
                        "path": str(config.place.path),
                        "installed": any(entry.is_ours for entry in config.entries),
                        "problem": config.problem,
                    }
                    for config in found
                ]
            }
        )
        return Exit.DONE
    here = [config for config in found if config.is_host_here]
    for config in here:
        installed = "installed" if any(entry.is_ours for entry in config.entries) else "not installed"
        status = "cannot be read" if config.problem else installed
        click.echo(f"{config.host.name:<15} {status:<15} {config.place.path}")
    others = ", ".join(config.host.name for config in found if not config.is_host_here)
    if here:
        click.echo(f"\nAdd the server with `{PROGRAM} install HOST`. Not found here: {others}.")
    else:
        click.echo(f"No supported host was found on this machine. `{PROGRAM} install HOST` adds the server anyway.")
        click.echo(HOSTS_HELP)
    return Exit.DONE


def _place(host: str, scope: Scope) -> tuple[Host, Place]:
    chosen = installer.find_host(host)
    place = chosen.place(scope)
    if place is None:
        raise InvalidInput(f"{chosen.title} has no {scope} configuration", "Leave out --scope.")
    return chosen, place


def _check_name(name: str) -> str:
    """Hosts prefix tool names with the server's name, and some truncate long names."""
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or len(name) > 40:
        raise InvalidInput(f"--name {name!r} is not a valid name", "Use at most 40 letters, digits, - and _.")
    return name


def _carry_out(
    change: ConfigChange, place: Place, name: str, closing: list[Field], *, yes: bool, as_json: bool
) -> Exit:
    """Show the change, ask for consent, make it, and report."""
    if change.has_effect and not as_json:
        _show(change)
    if change.has_effect and not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("nothing was changed, because no one can be asked", "Add --yes.")
        if not click.confirm("Make this change?", default=True, err=True):
            stderr_console().print("Nothing was changed.")
            return Exit.INTERRUPTED
    backup = change.apply()
    if as_json:
        print_json(
            {
                "host": change.host.name,
                "scope": place.scope,
                "name": name,
                "path": str(place.path),
                "action": change.action,
                "changes": list(change.changes),
                "diff": change.diff.splitlines(),
                "backup": str(backup) if backup else None,
                **{field[0]: field[1] for field in closing},
            }
        )
        return Exit.DONE
    if not change.has_effect:
        reason = "already up to date" if change.action == "unchanged" else f"there is no server {name}"
        print_fields([("file", str(place.path)), ("change", f"none: {reason}")], stdout_console())
        return Exit.DONE
    lines: list[Field] = [("file", str(place.path)), ("change", "\n".join(change.changes), "green")]
    if backup:
        lines.append(("backup", str(backup)))
    print_fields([*lines, *closing], stdout_console())
    return Exit.DONE


def _show(change: ConfigChange) -> None:
    what = {"created": "is created", "restored": "is restored" if change.raw is not None else "is removed"}
    stderr_console().print(f"{change.file.path} {what.get(change.action, 'is changed')}:", style="bold")
    for line in change.diff.splitlines():
        stderr_console().print(line, style=DIFF_STYLES.get(line[:1]))

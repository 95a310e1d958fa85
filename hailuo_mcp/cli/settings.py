"""`hailuo-mcp settings`: the environment variables, and which are set."""

import os

import click

from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.options import json_option
from hailuo_mcp.cli.output import print_json, stdout_console
from hailuo_mcp.core.setting_values import key_variable, url_variable
from hailuo_mcp.core.settings import variables
from hailuo_mcp.gateways import GATEWAYS


@click.command()
@json_option
def settings(as_json: bool) -> Exit:
    """List the environment variables, and which are set.

    Values are not shown, since some are secrets.
    """
    rows = [{"variable": name, "set": _is_set(name), "meaning": meaning} for name, meaning in described()]
    if as_json:
        print_json({"settings": rows})
        return Exit.DONE
    from rich.table import Table

    table = Table("variable", "set", "meaning", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(str(row["variable"]), "yes" if row["set"] else "", str(row["meaning"]))
    stdout_console().print(table)
    return Exit.DONE


def _is_set(variable: str) -> bool:
    """Whether the variable is set, under any of its names, or names a file that contains its value."""
    aliases = next((g.key_aliases for g in GATEWAYS if variable == key_variable(g.name)), ())
    return any(os.environ.get(name, "").strip() for name in (variable, f"{variable}_FILE", *aliases))


def described() -> list[tuple[str, str]]:
    """Every variable with its description: the keys, the gateways' addresses, then the rest."""
    keys: list[tuple[str, str]] = []
    addresses: list[tuple[str, str]] = []
    for gateway in GATEWAYS:
        also = "".join(f" {alias} is read too." for alias in gateway.key_aliases)
        keys.append((key_variable(gateway.name), f"Key of {gateway.title}; unset: its models are not offered.{also}"))
        for purpose, default in gateway.hosts.items():
            first = f"Address of {gateway.title}'s {'API' if purpose == 'base' else purpose} (`{default}`)."
            own = " If the base address is set, it defaults to that." if purpose != "base" else ""
            addresses.append((url_variable(gateway.name, purpose), first + own))
    return [*keys, *addresses, *variables().items()]

"""Which keys and settings of this environment are installed with the server.

A key is never taken from the command line, where every process could read it: it comes from the environment, or from a
prompt that does not echo it.
"""

import os
import sys
from collections.abc import Collection, Sequence

import click
from pydantic import SecretStr

from hailuo_mcp.app import load_settings
from hailuo_mcp.cli.installer import Host, KeyStorage, Place, may_be_shown
from hailuo_mcp.cli.output import print_warnings
from hailuo_mcp.core.environment import OLD_CATALOG_VARIABLE
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.setting_values import PREFIX, key_variable, url_variable
from hailuo_mcp.core.settings import variables
from hailuo_mcp.gateways import GATEWAYS, Gateway

GATEWAY_BY_NAME = {gateway.name: gateway for gateway in GATEWAYS}
SANDBOX = f"{PREFIX}SANDBOX"
HTTP_ONLY = f"{PREFIX}HTTP_TOKENS"


def choose_gateways(present: Collection[str], *, asks: bool) -> Sequence[type[Gateway]]:
    """The gateways whose keys are set now, else those that the user names. `present`: the variables that the entry
    already has."""
    with_key = [gateway for gateway in GATEWAYS if gateway.key_in(os.environ)]
    if with_key or not asks or any(variable.endswith("_API_KEY") for variable in present):
        return with_key
    return _ask_which()


def keys_to_install(
    host: Host, gateways: Sequence[type[Gateway]], present: Collection[str], *, prints: bool
) -> dict[str, SecretStr]:
    """Variable to key of these gateways; the key is empty if the file will not contain it, and a placeholder with
    `prints`. A key that the entry already has need not be set again.

    Raises:
        SettingsError: the user entered something that is not a key.
        InvalidInput: a key is needed, and the user cannot be asked.
    """
    keys: dict[str, SecretStr] = {}
    for gateway in gateways:
        variable = key_variable(gateway.name)
        if host.key_storage is not KeyStorage.IN_FILE:
            keys[variable] = SecretStr("")
        elif prints:
            keys[variable] = SecretStr(f"YOUR_{variable}")
        elif key := gateway.key_in(os.environ):
            keys[variable] = SecretStr(key)
        elif variable not in present:
            keys[variable] = _ask_for(variable)
    return keys


def settings_to_install(place: Place, gateways: Sequence[type[Gateway]], *, sandbox: bool | None) -> dict[str, str]:
    """For the user's own file, the settings that are set now: the URLs of these gateways, so that their keys are sent
    to the same servers as from here, and our own variables, such as a budget."""
    names = [url_variable(gateway.name, purpose) for gateway in gateways for purpose in gateway.hosts]
    names += [*variables(), OLD_CATALOG_VARIABLE]
    chosen: dict[str, str] = {}
    for name in names if not place.is_shared else ():
        value = os.environ.get(name, "").strip()
        if not value or name == HTTP_ONLY or (name == SANDBOX and sandbox is not None):
            continue
        if may_be_shown(name, value):
            chosen[name] = value
        else:
            print_warnings([f"{name} may contain a password and is left out; set it in the host's file yourself."])
    if sandbox:
        chosen[SANDBOX] = "1"
    return chosen


def _ask_which() -> Sequence[type[Gateway]]:
    known = ", ".join(GATEWAY_BY_NAME)
    question = f"Gateways you have a key for, out of {known} (Enter: none, use the sandbox)"
    answer = str(click.prompt(question, default="", show_default=False, err=True))
    named = [name for part in answer.split(",") if (name := part.strip().lower())]
    if unknown := [name for name in named if name not in GATEWAY_BY_NAME]:
        raise InvalidInput(f"there is no gateway {unknown[0]!r}", f"Use one of {known}.")
    return [GATEWAY_BY_NAME[name] for name in named]


def _ask_for(variable: str) -> SecretStr:
    """Ask for a key without echoing it."""
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"{variable} is not set", "Set it in the environment, or run this on a terminal to be asked."
        )
    question = f"{variable} (not shown)"
    value = str(click.prompt(question, hide_input=True, default="", show_default=False, err=True)).strip()
    load_settings({variable: value})
    if not value:
        raise InvalidInput(f"no {variable} was given", "Leave the gateway out, or give its key.")
    return SecretStr(value)

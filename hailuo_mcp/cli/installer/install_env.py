"""Which keys and settings of this environment are installed with the server.

A key is never taken from the command line, where every process could read it: it comes from the environment, or from a
prompt that does not echo it.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import click
from pydantic import SecretStr

from hailuo_mcp.app import load_settings
from hailuo_mcp.cli.installer import KeyStorage, Place, may_be_shown
from hailuo_mcp.cli.output import stderr_console
from hailuo_mcp.core.environment import OLD_CATALOG_VARIABLE
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import variables
from hailuo_mcp.gateways import GATEWAYS

SANDBOX = f"{PREFIX}SANDBOX"
HTTP_ONLY = f"{PREFIX}HTTP_TOKENS"


@dataclass(frozen=True, slots=True)
class InstallEnv:
    keys: Mapping[str, SecretStr]
    settings: Mapping[str, str]


def key_variable(gateway: str) -> str:
    return f"{gateway.upper()}_API_KEY"


def gateway_names() -> tuple[str, ...]:
    return tuple(gateway.name for gateway in GATEWAYS)


def install_env(
    place: Place, gateways: Iterable[str], present: Iterable[str], *, sandbox: bool | None, prints: bool, asks: bool
) -> InstallEnv:
    """The keys of these `gateways`, else those that are set now, else those the user enters; and for the user's own
    file, the other settings of this server that are set now.

    `present`: the variables that the entry already has; `prints`: a placeholder suffices for a key.

    Raises:
        SettingsError: a value is wrong.
        InvalidInput: a key is needed, and the user cannot be asked.
    """
    load_settings()  # report a wrong value here, not in the host's log
    named = tuple(dict.fromkeys(gateways))
    if not named and not sandbox:
        named = tuple(name for name in gateway_names() if is_set(key_variable(name)))
        if not named and asks and not any(variable.endswith("_API_KEY") for variable in present):
            named = _ask_which()
    keys: dict[str, SecretStr] = {}
    for name in named:
        variable = key_variable(name)
        if place.key_storage is not KeyStorage.IN_FILE:
            keys[variable] = SecretStr("")
        elif prints:
            keys[variable] = SecretStr(f"YOUR_{variable}")
        elif value := _set(variable):
            keys[variable] = SecretStr(value)
        elif variable not in present:
            keys[variable] = _ask_for(variable)
    settings = {} if place.is_shared else _settings(named)
    if sandbox is not None:
        settings.pop(SANDBOX, None)
    return InstallEnv(keys, settings | ({SANDBOX: "1"} if sandbox else {}))


def _settings(gateways: Iterable[str]) -> dict[str, str]:
    """The URLs of these gateways, so that their keys are sent to the same servers as from here, and our own variables,
    such as a budget."""
    names = [
        f"{gateway.name.upper()}_{purpose.upper()}_URL"
        for gateway in GATEWAYS
        if gateway.name in gateways
        for purpose in gateway.hosts
    ]
    names += [name for name in (*variables(), OLD_CATALOG_VARIABLE) if name != HTTP_ONLY]
    chosen: dict[str, str] = {}
    for name in names:
        value = _set(name)
        if value and may_be_shown(name, value):
            chosen[name] = value
        elif value:
            message = f"{name} may contain a password and is left out; set it in the host's file yourself."
            stderr_console().print(f"note:  {message}")
    return chosen


def is_set(variable: str) -> bool:
    return bool(_set(variable))


def _set(variable: str) -> str:
    gateway = next((gateway for gateway in GATEWAYS if key_variable(gateway.name) == variable), None)
    return gateway.key_in(os.environ) if gateway else os.environ.get(variable, "").strip()


def _ask_which() -> tuple[str, ...]:
    known = gateway_names()
    answer = str(
        click.prompt(
            f"Gateways you have a key for, out of {', '.join(known)} (Enter: none, use the sandbox)",
            default="",
            show_default=False,
            err=True,
        )
    )
    named = tuple(part.strip().lower() for part in answer.split(",") if part.strip())
    if unknown := [name for name in named if name not in known]:
        raise InvalidInput(f"there is no gateway {unknown[0]!r}", f"Use one of {', '.join(known)}.")
    return named


def _ask_for(variable: str) -> SecretStr:
    """Ask for a key without echoing it.

    Raises:
        InvalidInput: the user cannot be asked, or entered nothing.
        SettingsError: the input is not a key.
    """
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"{variable} is not set", "Set it in the environment, or run this on a terminal to be asked."
        )
    value = str(
        click.prompt(f"{variable} (not shown)", hide_input=True, default="", show_default=False, err=True)
    ).strip()
    load_settings({variable: value})
    if not value:
        raise InvalidInput(f"no {variable} was given", "Leave the gateway out, or give its key.")
    return SecretStr(value)

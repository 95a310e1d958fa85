"""What a host is: data, and the shape of an entry in its configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from hailuo_mcp.cli.installer.machine import Machine

Scope = Literal["user", "project"]
Format = Literal["json", "jsonc", "toml"]
"""`json` is strict, as `JSON.parse` reads it; `jsonc` has comments and trailing commas."""


class Keys(StrEnum):
    """Where a key is kept. A member's value says it to people."""

    WRITTEN = "in the file, which is made readable by you alone: the host has no other place for it"
    CLAUDE_REFERENCE = "in your environment: the file only names the variable, for it is shared with others"
    CURSOR_REFERENCE = "in your environment: the file only names the variable"
    FORWARDED = "in your environment: the file only names the variable, and the host passes it on"
    PROMPTED = "in the host's secret store: it asks once, when it first starts the server"


@dataclass(frozen=True, slots=True)
class Place:
    """One configuration file that a host reads."""

    scope: Scope
    path: Path
    keys: Keys

    @property
    def is_shared(self) -> bool:
        """Whether the file may be seen by others, as in a repository."""
        return self.scope == "project"


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    """As the command line names it."""
    title: str
    format: Format
    servers: str
    """The key of the object that maps a server's name to its entry."""
    always: Mapping[str, str]
    """What every entry holds besides `command`, `args` and `env`."""
    when_fetched: Mapping[str, Any]
    """What an entry holds besides where the package may have to be fetched first, which takes a while."""
    find_places: Callable[[Machine], tuple[Place, ...]]
    afterwards: str
    """What the user does next, so that the host starts the server."""
    documented_at: str

    def places(self, machine: Machine | None = None) -> tuple[Place, ...]:
        """The files it reads on this machine, the user's own first."""
        return self.find_places(machine or Machine.here())

    def place(self, scope: Scope, machine: Machine | None = None) -> Place | None:
        """None: the host has no such scope."""
        return next((place for place in self.places(machine) if place.scope == scope), None)

"""What is known about a host: which files it reads, and the format of its entries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from hailuo_mcp.cli.installer.machine import Machine

Scope = Literal["user", "project"]
Format = Literal["json", "jsonc", "toml", "yaml"]
"""`json` is strict, as `JSON.parse` reads it; `jsonc` has comments and trailing commas."""


class KeyStorage(StrEnum):
    """Where a key is kept. A member's value is the text shown to users."""

    IN_FILE = "in the file, which only you can read: the host has no other place for it"
    REFERENCE = "in your environment, where it has to stay set: the file only names the variable"
    FORWARDED = (
        "in your environment, where it has to stay set: the file only names the variable, and the host passes it on"
    )
    PROMPTED = "in the host's secret store: it asks once, when it first starts the server"


@dataclass(frozen=True, slots=True)
class EntryShape:
    """The names of an entry's fields."""

    command: str = "command"
    args: str | None = "args"
    """None if `command` is a list that starts with the program."""
    env: str = "env"
    forwarded: str = "env_vars"
    """The variables that the host passes on from its own environment."""
    reference: str = "${{env:{variable}}}"
    """How a value of `env` refers to a variable of the host's environment."""


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration file that a host reads."""

    scope: Scope
    path: Path

    @property
    def is_shared(self) -> bool:
        """Whether others may see the file, as in a repository."""
        return self.scope == "project"


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    """Its name on the command line."""
    title: str
    format: Format
    key_storage: KeyStorage
    user_file: Callable[[Machine], Path]
    next_step: str
    """What the user does to make the host start the server."""
    docs_url: str
    project_file: Callable[[Machine], Path] | None = None
    trailing_commas: bool = True
    """Whether the host accepts trailing commas, if it accepts comments."""
    servers_key: str = "mcpServers"
    """The key of the object that maps server names to entries."""
    shape: EntryShape = EntryShape()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What a new entry contains besides command and variables. The user's changes to it are kept."""
    extra_when_fetched: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What an entry also contains if the package may have to be downloaded first, which takes a while."""

    def places(self, machine: Machine | None = None) -> tuple[Place, ...]:
        """The files it reads on this machine, the user's own first."""
        machine = machine or Machine.here()
        user = Place("user", self.user_file(machine))
        return (user, Place("project", self.project_file(machine))) if self.project_file else (user,)

    def place(self, scope: Scope, machine: Machine | None = None) -> Place | None:
        """The place for a scope; None if the host has no such scope."""
        return next((place for place in self.places(machine) if place.scope == scope), None)

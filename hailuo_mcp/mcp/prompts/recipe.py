"""What a prompt is made of."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from hailuo_mcp.service.session import Session

Given = Mapping[str, str]
"""Arguments by name, without the empty ones: hosts send the fields that a person left blank."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a prompt asks for; `suggests` gives the values worth offering, from the other arguments given so far."""

    name: str
    title: str
    description: str
    longest: int
    required: bool = False
    suggests: Callable[[Session, Given], Awaitable[Sequence[str]]] | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """One prompt: its definition, and what writes its text."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    write: Callable[[Session, Given], Awaitable[list[str]]]

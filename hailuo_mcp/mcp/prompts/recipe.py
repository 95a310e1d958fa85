"""What a prompt is made of: arguments, and a function that writes its text."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.service.session import Session

Given = Mapping[str, str]
"""Arguments by name, without empty ones: hosts also send the fields that the user left blank."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a prompt; `suggest` returns values for it, given the other arguments so far."""

    name: str
    title: str
    description: str | Callable[[Catalog], str]
    """For `prompts/list`; a function if it depends on the models."""
    max_length: int | None
    """In characters; None for a video prompt, whose limit depends on the model."""
    required: bool = False
    suggest: Callable[[Session, Given], Awaitable[Sequence[str]]] | None = None

    def described(self, catalog: Catalog) -> str:
        return self.description if isinstance(self.description, str) else self.description(catalog)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One prompt: its definition, and the function that writes its text, line by line."""

    name: str
    title: str
    description: str
    arguments: tuple[Argument, ...]
    write: Callable[[Session, Given], Awaitable[list[str]]]

"""The parts of a tool: a pydantic class for its arguments, a definition, and the function that runs it."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Self, TypeVar

import mcp_types
from mcp_types import CallToolResult, Icon, TextContent, ToolAnnotations
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.arguments import REQUIRED, check_names, present
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import JsonSchema
from hailuo_mcp.core.text import describe, repr_short
from hailuo_mcp.mcp.schemas import input_schema, output_schema
from hailuo_mcp.mcp.wait_limit import WaitLimit
from hailuo_mcp.service.confirmation import Confirm, cannot_ask
from hailuo_mcp.service.session import Session

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""Reports the progress of a call: progress so far, the expected total or None, and a short message."""
DIGITS_MAX = 20
"""The maximum length of a number sent as a string: Python refuses to parse very long ones."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, with its arguments as the client sent them."""

    session: Session
    arguments: Mapping[str, Any]
    progress: Progress | None
    """None if the caller wants no progress."""
    wait_limit: WaitLimit = field(default_factory=WaitLimit)
    """How long this caller can wait."""
    confirm: Confirm = cannot_ask
    """Asks the user to confirm a paid job, if the settings require it."""


# --- arguments ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hint:
    """Metadata of an argument: what to pass if the value is wrong or missing."""

    text: str


def _whole_number(value: object) -> object:
    """Accept whole numbers as strings or floats, as models send them."""
    if isinstance(value, str) and re.fullmatch(rf"\s*[0-9]{{1,{DIGITS_MAX}}}\s*", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def number(value: object) -> object:
    """Accept numbers as strings, with or without a dollar sign."""
    if isinstance(value, str) and re.fullmatch(rf"\s*\$?[0-9]{{1,{DIGITS_MAX}}}(\.[0-9]{{1,{DIGITS_MAX}}})?\s*", value):
        return float(value.strip().removeprefix("$"))
    return float(value) if type(value) is int and abs(value) < 10**DIGITS_MAX else value


ACCEPT_STRINGS = BeforeValidator(_whole_number)
"""Metadata of a strict integer; put it after the bounds."""
RequestIdText = Annotated[
    object,  # the session parses it and explains what is wrong with it
    Field(description="From generate_video."),
    WithJsonSchema({"type": "string"}),
    Hint("Pass the request_id of generate_video; list_jobs shows recent ones."),
]


class Arguments(BaseModel):
    """The arguments of one tool. Every field has a description for the schema, and a `Hint` if its value can be wrong;
    a flag's hint is the same for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def schema_for(cls, catalog: Catalog) -> JsonSchema:
        """The input schema, given the usable models."""
        del catalog  # the arguments of most tools do not depend on the models
        return input_schema(cls)

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Validate a call's arguments; null, "" and [] for an optional one count as not given.

        Raises:
            InvalidInput: an argument is unknown, missing or wrong; the message names it with its value.
        """
        required = [name for name, field in cls.model_fields.items() if field.is_required()]
        # pydantic fails on a lone surrogate in a name before it can call the name unknown.
        readable = {name.encode(errors="backslashreplace").decode(): value for name, value in given.items()}
        arguments = present(readable, [*required, *REQUIRED])
        if cls.model_config.get("extra") == "forbid":
            names = check_names(arguments, cls.model_fields, "There is no argument")
            missing = [name for name in required if name not in names.known]
            if names.problems:
                raise cls._unknown(names.problems, missing)
        try:
            return cls.model_validate(arguments)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            raise cls._refusal(details, arguments) from None

    @classmethod
    def _unknown(cls, problems: Sequence[tuple[str, str]], missing: Sequence[str]) -> InvalidInput:
        """The error for unknown arguments, with a fix for each that has an obvious replacement."""
        wrong = [f"{problem}." for problem, _ in problems] + [f"{name} is missing." for name in missing]
        fixes = [f"{fix[:1].upper()}{fix[1:]}." for _, fix in problems if "pass it as" in fix]
        takes = f"This tool takes {', '.join(cls.model_fields)}."
        return InvalidInput(" ".join(wrong), " ".join([*fixes, takes]))

    @classmethod
    def _refusal(cls, details: Sequence[ErrorDetails], given: Mapping[str, Any]) -> InvalidInput:
        kinds = {str(error["loc"][0]): error["type"] for error in details}
        missing = [name for name, kind in kinds.items() if kind == "missing"]
        if wrong := next((name for name in kinds if name not in missing), None):
            wanted = _wanted(input_schema(cls)["properties"][wrong])
            return InvalidInput(f"{wrong} must be {wanted}, got {repr_short(given[wrong])}.", cls._hint(wrong))
        return InvalidInput(" ".join(f"{name} is missing." for name in missing), cls._hint(missing[0]))

    @classmethod
    def _hint(cls, name: str) -> str | None:
        field = cls.model_fields[name]
        if field.annotation is bool:
            return f"Pass {name} as true or false, or leave it out."
        return next((each.text for each in field.metadata if isinstance(each, Hint)), None)


def _wanted(schema: JsonSchema) -> str:
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "number":
        return "a number of at least 0"
    return describe(schema)


# --- tools --------------------------------------------------------------------------------------------------------

A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[A]):
    """A tool: its definition in `tools/list`, and the function that runs it."""

    name: str
    title: str
    description: str
    arguments: type[A]
    result: type[BaseModel]
    """The structured content of a successful result."""
    run: Callable[[A, Call], Awaitable[CallToolResult]]
    """Raises HailuoError if the call fails."""
    read_only: bool
    destructive: bool = False
    """Hosts ask the user before such a call."""
    idempotent: bool = True
    icon: str = ""
    """An SVG as a `data:` URI. Usually empty, because every token of `tools/list` counts: hosts then show the server's
    icon."""
    open_world: bool = True
    """Whether it may send requests to a gateway."""
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Refers hosts with MCP Apps to the view that shows the result."""

    def definition(self, catalog: Catalog) -> mcp_types.Tool:
        return mcp_types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments.schema_for(catalog),
            output_schema=output_schema(self.result),
            icons=[Icon(src=self.icon)] if self.icon else None,
            annotations=ToolAnnotations(
                read_only_hint=self.read_only,
                destructive_hint=self.destructive,
                idempotent_hint=self.idempotent,
                open_world_hint=self.open_world,
            ),
            _meta=dict(self.meta) or None,
        )

    async def call(self, call: Call) -> CallToolResult:
        return await self.run(self.arguments.parse(call.arguments), call)


# --- results ------------------------------------------------------------------------------------------------------


def answer(
    view: BaseModel, text: str, *, exclude_none: bool = False, meta: dict[str, Any] | None = None
) -> CallToolResult:
    """The view as structured content, and as text for hosts that show the model only text. `meta` is for the player."""
    facts = view.model_dump(mode="json", exclude_none=exclude_none)
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=facts, is_error=False, _meta=meta
    )

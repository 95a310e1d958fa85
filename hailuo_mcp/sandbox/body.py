"""Strict reading of a request's JSON body: a field that is not documented is refused by name."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from starlette.requests import Request

Check = Callable[[object], None]
"""Raises `Invalid` with a predicate to follow the name of the field."""

MAX_PROMPT = 2000
RATIOS = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
"""Those of H3."""
_REFERENCES_MAX = 12


class Invalid(ValueError):
    """The body does not match the gateway's documentation; the message names the field and the rule."""


@dataclass(frozen=True, slots=True)
class Field:
    check: Check
    required: bool = False


async def read_json(request: Request) -> object:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Invalid("Content-Type must be application/json")
    try:
        return cast("object", json.loads(await request.body()))
    except (ValueError, RecursionError):
        raise Invalid("the body is not valid JSON") from None


def read_fields(body: object, fields: Mapping[str, Field], within: str = "") -> dict[str, object]:
    """The body as an object that has every required field, no unknown one, and only valid values."""
    if not isinstance(body, dict):
        raise Invalid(f"{within or 'the body'} must be a JSON object")
    values = cast("dict[str, object]", body)
    prefix = f"{within}." if within else ""
    for name in values:
        if name not in fields:
            raise Invalid(f"{prefix}{name} is not a parameter of this model")
    for name, field in fields.items():
        if name in values:
            try:
                field.check(values[name])
            except Invalid as refusal:
                raise Invalid(f"{prefix}{name} {refusal}") from None
        elif field.required:
            raise Invalid(f"{prefix}{name} is required")
    return values


def text(value: object) -> None:
    if not isinstance(value, str):
        raise Invalid("must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid("must be valid Unicode") from None


def prompt_of(most: int) -> Check:
    def check(value: object) -> None:
        text(value)
        if not str(value).strip():
            raise Invalid("must not be empty")
        if len(str(value)) > most:
            raise Invalid(f"must have at most {most} characters")

    return check


prompt = prompt_of(MAX_PROMPT)


def boolean(value: object) -> None:
    if not isinstance(value, bool):
        raise Invalid("must be a boolean")


def web_url(value: object) -> None:
    text(value)
    try:
        parts = urlsplit(str(value))
    except ValueError:
        raise Invalid("must be a valid URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("must be a URL that starts with http:// or https://")


def one_of(*allowed: str) -> Check:
    def check(value: object) -> None:
        if not isinstance(value, str) or value not in allowed:
            raise Invalid(f"must be one of {', '.join(allowed)}")

    return check


def whole(*allowed: int, as_string: bool = False) -> Check:
    """One of these integers, not a boolean; `as_string`: also as a string, if a documented sample sends one."""

    def check(value: object) -> None:
        if as_string and isinstance(value, str) and value in map(str, allowed):
            return
        if type(value) is not int:
            raise Invalid("must be an integer")
        if value not in allowed:
            raise Invalid(f"must be one of {', '.join(map(str, allowed))}")

    return check


def between(least: int, most: int) -> Check:
    """Any integer in this range, not a boolean."""

    def check(value: object) -> None:
        if type(value) is not int or not least <= value <= most:
            raise Invalid(f"must be an integer from {least} to {most}")

    return check


def integer(value: object) -> None:
    if type(value) is not int:
        raise Invalid("must be an integer")


def list_of(check: Check, most: int | None = None) -> Check:
    def check_each(value: object) -> None:
        if not isinstance(value, list) or not value:
            raise Invalid("must be a list of at least one entry")
        entries = cast("list[object]", value)
        if most is not None and len(entries) > most:
            raise Invalid(f"must have at most {most} entries")
        for entry in entries:
            check(entry)

    return check_each


def nullable(check: Check) -> Check:
    def check_unless_null(value: object) -> None:
        if value is not None:
            check(value)

    return check_unless_null


def count_references(values: Mapping[str, object], names: Iterable[str]) -> dict[str, int]:
    """The number of H3 references for each of these names. Raises `Invalid` if there are too many in total."""
    counts = {name: len(cast("list[object]", values.get(name, []))) for name in names}
    if sum(counts.values()) > _REFERENCES_MAX:
        raise Invalid(f"there are more than {_REFERENCES_MAX} references")
    return counts


def anything(value: object) -> None:
    """For a field that is checked elsewhere."""

"""TOML, edited in place. A new entry is appended to the file as a separate table, which leaves the rest unchanged;
tomlkit makes every other change and keeps comments and layout."""

import tomllib
from collections.abc import MutableMapping, Sequence
from typing import Any, cast

import tomlkit

from hailuo_mcp.cli.installer.values import Key, as_object, nested, newline_of, value_at, with_last_newline


def parse(text: str) -> dict[str, Any]:
    """
    Raises:
        ValueError: it is not TOML; the message gives the line and column.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def put(text: str, path: Sequence[Key], value: Any) -> str:
    """The text with `value` at `path`; missing tables on the path are created. `text` must be valid for `parse`.

    Raises:
        ValueError: something on the path is not a table.
    """
    newline = newline_of(text)
    if as_object(value) is not None and value_at(parse(text), path) is None:
        before = with_last_newline(text)
        table = tomlkit.dumps(nested(path, value))  # pyright: ignore[reportUnknownMemberType] # its keywords have no types
        appended = before + (newline if before else "") + table.replace("\n", newline)
        try:
            if value_at(parse(appended), path) == value:
                return appended
        except ValueError:
            pass  # a table cannot be added to an inline table
    document = tomlkit.parse(text)
    _table_at(document, path[:-1])[path[-1]] = value
    return document.as_string().replace("\r\n", "\n").replace("\n", newline)


def drop(text: str, path: Sequence[Key]) -> str:
    """The text without the item at `path`.

    Raises:
        KeyError: there is none.
        ValueError: as `put`.
    """
    document = tomlkit.parse(text)
    del _table_at(document, path[:-1])[path[-1]]
    return document.as_string()


def _table_at(document: tomlkit.TOMLDocument, path: Sequence[Key]) -> MutableMapping[Key, Any]:
    """The table, created if it is missing."""
    table = cast(MutableMapping[Key, Any], document)
    for key in path:
        item = table.setdefault(key, {})
        if not isinstance(item, MutableMapping):
            raise ValueError(f'"{key}" is not a table')
        table = cast(MutableMapping[Key, Any], item)
    return table

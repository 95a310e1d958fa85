"""A TOML file with the line of every value, for error messages: neither tomllib nor tomlkit reports positions."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hailuo_mcp.core.setting_values import SettingsError

BYTES_MAX = 1024 * 1024
Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
OLD_KEYS: Mapping[str, str] = {
    "summary": "makes",
    "body_format": "shape",
    "rule": "says",
    "wire_name": "wire",
    "sends_null": "null_sent",
    "fix_hint": "cure",
}
"""Keys to their names in earlier versions, which are still accepted."""
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


class WrongEntry(Exception):
    """An error at a place in the file, and its fix."""

    def __init__(self, place: Place, message: str, *, is_gap: bool = False) -> None:
        super().__init__(message)
        self.place = place
        self.is_gap = is_gap
        """Whether something is missing rather than wrong."""


@dataclass(frozen=True, slots=True)
class Document:
    path: Path
    lines: Mapping[Place, int]
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Raises SettingsError: the file cannot be read, or is not TOML."""
        try:
            with path.open("rb") as file:
                content = file.read(BYTES_MAX + 1)
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}; correct it, or remove the file") from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise SettingsError(f"{path}:{line}: this is not UTF-8; save the file in that encoding") from None
        if len(content) > BYTES_MAX:
            raise SettingsError(f"{path}: is larger than {BYTES_MAX // 1024} KB; split it into several files")
        try:
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            where = _WHERE.search(str(error))
            line = int(where["line"]) if where and where["line"] else len(text.rstrip("\n").split("\n"))
            reason = _WHERE.sub("", str(error))
            raise SettingsError(f"{path}:{line}: this is not TOML: {reason}; correct this line") from None
        return cls(path, _lines(text), values)

    def refusal(self, wrong: WrongEntry) -> SettingsError:
        """One line with the file, the line number, the error and its fix."""
        return SettingsError(f"{self.path}:{self.line_of(wrong.place)}: {wrong}")

    def line_of(self, place: Place) -> int:
        """The line where this value begins; for a missing value, the line of its table."""
        for length in range(len(place), 0, -1):
            *table, key = place[:length]
            for name in (key, OLD_KEYS.get(str(key), key)):
                if line := self.lines.get((*table, name)):
                    return line
        return 1


def _lines(text: str) -> dict[Place, int]:
    """The first line of every key and table of a valid file. A statement is the shortest run of lines that is TOML by
    itself."""
    found: dict[Place, int] = {}
    arrays: dict[Place, int] = {}
    table: Place = ()
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        start = start if statement else number
        statement += f"{line}\n"
        try:
            values = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = _table(values, arrays)
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], start)
        else:
            for keys in _keys(values):
                found.setdefault((*table, *keys), start)
        statement = ""
    return found


def _table(header: Mapping[str, Any], arrays: dict[Place, int]) -> Place:
    """The place that a table header opens, with the index of the current table in each array along the path. `arrays`
    holds those indexes, and is incremented when the header opens another table."""
    place: tuple[str | int, ...] = ()
    inner: object = header
    while isinstance(inner, dict) and inner:
        ((key, inner),) = cast("dict[str, object]", inner).items()
        place += (key,)
        if isinstance(inner, list):
            arrays[place] = arrays.get(place, -1) + 1
        if place in arrays:
            place += (arrays[place],)
    return place


def _keys(values: Mapping[str, Any]) -> Iterator[Place]:
    for key, value in values.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *keys) for keys in _keys(cast("dict[str, Any]", value)))

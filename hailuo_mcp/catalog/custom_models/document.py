"""A TOML file whose values know their lines. No well-kept TOML library tells where a value stands; but a value stands
where the file must have been read up to for it to appear."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hailuo_mcp.core.settings import SettingsError

BYTES_MAX = 1024 * 1024
Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
_WHERE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


class WrongEntry(Exception):
    """What is wrong at a place of the file, and the cure."""

    def __init__(self, place: Place, message: str, *, is_gap: bool = False) -> None:
        super().__init__(message)
        self.place = place
        self.is_gap = is_gap
        """Whether something is not there, rather than wrong."""


@dataclass(frozen=True, slots=True)
class Document:
    path: Path
    lines: Sequence[str]
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Raises SettingsError: the file cannot be read, or is no TOML."""
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
        lines = text.split("\n")
        try:
            return cls(path, lines, tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            where = _WHERE.search(str(error))
            line = int(where["line"]) if where and where["line"] else len(text.rstrip("\n").split("\n"))
            said = _WHERE.sub("", str(error))
            raise SettingsError(f"{path}:{line}: this is not TOML: {said}; correct this line") from None

    def refusal(self, wrong: WrongEntry) -> SettingsError:
        """One line: file, line, what is wrong, and the cure."""
        return SettingsError(f"{self.path}:{self.line_of(wrong.place)}: {wrong}")

    def line_of(self, place: Place) -> int:
        """The line where the value at this place begins; where there is none, that of what it is missing in."""
        while place and not _holds(self.values, place):
            place = place[:-1]
        if not place:
            return 1
        there = bisect_left(range(len(self.lines) + 1), True, key=lambda end: _holds(self._read_to(end)[1], place))
        return self._read_to(there - 1)[0] + 1

    def _read_to(self, end: int) -> tuple[int, Mapping[str, Any]]:
        """The longest beginning of at most so many lines that is TOML by itself: its length, and its values. Half a
        statement is none, so that it ends between two."""
        for length in range(end, 0, -1):
            try:
                return length, tomllib.loads("\n".join(self.lines[:length]) + "\n")
            except tomllib.TOMLDecodeError:
                continue
        return 0, {}


def _holds(value: object, place: Place) -> bool:
    for step in place:
        if isinstance(step, str) and isinstance(value, Mapping) and step in value:
            value = cast("Mapping[str, object]", value)[step]
        elif isinstance(step, int) and isinstance(value, list) and step < len(cast("list[object]", value)):
            value = cast("list[object]", value)[step]
        else:
            return False
    return True

"""Where the values, comments and trailing commas of a JSON document are.

Comments and trailing commas are blanked out, which leaves plain JSON with every character at its position; the standard
library's decoder then finds where each value ends. No Python library does this: those that keep comments either rewrite
the whole document or need Node.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hailuo_mcp.cli.installer.values import Key, newline_of

_STRING = r'"(?:[^"\\\r\n]|\\.)*"'
_COMMENT = re.compile(rf"{_STRING}|(?P<comment>//[^\r\n]*|/\*.*?\*/)", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|(?P<comma>,)(?=[ \t\r\n]*[\]}}])", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_NEWLINE = re.compile(r"[^\r\n]")


def refuse_constant(constant: str) -> NoReturn:
    """For the decoder, which would accept `NaN` and `Infinity`."""
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


@dataclass(frozen=True, slots=True)
class Member:
    """One item of an object or array: the offsets of its key (in an array, of its value), of its value, and its end."""

    key: Key
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class Container:
    """An object or array: the offsets of its brackets, and its members."""

    start: int
    closing: int
    members: tuple[Member, ...]

    def get(self, key: Key) -> Member | None:
        found = [member for member in self.members if member.key == key]
        if len(found) > 1:
            raise ValueError(f'the key "{key}" occurs twice')
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Document:
    """A text, and what is where in it."""

    text: str
    plain: str
    """The text with comments and trailing commas blanked out."""
    comments: dict[int, int]
    """The start and end of each comment."""
    trailing: set[int]
    """The offsets of the trailing commas."""

    @property
    def is_multiline(self) -> bool:
        """Whether the document spans several lines or is empty."""
        return "\n" in self.text.strip() or not self.plain.strip()[1:-1].strip()

    @property
    def root(self) -> Container:
        return self.container_at(self.skip_space(0))

    @property
    def indent_unit(self) -> str:
        """One step of indentation, taken from the document's first item."""
        root = self.root
        own = self.indent_at(root.members[0].start) if root.members and self.is_spread(root) else ""
        return own or "  "

    def skip_space(self, at: int) -> int:
        matched = _SPACE.match(self.plain, at)
        return matched.end() if matched else at

    def indent_at(self, position: int) -> str:
        """The white space at the start of this position's line."""
        line = self.text[self.text.rfind("\n", 0, position) + 1 : position]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def is_spread(self, container: Container) -> bool:
        """Whether the first member is on a different line from the bracket before it."""
        return "\n" in self.text[container.start : container.members[0].start]

    def trailing_comma_of(self, container: Container) -> int | None:
        last = container.members[-1]
        return next((at for at in self.trailing if last.end <= at < container.closing), None)

    def dump(self, value: Any, indent: str | None) -> str:
        """`value` as JSON: on one line, or on several, all but the first of which begin with `indent`."""
        if indent is None:
            return json.dumps(value, ensure_ascii=False)
        lines = json.dumps(value, indent=self.indent_unit, ensure_ascii=False)
        return lines.replace("\n", newline_of(self.text) + indent)

    def container_at(self, at: int) -> Container:
        """
        Raises:
            ValueError: neither an object nor an array starts at this offset.
        """
        plain, start, is_object = self.plain, at, self.plain[at] == "{"
        if not is_object and plain[at] != "[":
            line = plain.count("\n", 0, at) + 1
            raise ValueError(f"line {line} has neither an object nor an array where one is expected")
        closing = "}" if is_object else "]"
        members: list[Member] = []
        at = self.skip_space(at + 1)
        while plain[at] != closing:
            began, key = at, len(members)
            if is_object:
                key, at = _DECODER.raw_decode(plain, at)
                at = self.skip_space(self.skip_space(at) + 1)
            value = at
            _, at = _DECODER.raw_decode(plain, at)
            members.append(Member(key, began, value, at))
            at = self.skip_space(at)
            if plain[at] == ",":
                at = self.skip_space(at + 1)
        return Container(start, at, tuple(members))


def scan(text: str) -> Document:
    """The document of a text; what is not valid JSON shows only when it is decoded."""
    comments = {found.start(): found.end() for found in _COMMENT.finditer(text) if found["comment"]}
    plain = _COMMENT.sub(lambda found: _NOT_NEWLINE.sub(" ", found[0]) if found["comment"] else found[0], text)
    commas = [found.start() for found in _LAST_COMMA.finditer(plain) if found["comma"]]
    # A comma without an item before it is not a trailing one, but invalid.
    trailing = {at for at in commas if plain[:at].rstrip()[-1:] not in ("", "[", "{", ",", ":")}
    for at in trailing:
        plain = f"{plain[:at]} {plain[at + 1 :]}"
    return Document(text, plain, comments, trailing)


def locate(document: Document, path: Sequence[Key]) -> tuple[Container, Member | None, int]:
    """The innermost existing container on the path, its member there, and the depth of that member's key. The member is
    None if there is nothing at that depth."""
    container, depth = document.root, 0
    while (member := container.get(path[depth])) is not None and depth < len(path) - 1:
        container, depth = document.container_at(member.value), depth + 1
    return container, member, depth

"""Where things stand in JSON with comments and trailing commas.

Comments and trailing commas are blanked out, so that what is left is plain JSON with every character where it was; the
standard library's decoder then says where each value ends. No library was found to do this: the ones that keep comments
either need Node, or write the whole document anew.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from hailuo_mcp.cli.installer.values import as_object

Key = str | int

_TOKEN = re.compile(r'"(?:[^"\\\r\n]|\\.)*"|//[^\r\n]*|/\*.*?\*/|[,\]}]', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_NEWLINE = re.compile(r"[^\r\n]")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


@dataclass(frozen=True, slots=True)
class Member:
    """One item of an object or array: where its key (in an array, its value) starts, its value starts, and it ends."""

    key: Key
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class Container:
    """An object or array: its members, and where its closing bracket stands."""

    start: int
    closing: int
    members: tuple[Member, ...]

    def get(self, key: Key) -> Member | None:
        found = [member for member in self.members if member.key == key]
        if len(found) > 1:
            raise ValueError(f'the key "{key}" is there twice')
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    plain: str
    """The text with comments and trailing commas blanked out."""
    comments: dict[int, int]
    """Where each starts, and where it ends."""
    trailing: frozenset[int]
    """Where the trailing commas stand."""

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def indent_at(self, position: int) -> str:
        """The white space that the line of this position begins with."""
        line = self.text[self.text.rfind("\n", 0, position) + 1 : position]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def on_a_line_of_its_own(self, container: Container) -> bool:
        """Whether the first member stands on another line than the bracket before it."""
        return "\n" in self.text[container.start : container.members[0].start]

    def trailing_comma_of(self, container: Container) -> int | None:
        last = container.members[-1]
        return next((at for at in self.trailing if last.end <= at < container.closing), None)


def parse(text: str, *, comments: bool = True) -> dict[str, Any]:
    """The object in the text; an empty one where the text holds none.

    Raises:
        ValueError: it is not JSON, or no object; the message says the line and column.
    """
    plain = read(text, comments=comments).plain
    if not plain.strip():
        return {}
    try:
        value: Any = json.loads(plain, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if (found := as_object(value)) is None:
        raise ValueError("it holds no object")
    return found


def read(text: str, *, comments: bool = True) -> Document:
    if not comments:
        return Document(text, text, {}, frozenset())
    spans: dict[int, int] = {}
    trailing: set[int] = set()
    pieces: list[str] = []
    done, comma = 0, -1
    """How far the text is in `pieces`, and the last comma that nothing but space and comments has followed so far."""
    for token in _TOKEN.finditer(text):
        between = text[done : token.start()]
        pieces.append(between)
        done = token.end()
        if between.strip():
            comma = -1
        match token[0][0]:
            case "/":
                spans[token.start()] = token.end()
                pieces.append(_NOT_NEWLINE.sub(" ", token[0]))
                continue
            case ",":
                comma = -1 if comma >= 0 else token.start()
            case "]" | "}":
                if comma >= 0:
                    trailing.add(comma)
                comma = -1
            case _:
                comma = -1
        pieces.append(token[0])
    plain = "".join(pieces) + text[done:]
    trailing = {at for at in trailing if plain[:at].rstrip()[-1:] not in ("", "[", "{", ",", ":")}
    for at in trailing:
        plain = f"{plain[:at]} {plain[at + 1 :]}"
    return Document(text, plain, spans, frozenset(trailing))


def container_at(plain: str, at: int) -> Container:
    """The object or array that starts there.

    Raises:
        ValueError: something else does.
    """
    start, is_object = at, plain[at] == "{"
    if not is_object and plain[at] != "[":
        raise ValueError(
            f"line {plain.count(chr(10), 0, at) + 1} holds neither an object nor an array where one should be"
        )
    closing = "}" if is_object else "]"
    members: list[Member] = []
    at = skip(plain, at + 1)
    while plain[at] != closing:
        began, key = at, len(members)
        if is_object:
            key, at = _DECODER.raw_decode(plain, at)
            at = skip(plain, skip(plain, at) + 1)
        value = at
        _, at = _DECODER.raw_decode(plain, at)
        members.append(Member(key, began, value, at))
        at = skip(plain, at)
        if plain[at] == ",":
            at = skip(plain, at + 1)
    return Container(start, at, tuple(members))


def skip(plain: str, at: int) -> int:
    """Past white space."""
    matched = _SPACE.match(plain, at)
    return matched.end() if matched else at

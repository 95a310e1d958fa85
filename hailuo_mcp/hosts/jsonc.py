"""JSON with comments and trailing commas, changed in place: only the characters of the change are touched.

Comments and trailing commas are blanked out, so that what is left is plain JSON with every character where it was; the
standard library's decoder then says where each value ends. No library was found to do this: the ones that keep comments
either need Node, or write the whole document anew.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hailuo_mcp.hosts.values import as_object

Key = str | int
Path = Sequence[Key]

_TOKEN = re.compile(r'"(?:[^"\\\r\n]|\\.)*"|//[^\r\n]*|/\*.*?\*/|[,\]}]', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_NEWLINE = re.compile(r"[^\r\n]")
_UNIT = "  "


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


@dataclass(frozen=True, slots=True)
class _Member:
    """One item of an object or array: where its key (in an array, its value) starts, its value starts, and it ends."""

    key: Key
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Container:
    """An object or array: its members, and where its closing bracket stands."""

    start: int
    closing: int
    members: tuple[_Member, ...]

    def get(self, key: Key) -> _Member | None:
        found = [member for member in self.members if member.key == key]
        if len(found) > 1:
            raise ValueError(f'the key "{key}" is there twice')
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class _Document:
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

    def on_a_line_of_its_own(self, container: _Container) -> bool:
        """Whether the first member stands on another line than the bracket before it."""
        return "\n" in self.text[container.start : container.members[0].start]

    def trailing_comma_of(self, container: _Container) -> int | None:
        last = container.members[-1]
        return next((at for at in self.trailing if last.end <= at < container.closing), None)


def parse(text: str, *, comments: bool = True) -> dict[str, Any]:
    """The object in the text; an empty one where the text holds none.

    Raises:
        ValueError: it is not JSON, or no object; the message says the line and column.
    """
    plain = _read(text, comments=comments).plain
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


def put(text: str, path: Path, value: Any) -> str:
    """The text with `value` at `path`; objects that are missing on the way are made, and a new item goes to the end of
    its object or array. `text` is one that `parse` reads.

    Raises:
        ValueError: something on the way is no object or array, or is there twice.
    """
    document = _read(text)
    if not document.plain.strip():
        whole = json.dumps(_nested(path, value), indent=_UNIT, ensure_ascii=False).replace("\n", document.newline)
        before = text if not text or text.endswith("\n") else text + document.newline
        return before + whole + document.newline
    container = _container(document.plain, _skip(document.plain, 0))
    for depth, key in enumerate(path, 1):
        member = container.get(key)
        if member is None:
            return _insert(document, container, key, _nested(path[depth:], value))
        if depth == len(path):
            is_flat = "\n" not in text[member.value : member.end]
            written = _dump(document, value, None if is_flat else document.indent_at(member.start))
            return text[: member.value] + written + text[member.end :]
        container = _container(document.plain, member.value)
    raise ValueError("no path")


def drop(text: str, path: Path) -> str:
    """The text without what is at `path`.

    Raises:
        KeyError: nothing is there.
        ValueError: as `put`.
    """
    document = _read(text)
    container = _container(document.plain, _skip(document.plain, 0))
    for depth, key in enumerate(path, 1):
        member = container.get(key)
        if member is None:
            raise KeyError(key)
        if depth == len(path):
            return _remove(document, container, member)
        container = _container(document.plain, member.value)
    raise ValueError("no path")


def _read(text: str, *, comments: bool = True) -> _Document:
    if not comments:
        return _Document(text, text, {}, frozenset())
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
    return _Document(text, plain, spans, frozenset(trailing))


def _container(plain: str, at: int) -> _Container:
    start, is_object = at, plain[at] == "{"
    if not is_object and plain[at] != "[":
        raise ValueError(
            f"line {plain.count(chr(10), 0, at) + 1} holds neither an object nor an array where one should be"
        )
    closing = "}" if is_object else "]"
    members: list[_Member] = []
    at = _skip(plain, at + 1)
    while plain[at] != closing:
        began, key = at, len(members)
        if is_object:
            key, at = _DECODER.raw_decode(plain, at)
            at = _skip(plain, _skip(plain, at) + 1)
        value = at
        _, at = _DECODER.raw_decode(plain, at)
        members.append(_Member(key, began, value, at))
        at = _skip(plain, at)
        if plain[at] == ",":
            at = _skip(plain, at + 1)
    return _Container(start, at, tuple(members))


def _skip(plain: str, at: int) -> int:
    matched = _SPACE.match(plain, at)
    return matched.end() if matched else at


def _nested(path: Path, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value} if isinstance(key, str) else [value]
    return value


def _spread(document: _Document) -> bool:
    """Whether the document is written over several lines, or says nothing about it."""
    return "\n" in document.text.strip() or not document.plain.strip()[1:-1].strip()


def _unit(document: _Document) -> str:
    """One step of indentation, as the document's first item shows it."""
    root = _container(document.plain, _skip(document.plain, 0))
    if root.members and document.on_a_line_of_its_own(root):
        return document.indent_at(root.members[0].start) or _UNIT
    return _UNIT


def _dump(document: _Document, value: Any, indent: str | None) -> str:
    """As JSON; `indent`: over several lines, of which all but the first begin with it."""
    if indent is None:
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, indent=_unit(document), ensure_ascii=False)
    return lines.replace("\n", document.newline + indent)


def _insert(document: _Document, container: _Container, key: Key, value: Any) -> str:
    text, newline = document.text, document.newline
    label = f"{json.dumps(key, ensure_ascii=False)}: " if isinstance(key, str) else ""
    if not container.members:
        if not _spread(document):
            return text[: container.closing] + label + _dump(document, value, None) + text[container.closing :]
        base = document.indent_at(container.start)
        indent = base + _unit(document)
        item = newline + indent + label + _dump(document, value, indent) + newline + base
        return text[: container.closing].rstrip() + item + text[container.closing :]

    last = container.members[-1]
    comma = document.trailing_comma_of(container)
    end = last.end if comma is None else comma + 1
    if document.on_a_line_of_its_own(container):
        indent = document.indent_at(container.members[0].start)
        at = _after_remarks(document, end)
        item = newline + indent + label + _dump(document, value, indent)
    else:
        at, item = end, " " + label + _dump(document, value, None)
    if comma is None:
        return text[:end] + "," + text[end:at] + item + text[at:]
    return text[:at] + item + "," + text[at:]


def _after_remarks(document: _Document, at: int) -> int:
    """Past the comments that follow on the same line."""
    ahead = at
    while ahead < len(document.text) and document.text[ahead] in " \t":
        ahead += 1
    return _after_remarks(document, document.comments[ahead]) if ahead in document.comments else at


def _remove(document: _Document, container: _Container, member: _Member) -> str:
    """Without the item, the comma that it needed, and the white space before it."""
    text, plain = document.text, document.plain
    index = container.members.index(member)
    remarks_end = max((e for e in document.comments.values() if e <= member.start), default=0)
    start, end = max(len(text[: member.start].rstrip()), remarks_end), member.end
    before = text[:start]
    if index < len(container.members) - 1:
        end = plain.index(",", member.end) + 1
    elif (trailing := document.trailing_comma_of(container)) is not None:
        end = trailing + 1
    elif index:
        comma = plain.index(",", container.members[index - 1].end)
        before = text[:comma] + text[comma + 1 : start]
    elif not text[container.start + 1 : start].strip() and not text[end : container.closing].strip():
        return text[: container.start + 1] + text[container.closing :]
    rest = text[end:]
    if _ends_a_line_comment(document, start) and not rest.lstrip(" \t").startswith(("\r", "\n")):
        before += document.newline
    return before + rest


def _ends_a_line_comment(document: _Document, at: int) -> bool:
    return any(begin < at <= end and document.text.startswith("//", begin) for begin, end in document.comments.items())

"""JSON with comments and trailing commas, edited in place: only the characters of the change are touched.

Comments and trailing commas are blanked out, which leaves plain JSON with every character at its position; the standard
library's decoder then finds where each value ends. No Python library does this: those that keep comments either rewrite
the whole document or need Node.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hailuo_mcp.cli.installer.values import Key, as_object

_TOKEN = re.compile(r'"(?:[^"\\\r\n]|\\.)*"|//[^\r\n]*|/\*.*?\*/|[,\]}]', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_NOT_NEWLINE = re.compile(r"[^\r\n]")
_INDENT = "  "


def parse(text: str, *, comments: bool = True, trailing_commas: bool = True) -> dict[str, Any]:
    """The object in the text; an empty one if the text is empty. Without `comments`, only plain JSON is allowed.

    Raises:
        ValueError: it is not JSON, or not an object; the message gives the line and column.
    """
    document = _scan(text)
    if comments and not trailing_commas and document.trailing:
        at = min(document.trailing)
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise ValueError(f"line {line}, column {column}: a comma after the last item")
    plain = document.plain if comments else text
    if not plain.strip():
        return {}
    try:
        value: Any = json.loads(plain, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if (parsed := as_object(value)) is None:
        raise ValueError("it is not an object")
    return parsed


def put(text: str, path: Sequence[Key], value: Any) -> str:
    """The text with `value` at `path`. Missing objects on the path are created, and a new item is appended to its
    object or array. `text` must be valid for `parse`.

    Raises:
        ValueError: something on the path is not an object or array, or occurs twice.
    """
    document = _scan(text)
    if not document.plain.strip():
        whole = json.dumps(_nested(path, value), indent=_INDENT, ensure_ascii=False).replace("\n", document.newline)
        before = text if not text or text.endswith("\n") else text + document.newline
        return before + whole + document.newline
    container, member, depth = _locate(document, path)
    if member is None:
        return _insert(document, container, path[depth], _nested(path[depth + 1 :], value))
    is_flat = "\n" not in text[member.value : member.end]
    return (
        text[: member.value]
        + document.dump(value, None if is_flat else document.indent_at(member.start))
        + text[member.end :]
    )


def drop(text: str, path: Sequence[Key]) -> str:
    """The text without the item at `path`.

    Raises:
        KeyError: there is none.
        ValueError: as `put`.
    """
    document = _scan(text)
    container, member, depth = _locate(document, path)
    if member is None:
        raise KeyError(path[depth])
    return _remove(document, container, member)


# --- where things are ---------------------------------------------------------------------------------------------


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


@dataclass(frozen=True, slots=True)
class _Member:
    """One item of an object or array: the offsets of its key (in an array, of its value), of its value, and its end."""

    key: Key
    start: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Container:
    """An object or array: the offsets of its brackets, and its members."""

    start: int
    closing: int
    members: tuple[_Member, ...]

    def get(self, key: Key) -> _Member | None:
        found = [member for member in self.members if member.key == key]
        if len(found) > 1:
            raise ValueError(f'the key "{key}" occurs twice')
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class _Document:
    text: str
    plain: str
    """The text with comments and trailing commas blanked out."""
    comments: dict[int, int]
    """The start and end of each comment."""
    trailing: frozenset[int]
    """The offsets of the trailing commas."""

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    @property
    def is_multiline(self) -> bool:
        """Whether the document spans several lines or is empty."""
        return "\n" in self.text.strip() or not self.plain.strip()[1:-1].strip()

    @property
    def root(self) -> _Container:
        return self.container_at(self.skip_space(0))

    @property
    def indent_unit(self) -> str:
        """One step of indentation, taken from the document's first item."""
        root = self.root
        if root.members and self.is_spread(root):
            return self.indent_at(root.members[0].start) or _INDENT
        return _INDENT

    def skip_space(self, at: int) -> int:
        matched = _SPACE.match(self.plain, at)
        return matched.end() if matched else at

    def indent_at(self, position: int) -> str:
        """The white space at the start of this position's line."""
        line = self.text[self.text.rfind("\n", 0, position) + 1 : position]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def is_spread(self, container: _Container) -> bool:
        """Whether the first member is on a different line from the bracket before it."""
        return "\n" in self.text[container.start : container.members[0].start]

    def trailing_comma_of(self, container: _Container) -> int | None:
        last = container.members[-1]
        return next((at for at in self.trailing if last.end <= at < container.closing), None)

    def dump(self, value: Any, indent: str | None) -> str:
        """`value` as JSON: on one line, or on several, all but the first of which begin with `indent`."""
        if indent is None:
            return json.dumps(value, ensure_ascii=False)
        lines = json.dumps(value, indent=self.indent_unit, ensure_ascii=False)
        return lines.replace("\n", self.newline + indent)

    def container_at(self, at: int) -> _Container:
        """
        Raises:
            ValueError: neither an object nor an array starts at this offset.
        """
        plain, start, is_object = self.plain, at, self.plain[at] == "{"
        if not is_object and plain[at] != "[":
            line = plain.count("\n", 0, at) + 1
            raise ValueError(f"line {line} has neither an object nor an array where one is expected")
        closing = "}" if is_object else "]"
        members: list[_Member] = []
        at = self.skip_space(at + 1)
        while plain[at] != closing:
            began, key = at, len(members)
            if is_object:
                key, at = _DECODER.raw_decode(plain, at)
                at = self.skip_space(self.skip_space(at) + 1)
            value = at
            _, at = _DECODER.raw_decode(plain, at)
            members.append(_Member(key, began, value, at))
            at = self.skip_space(at)
            if plain[at] == ",":
                at = self.skip_space(at + 1)
        return _Container(start, at, tuple(members))


def _scan(text: str) -> _Document:
    comments: dict[int, int] = {}
    trailing: set[int] = set()
    pieces: list[str] = []
    done, comma = 0, -1
    """The length of text already in `pieces`, and the last comma followed only by space and comments so far."""
    for token in _TOKEN.finditer(text):
        between = text[done : token.start()]
        done = token.end()
        is_comment = token[0][0] == "/"
        pieces += [between, _NOT_NEWLINE.sub(" ", token[0]) if is_comment else token[0]]
        if between.strip():
            comma = -1
        if is_comment:
            comments[token.start()] = token.end()
        elif token[0] == ",":
            comma = -1 if comma >= 0 else token.start()
        else:
            if comma >= 0 and token[0] in "]}":
                trailing.add(comma)
            comma = -1
    plain = "".join(pieces) + text[done:]
    trailing = {at for at in trailing if plain[:at].rstrip()[-1:] not in ("", "[", "{", ",", ":")}
    for at in trailing:
        plain = f"{plain[:at]} {plain[at + 1 :]}"
    return _Document(text, plain, comments, frozenset(trailing))


def _locate(document: _Document, path: Sequence[Key]) -> tuple[_Container, _Member | None, int]:
    """The innermost existing container on the path, its member there, and the depth of that member's key. The member is
    None if there is nothing at that depth."""
    container = document.root
    for depth, key in enumerate(path):
        member = container.get(key)
        if member is None or depth == len(path) - 1:
            return container, member, depth
        container = document.container_at(member.value)
    raise ValueError("the path is empty")


# --- edits --------------------------------------------------------------------------------------------------------


def _nested(path: Sequence[Key], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value} if isinstance(key, str) else [value]
    return value


def _insert(document: _Document, container: _Container, key: Key, value: Any) -> str:
    text, newline = document.text, document.newline
    label = f"{json.dumps(key, ensure_ascii=False)}: " if isinstance(key, str) else ""
    if not container.members:
        if not document.is_multiline:
            return text[: container.closing] + label + document.dump(value, None) + text[container.closing :]
        base = document.indent_at(container.start)
        indent = base + document.indent_unit
        item = newline + indent + label + document.dump(value, indent) + newline + base
        return text[: container.closing].rstrip() + item + text[container.closing :]

    comma = document.trailing_comma_of(container)
    end = container.members[-1].end if comma is None else comma + 1
    if document.is_spread(container):
        indent = document.indent_at(container.members[0].start)
        at = _after_comments(document, end)
        item = newline + indent + label + document.dump(value, indent)
    else:
        at, item = end, " " + label + document.dump(value, None)
    if comma is None:
        return text[:end] + "," + text[end:at] + item + text[at:]
    return text[:at] + item + "," + text[at:]


def _after_comments(document: _Document, at: int) -> int:
    """The position after the comments that follow on the same line."""
    ahead = at
    while ahead < len(document.text) and document.text[ahead] in " \t":
        ahead += 1
    return _after_comments(document, document.comments[ahead]) if ahead in document.comments else at


def _remove(document: _Document, container: _Container, member: _Member) -> str:
    """The text without the item, its comma, and the white space before it."""
    text, plain = document.text, document.plain
    index = container.members.index(member)
    last_comment = max((end for end in document.comments.values() if end <= member.start), default=0)
    start, end = max(len(text[: member.start].rstrip()), last_comment), member.end
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

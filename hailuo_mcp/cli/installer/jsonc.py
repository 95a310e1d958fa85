"""JSON with comments and trailing commas, changed in place: only the characters of the change are touched."""

import json
from collections.abc import Sequence
from typing import Any

from hailuo_mcp.cli.installer.layout import Container, Document, Key, Member, container_at, parse, read, skip

__all__ = ["drop", "parse", "put"]

Path = Sequence[Key]
_UNIT = "  "


def put(text: str, path: Path, value: Any) -> str:
    """The text with `value` at `path`; objects that are missing on the way are made, and a new item goes to the end of
    its object or array. `text` is one that `parse` reads.

    Raises:
        ValueError: something on the way is no object or array, or is there twice.
    """
    document = read(text)
    if not document.plain.strip():
        whole = json.dumps(_nested(path, value), indent=_UNIT, ensure_ascii=False).replace("\n", document.newline)
        before = text if not text or text.endswith("\n") else text + document.newline
        return before + whole + document.newline
    container = container_at(document.plain, skip(document.plain, 0))
    for depth, key in enumerate(path, 1):
        member = container.get(key)
        if member is None:
            return _insert(document, container, key, _nested(path[depth:], value))
        if depth == len(path):
            is_flat = "\n" not in text[member.value : member.end]
            written = _dump(document, value, None if is_flat else document.indent_at(member.start))
            return text[: member.value] + written + text[member.end :]
        container = container_at(document.plain, member.value)
    raise ValueError("no path")


def drop(text: str, path: Path) -> str:
    """The text without what is at `path`.

    Raises:
        KeyError: nothing is there.
        ValueError: as `put`.
    """
    document = read(text)
    container = container_at(document.plain, skip(document.plain, 0))
    for depth, key in enumerate(path, 1):
        member = container.get(key)
        if member is None:
            raise KeyError(key)
        if depth == len(path):
            return _remove(document, container, member)
        container = container_at(document.plain, member.value)
    raise ValueError("no path")


def _nested(path: Path, value: Any) -> Any:
    for key in reversed(path):
        value = {key: value} if isinstance(key, str) else [value]
    return value


def _spread(document: Document) -> bool:
    """Whether the document is written over several lines, or says nothing about it."""
    return "\n" in document.text.strip() or not document.plain.strip()[1:-1].strip()


def _unit(document: Document) -> str:
    """One step of indentation, as the document's first item shows it."""
    root = container_at(document.plain, skip(document.plain, 0))
    if root.members and document.on_a_line_of_its_own(root):
        return document.indent_at(root.members[0].start) or _UNIT
    return _UNIT


def _dump(document: Document, value: Any, indent: str | None) -> str:
    """As JSON; `indent`: over several lines, of which all but the first begin with it."""
    if indent is None:
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, indent=_unit(document), ensure_ascii=False)
    return lines.replace("\n", document.newline + indent)


def _insert(document: Document, container: Container, key: Key, value: Any) -> str:
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


def _after_remarks(document: Document, at: int) -> int:
    """Past the comments that follow on the same line."""
    ahead = at
    while ahead < len(document.text) and document.text[ahead] in " \t":
        ahead += 1
    return _after_remarks(document, document.comments[ahead]) if ahead in document.comments else at


def _remove(document: Document, container: Container, member: Member) -> str:
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


def _ends_a_line_comment(document: Document, at: int) -> bool:
    return any(begin < at <= end and document.text.startswith("//", begin) for begin, end in document.comments.items())

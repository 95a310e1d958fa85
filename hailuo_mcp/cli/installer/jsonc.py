"""JSON with comments and trailing commas, edited in place: only the characters of the change are touched."""

import json
from collections.abc import Sequence
from typing import Any

from hailuo_mcp.cli.installer.json_document import Container, Document, Member, locate, refuse_constant, scan
from hailuo_mcp.cli.installer.values import Key, as_object, nested, newline_of, with_last_newline


def parse(text: str, *, comments: bool = True, trailing_commas: bool = True) -> dict[str, Any]:
    """The object in the text; an empty one if the text is empty. Without `comments`, only plain JSON is allowed.

    Raises:
        ValueError: it is not JSON, or not an object; the message gives the line and column.
    """
    document = scan(text)
    if comments and not trailing_commas and document.trailing:
        at = min(document.trailing)
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise ValueError(f"line {line}, column {column}: a comma after the last item")
    plain = document.plain if comments else text
    if not plain.strip():
        return {}
    try:
        value: Any = json.loads(plain, parse_constant=refuse_constant)
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
    document = scan(text)
    if not document.plain.strip():
        return put(with_last_newline(text) + "{}" + newline_of(text), path, value)
    container, member, depth = locate(document, path)
    if member is None:
        return _insert(document, container, path[depth], nested(path[depth + 1 :], value))
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
    document = scan(text)
    container, member, depth = locate(document, path)
    if member is None:
        raise KeyError(path[depth])
    return _remove(document, container, member)


def _insert(document: Document, container: Container, key: Key, value: Any) -> str:
    text, newline = document.text, newline_of(document.text)
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


def _after_comments(document: Document, at: int) -> int:
    """The position after the comments that follow on the same line."""
    ahead = at
    while ahead < len(document.text) and document.text[ahead] in " \t":
        ahead += 1
    return _after_comments(document, document.comments[ahead]) if ahead in document.comments else at


def _remove(document: Document, container: Container, member: Member) -> str:
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
        before += newline_of(text)
    return before + rest


def _ends_a_line_comment(document: Document, at: int) -> bool:
    return any(begin < at <= end and document.text.startswith("//", begin) for begin, end in document.comments.items())

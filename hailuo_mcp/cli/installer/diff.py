"""A change as a diff for display. A configuration also contains the keys of other servers: every text is masked unless
it is known to be harmless, and unchanged lines are not shown."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hailuo_mcp.cli.installer.config_file import ConfigFile
from hailuo_mcp.cli.installer.entry import may_be_shown
from hailuo_mcp.cli.installer.hosts import Host
from hailuo_mcp.cli.installer.values import as_list, as_object

MASK = "…"
_WIDTH = 160
_QUOTED = r""""(?:[^"\\]|\\.)*"|'[^']*'"""
_TEXT = re.compile(rf"(?P<text>{_QUOTED})(?P<is_key>\s*[:=])?|(?P<comment>//|/\*|\#).*")
# In YAML, a text needs no quotes; it ends at ": ", and a comment begins with " #".
_PLAIN = r"""(?!-\s)[^\s\[\]{},:\#"'](?:[^\s\[\]{},:]|:(?=\S)|[ \t]+(?=[^\s\[\]{},:\#]))*"""
_YAML_TEXT = re.compile(rf"(?P<text>{_QUOTED}|{_PLAIN})(?P<is_key>\s*:(?=\s|$))?|(?P<comment>\#).*")
_YAML_CONSTANTS = re.compile(r"true|false|null|\d{1,4}")


def masked_diff(host: Host, file: ConfigFile, text: str, ours: Iterable[Mapping[str, Any]]) -> str:
    """`ours` are entries whose texts may be shown, except for keys."""
    harmless = {shown for entry in ours for shown in _harmless(host, entry)}
    lines = difflib.unified_diff(file.text.splitlines(), text.splitlines(), n=0, lineterm="")
    return "\n".join(_masked(host, line, harmless) for line in list(lines)[2:] if not line.startswith("@@"))


def _masked(host: Host, line: str, harmless: set[str]) -> str:
    def shown(match: re.Match[str]) -> str:
        if match["comment"]:
            return f"{match['comment']} {MASK}"
        text = match["text"]
        quote = text[0] if text[0] in "\"'" else ""
        try:
            value = json.loads(text) if quote == '"' else text[1:-1] if quote else text
        except ValueError:
            value = None
        is_constant = not quote and _YAML_CONSTANTS.fullmatch(text)
        return match[0] if match["is_key"] or is_constant or value in harmless else f"{quote}{MASK}{quote}"

    pattern = _YAML_TEXT if host.format == "yaml" else _TEXT
    line = line[0] + pattern.sub(shown, line[1:])
    return line if len(line) <= _WIDTH else line[:_WIDTH] + MASK


def _harmless(host: Host, entry: Mapping[str, Any]) -> Iterable[str]:
    for variable, value in (as_object(entry.get(host.shape.env)) or {}).items():
        if may_be_shown(variable, str(value)):
            yield str(value)
    shape = host.shape
    for key in (shape.command, shape.args, shape.forwarded, "type", "name", "tools", "id", "description"):
        value = entry.get(key or "")
        for text in as_list(value) or [value]:
            if isinstance(text, str):
                yield text

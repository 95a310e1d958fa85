"""A change as lines to look at. A configuration holds the keys of other servers too: every text is masked but those
known to be harmless, and no line is shown that stays as it is."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hailuo_mcp.cli.installer.files import ConfigFile
from hailuo_mcp.cli.installer.shape import may_be_shown
from hailuo_mcp.cli.installer.values import as_list, as_object

MASK = "…"
WIDTH = 160
_TEXT = re.compile(r"""(?P<text>"(?:[^"\\]|\\.)*"|'[^']*')(?P<is_key>\s*[:=])?|(?P<remark>//|/\*|\#).*""")


def masked_diff(file: ConfigFile, text: str, form: str, ours: Iterable[Mapping[str, Any]]) -> str:
    """`ours` are entries whose texts may be shown, but for keys."""
    harmless = {shown for held in ours for shown in _harmless(held)}
    lines = difflib.unified_diff(file.text.splitlines(), text.splitlines(), "now", "then", n=0, lineterm="")
    return "\n".join(_masked(line, harmless) for line in list(lines)[2:] if not line.startswith("@@"))


def _masked(line: str, harmless: set[str]) -> str:
    def shown(match: re.Match[str]) -> str:
        if match["remark"]:
            return f"{match['remark']} {MASK}"
        quote = match["text"][0]
        try:
            value = json.loads(match["text"]) if quote == '"' else match["text"][1:-1]
        except ValueError:
            value = None
        return match[0] if match["is_key"] or value in harmless else f"{quote}{MASK}{quote}"

    line = _TEXT.sub(shown, line)
    return line if len(line) <= WIDTH else line[:WIDTH] + MASK


def _harmless(held: Any) -> Iterable[str]:
    if (entry := as_object(held)) is not None:
        for variable, value in (as_object(entry.get("env")) or {}).items():
            if may_be_shown(variable, str(value)):
                yield str(value)
        for key in ("type", "command", "args", "env_vars", "id", "description"):
            yield from _harmless(entry.get(key))
    for value in as_list(held) or ():
        yield from _harmless(value)
    if isinstance(held, str):
        yield held

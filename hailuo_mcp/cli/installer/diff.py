"""A change as a diff for display. A configuration also contains the keys of other servers: every text is masked unless
it is known to be harmless, and unchanged lines are not shown."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hailuo_mcp.cli.installer.config_file import ConfigFile
from hailuo_mcp.cli.installer.entry import may_be_shown
from hailuo_mcp.cli.installer.values import as_list, as_object

MASK = "…"
_WIDTH = 160
_TEXT = re.compile(r"""(?P<text>"(?:[^"\\]|\\.)*"|'[^']*')(?P<is_key>\s*[:=])?|(?P<comment>//|/\*|\#).*""")


def masked_diff(file: ConfigFile, text: str, ours: Iterable[Mapping[str, Any]]) -> str:
    """`ours` are entries whose texts may be shown, except for keys."""
    harmless = {shown for entry in ours for shown in _harmless(entry)}
    lines = difflib.unified_diff(file.text.splitlines(), text.splitlines(), n=0, lineterm="")
    return "\n".join(_masked(line, harmless) for line in list(lines)[2:] if not line.startswith("@@"))


def _masked(line: str, harmless: set[str]) -> str:
    def shown(match: re.Match[str]) -> str:
        if match["comment"]:
            return f"{match['comment']} {MASK}"
        quote = match["text"][0]
        try:
            value = json.loads(match["text"]) if quote == '"' else match["text"][1:-1]
        except ValueError:
            value = None
        return match[0] if match["is_key"] or value in harmless else f"{quote}{MASK}{quote}"

    line = _TEXT.sub(shown, line)
    return line if len(line) <= _WIDTH else line[:_WIDTH] + MASK


def _harmless(value: Any) -> Iterable[str]:
    if (entry := as_object(value)) is not None:
        for variables in ("env", "environment", "envs"):
            for variable, text in (as_object(entry.get(variables)) or {}).items():
                if may_be_shown(variable, str(text)):
                    yield str(text)
        for key in ("type", "command", "args", "env_vars", "env_keys", "tools", "id", "description"):
            yield from _harmless(entry.get(key))
    for item in as_list(value) or ():
        yield from _harmless(item)
    if isinstance(value, str):
        yield value

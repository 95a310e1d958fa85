"""A configuration as text, in the host's format: reading it, and editing it in place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hailuo_mcp.cli.installer import jsonc, toml, yaml
from hailuo_mcp.cli.installer.hosts import Host
from hailuo_mcp.cli.installer.values import Key


@dataclass(frozen=True, slots=True)
class Edit:
    path: tuple[Key, ...]
    value: Any = None
    drops: bool = False


def parse_text(host: Host, text: str) -> dict[str, Any]:
    """The data, in which a missing section for servers is an empty one: a TOML table that only contains tables
    disappears with the last one.

    Raises:
        ValueError: the host could not parse it.
    """
    match host.format:
        case "toml":
            data = toml.parse(text)
        case "yaml":
            data = yaml.parse(text)
        case "json" | "jsonc":
            data = jsonc.parse(text, comments=host.format == "jsonc", trailing_commas=host.trailing_commas)
    return {host.servers_key: {}, **data}


def apply_edits(host: Host, text: str, edits: Sequence[Edit]) -> str:
    """Raises ValueError or LookupError if the text has no place for one of them."""
    editor = toml if host.format == "toml" else yaml if host.format == "yaml" else jsonc
    for edit in edits:
        text = editor.drop(text, edit.path) if edit.drops else editor.put(text, edit.path, edit.value)
    return text

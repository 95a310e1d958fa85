"""The view that hosts with MCP Apps show beside a job: one HTML file, and the `_meta` that leads a host to it."""

import re
from collections.abc import Iterable
from typing import Any

PLAYER_URI = "ui://hailuo/player.html"
ICON_TYPE = "image/svg+xml"
EXTENSION = "io.modelcontextprotocol/ui"
_ORIGIN = re.compile(r"https?://(?P<host>[A-Za-z0-9._-]+)(:[0-9]{1,5})?(?=[/?#]|$)")
MIME_TYPE = "text/html;profile=mcp-app"
"""What the content type of every view must be; hosts render no other."""


def player_html() -> str:
    """The document, read when a host asks for it: most calls come from hosts that show no views."""
    from importlib.resources import files  # start-up time

    return (files(__name__) / "player.html").read_text(encoding="utf-8")


def icon_uri() -> str:
    """The icon as a `data:` URI: hosts take it without asking any other server."""
    from base64 import b64encode  # start-up time
    from importlib.resources import files

    return f"data:{ICON_TYPE};base64,{b64encode((files(__name__) / 'icon.svg').read_bytes()).decode()}"


def tool_meta() -> dict[str, Any]:
    """The `_meta` of a tool whose results the view shows.

    The flat key is the form of before 2026-01-26. The specification calls it deprecated, but hosts of that time read
    only it, and newer ones ignore it.
    """
    return {"ui": {"resourceUri": PLAYER_URI}, "ui/resourceUri": PLAYER_URI}


def origins(links: Iterable[str]) -> set[str]:
    """Where clips come from, fit to stand in a policy: hosts put them there as they are."""
    found = (_ORIGIN.match(link) for link in links)
    return {match[0] for match in found if match and not match["host"].endswith(".invalid")}


def resource_meta(video_origins: Iterable[str]) -> dict[str, Any]:
    """The `_meta` of the resource, as listed and as read.

    The view may load clips from `video_origins` (scheme, host and port) and nothing else from anywhere: it has no
    other resources, and connects to nobody. From other origins it falls back to reading the clip from this server.
    """
    return {"ui": {"csp": {"resourceDomains": sorted(set(video_origins))}, "prefersBorder": True}}

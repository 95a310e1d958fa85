"""The player that hosts with MCP Apps show beside a job: one HTML document, made of the files in `view/`, and the
`_meta` that refers hosts to it."""

import re
from collections.abc import Iterable
from typing import Any

PLAYER_URI = "ui://hailuo/player.html"
ICON_TYPE = "image/svg+xml"
EXTENSION = "io.modelcontextprotocol/ui"
CAN_CANCEL = "hailuo-mcp/can_cancel"
"""Key in the `_meta` of a result whose job can still be cancelled."""
_ORIGIN = re.compile(r"https?://(?P<host>[A-Za-z0-9._-]+)(:[0-9]{1,5})?(?=[/?#]|$)")
_PART = re.compile(r"^/\*= (?P<name>[a-z]+\.(?:css|js)) \*/$", re.MULTILINE)
"""A line of the document in whose place a file beside it is put. All scripts share one scope."""
MIME_TYPE = "text/html;profile=mcp-app"
"""The content type that every view must have; hosts render no other."""


def player_html() -> str:
    """The document, with its styles and scripts put in. Read on demand, since most hosts show no views."""
    from importlib.resources import files  # start-up time

    view = files(__name__) / "view"

    def part(match: re.Match[str]) -> str:
        return (view / match["name"]).read_text(encoding="utf-8").rstrip()

    return _PART.sub(part, (view / "player.html").read_text(encoding="utf-8"))


def icon_uri() -> str:
    """The icon as a `data:` URI, so that hosts need no other request."""
    from base64 import b64encode  # start-up time
    from importlib.resources import files

    return f"data:{ICON_TYPE};base64,{b64encode((files(__name__) / 'icon.svg').read_bytes()).decode()}"


def tool_meta() -> dict[str, Any]:
    """The `_meta` of a tool whose results the player shows.

    The flat key is the form before 2026-01-26: deprecated, but the only one that older hosts read.
    """
    return {"ui": {"resourceUri": PLAYER_URI}, "ui/resourceUri": PLAYER_URI}


def job_meta(*, can_cancel: bool) -> dict[str, Any] | None:
    """The `_meta` of a result with a job: what the player may offer beyond what the job itself says."""
    return {CAN_CANCEL: True} if can_cancel else None


def origins(links: Iterable[str]) -> set[str]:
    """The origins of these links that are safe in a content security policy, where hosts insert them unchanged."""
    found = (_ORIGIN.match(link) for link in links)
    return {match[0] for match in found if match and not match["host"].endswith(".invalid")}


def resource_meta(video_origins: Iterable[str]) -> dict[str, Any]:
    """The `_meta` of the resource, as listed and as read.

    The player may load clips from `video_origins` (scheme, host and port) and nothing else: it has no other resources
    and opens no connections. A clip from another origin it reads from this server.
    """
    return {"ui": {"csp": {"resourceDomains": sorted(set(video_origins))}, "prefersBorder": True}}

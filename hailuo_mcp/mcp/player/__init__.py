"""The player that hosts with MCP Apps show beside a job: one HTML document, made of the files in `view/`, and the
`_meta` that refers hosts to it."""

import re
from collections.abc import Iterable
from typing import Any

from hailuo_mcp.core.job import Job, utc_now
from hailuo_mcp.service.session import Session

PLAYER_URI = "ui://hailuo/player.html"
ICON_TYPE = "image/svg+xml"
EXTENSION = "io.modelcontextprotocol/ui"
CAN_CANCEL, CAN_CONTINUE, HAS_POSTER = "hailuo-mcp/can_cancel", "hailuo-mcp/can_continue", "hailuo-mcp/has_poster"
"""Keys in the `_meta` of a result with a job: it can still be cancelled; a next shot can begin with its last frame; the
resource `hailuo://posters/{request_id}` may show how it begins."""
BALANCE = "hailuo-mcp/balance"
"""The same: what the account held when it was last asked, in its own currency or credits."""
ROWS = "hailuo-mcp/rows"
"""Key in the `_meta` of a list of jobs: for each, in the same order, its price and times and the keys above."""
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


def gallery_meta() -> dict[str, Any]:
    """The same for a list of jobs, in the new form alone: every key is paid for in each list of the tools."""
    return {"ui": {"resourceUri": PLAYER_URI}}


def job_meta(session: Session, job: Job) -> dict[str, Any] | None:
    """The `_meta` of a result with a job: what the player may offer beyond what the job itself says."""
    offers = {
        CAN_CANCEL: session.may_cancel(job),
        CAN_CONTINUE: session.may_continue(job),
        HAS_POSTER: session.has_poster(job),
    }
    meta: dict[str, Any] = {key: True for key, offered in offers.items() if offered}
    if (balance := session.account.last_balance(job)) is not None:
        meta[BALANCE] = balance
    return meta or None


def list_meta(session: Session, jobs: Iterable[Job]) -> dict[str, Any]:
    """The `_meta` of a list of jobs: what the gallery shows of each, and the assistant has no use for."""
    now = utc_now()
    return {
        ROWS: [
            {
                "cost_usd": job.cost_usd,
                "estimated_cost_usd": job.estimated_cost_usd,
                "elapsed_seconds": round(job.elapsed_seconds(now), 1),
                "estimated_seconds": job.estimated_seconds,
                "not_charged": job.not_charged,
                "sandbox": job.sandbox,
                **(job_meta(session, job) or {}),
            }
            for job in jobs
        ]
    }


def origins(links: Iterable[str]) -> set[str]:
    """The origins of these links that are safe in a content security policy, where hosts insert them unchanged."""
    found = (_ORIGIN.match(link) for link in links)
    return {match[0] for match in found if match and not match["host"].endswith(".invalid")}


def resource_meta(video_origins: Iterable[str], upload_origins: Iterable[str] = ()) -> dict[str, Any]:
    """The `_meta` of the resource, as listed and as read.

    The player may load clips from `video_origins` (scheme, host and port), upload images to `upload_origins`, and
    nothing else: it has no other resources and opens no other connections. A clip from another origin it reads from
    this server.
    """
    csp = {"resourceDomains": sorted(set(video_origins))}
    if uploads := sorted(set(upload_origins)):
        csp["connectDomains"] = uploads
    return {"ui": {"csp": csp, "prefersBorder": True}}

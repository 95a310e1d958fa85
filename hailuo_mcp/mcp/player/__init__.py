"""The player that hosts with MCP Apps show with a job: one HTML document, made of the files in `view/`, and the
`_meta` that refers hosts to it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hailuo_mcp.core.job import Job, utc_now
from hailuo_mcp.service.session import Session

PLAYER_URI = "ui://hailuo/player.html"
ICON_TYPE = "image/svg+xml"
EXTENSION = "io.modelcontextprotocol/ui"
CAN_CANCEL, CAN_CONTINUE, HAS_POSTER = "hailuo-mcp/can_cancel", "hailuo-mcp/can_continue", "hailuo-mcp/has_poster"
"""Keys in the `_meta` of a result with a job: the job can still be cancelled; another shot can continue from its last
frame; the resource `hailuo://posters/{request_id}` may have its first frame."""
BALANCE = "hailuo-mcp/balance"
"""Key in the same `_meta`: the account's last known balance, in the gateway's currency or credits."""
ROWS = "hailuo-mcp/rows"
"""Key in the `_meta` of a list of jobs: for each job, in the same order, its price, its times and the keys above."""
GALLERY_META: Mapping[str, Any] = {"ui": {"resourceUri": PLAYER_URI}}
"""The `_meta` of a tool whose results the player shows as a gallery."""
JOB_META: Mapping[str, Any] = {**GALLERY_META, "ui/resourceUri": PLAYER_URI}
"""The same for a job. The flat key is the format before 2026-01-26: deprecated, but the only one that older hosts read.
The gallery does without it: every key costs context in each tools/list."""
_ORIGIN = re.compile(r"https?://(?P<host>[A-Za-z0-9._-]+)(:[0-9]{1,5})?(?=[/?#]|$)")
_PART = re.compile(r"^/\*= (?P<name>[a-z]+\.(?:css|js)) \*/$", re.MULTILINE)
"""A line of the document that is replaced by a file of that name. All scripts share one scope."""
MIME_TYPE = "text/html;profile=mcp-app"
"""The media type of every view; hosts render no other."""


def player_html() -> str:
    """The document, with its styles and scripts inlined. Read on demand, because most hosts show no views."""
    from importlib.resources import files  # start-up time

    view = files(__name__) / "view"

    def part(match: re.Match[str]) -> str:
        return (view / match["name"]).read_text(encoding="utf-8").rstrip()

    return _PART.sub(part, (view / "player.html").read_text(encoding="utf-8"))


def icon_uri() -> str:
    """The icon as a `data:` URI, so that hosts need no extra request."""
    from base64 import b64encode  # start-up time
    from importlib.resources import files

    return f"data:{ICON_TYPE};base64,{b64encode((files(__name__) / 'icon.svg').read_bytes()).decode()}"


def job_meta(session: Session, job: Job) -> dict[str, Any] | None:
    """The `_meta` of a result with a job: the actions that the player may offer, and the balance."""
    offers = {
        CAN_CANCEL: session.may_cancel(job),
        CAN_CONTINUE: session.may_continue(job),
        HAS_POSTER: session.has_poster(job),
    }
    meta: dict[str, Any] = {key: True for key, is_offered in offers.items() if is_offered}
    if (balance := session.last_balance(job)) is not None:
        meta[BALANCE] = balance
    return meta or None


def list_meta(session: Session, jobs: Iterable[Job]) -> dict[str, Any]:
    """The `_meta` of a list of jobs: facts that the gallery shows and the assistant does not need."""
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
    """The origins of these links. Only well-formed ones, because hosts insert them unchanged into a content security
    policy."""
    found = (_ORIGIN.match(link) for link in links)
    return {match[0] for match in found if match and not match["host"].endswith(".invalid")}


def resource_meta(video_origins: Iterable[str], upload_origins: Iterable[str] = ()) -> dict[str, Any]:
    """The `_meta` of the resource, as listed and as read.

    The player may load clips from `video_origins` (scheme, host and port) and upload images to `upload_origins`. It
    needs no other connections: a clip from another origin is read through this server.
    """
    csp = {"resourceDomains": sorted(set(video_origins))}
    if uploads := sorted(set(upload_origins)):
        csp["connectDomains"] = uploads
    return {"ui": {"csp": csp, "prefersBorder": True}}

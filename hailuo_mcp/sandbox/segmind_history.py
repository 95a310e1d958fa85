"""Stand-in for Segmind's request history (`api.spotprod.segmind.com`), which keeps a result for longer than an hour.

Filters, defaults and the fields of a row are those of the SDK's `generations.history`. The envelope around the rows is
inferred: the SDK calls it a "paginated dictionary" and no document prints one. Here it is `{data, page, per_page,
total, total_pages}`. `user_id` and `user_email` are accepted and ignored, because keys have no teams here.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox.body import Invalid
from hailuo_mcp.sandbox.context import SandboxContext, timestamp
from hailuo_mcp.sandbox.jobs import Job, Phase
from hailuo_mcp.sandbox.segmind import GATEWAY, authorize, error

_PATH = "/inference-request/request-history"
_MAX_SPAN_DAYS = 31
_DEFAULT_SPAN_DAYS = 7

_STATUSES = {
    Phase.QUEUED: "PENDING",
    Phase.PROCESSING: "PENDING",
    Phase.COMPLETED: "COMPLETED",
    Phase.FAILED: "FAILED",
}
_ORDERS: Mapping[str, Callable[[Job], object]] = {
    "model_created": lambda job: job.submitted_at,
    "model_name": lambda job: job.model,
    "credits_deduction": lambda job: job.cost,
}
_FILTERS = ("model_name", "from_date", "to_date", "status", "user_id", "user_email")
_PARAMETERS = frozenset({*_FILTERS, "page", "per_page", "sort_by", "sort_order"})


def routes(context: SandboxContext) -> list[Route]:
    async def listing(request: Request) -> Response:
        key, now = authorize(request), context.clock()
        try:
            chosen = _choose(await context.jobs_of(GATEWAY, key), request.query_params, now)
            page = _number(request.query_params, "page", 1, 1, 1_000_000)
            per_page = _number(request.query_params, "per_page", 20, 1, 100)
        except Invalid as refusal:
            return error(400, f"Invalid request: {refusal}")
        rows = [_row(context, request, job, job.phase(now)) for job in chosen[(page - 1) * per_page : page * per_page]]
        pages = -(-len(chosen) // per_page)
        return JSONResponse(
            {"data": rows, "page": page, "per_page": per_page, "total": len(chosen), "total_pages": pages}
        )

    async def one(request: Request) -> Response:
        key, remote_id = authorize(request), request.path_params["id"]
        job, phase = await context.find(GATEWAY, remote_id, key, error(404, f"Request {remote_id} not found"))
        return JSONResponse(_row(context, request, job, phase))

    return [Route(_PATH, listing, methods=["GET"]), Route(_PATH + "/{id}", one, methods=["GET"])]


def _choose(jobs: list[Job], query: Mapping[str, str], now: float) -> list[Job]:
    for name in query:
        if name not in _PARAMETERS:
            raise Invalid(f"{name} is not a parameter of the history")
    today = datetime.fromtimestamp(now, UTC).date()
    until = _day(query, "to_date", today)
    since = _day(query, "from_date", until - timedelta(days=_DEFAULT_SPAN_DAYS))
    if since > until:
        raise Invalid("from_date is after to_date")
    if (until - since).days > _MAX_SPAN_DAYS:
        raise Invalid(f"the window may span at most {_MAX_SPAN_DAYS} days")
    status = _choice(query, "status", "", frozenset(_STATUSES.values()))
    order = _ORDERS[_choice(query, "sort_by", "model_created", frozenset(_ORDERS))]
    descending = _choice(query, "sort_order", "desc", frozenset({"asc", "desc"})) == "desc"
    chosen = [
        job
        for job in jobs
        if since <= datetime.fromtimestamp(job.submitted_at, UTC).date() <= until
        and query.get("model_name", "") in job.model
        and (phase := job.phase(now)) is not Phase.GONE
        and status in ("", _STATUSES[phase])
    ]
    return sorted(chosen, key=lambda job: (order(job), job.submitted_at), reverse=descending)


def _row(context: SandboxContext, request: Request, job: Job, phase: Phase) -> dict[str, object]:
    ended = phase in (Phase.COMPLETED, Phase.FAILED)
    return {
        "request_id": job.remote_id,
        "model_name": job.model,
        "model_status": _STATUSES[phase],
        "credits_deduction": job.cost if phase is Phase.COMPLETED else 0,
        "request_body": dict(job.body),
        "generation_url": context.clip_link(request, job) if phase is Phase.COMPLETED else None,
        "latency_ms": round(job.takes * 1000) if ended else None,
        "model_created": timestamp(job.submitted_at),
        "model_updated": timestamp(job.ended_at) if ended else timestamp(job.submitted_at),
        "error": job.failure.message if phase is Phase.FAILED and job.failure else None,
    }


def _day(query: Mapping[str, str], name: str, default: date) -> date:
    value = query.get(name)
    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).date() if value else default
    except ValueError:
        raise Invalid(f"{name} must be a day as YYYY-MM-DD") from None


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = query.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 8 and low <= int(value) <= high):
        raise Invalid(f"{name} must be an integer from {low} to {high}")
    return int(value)


def _choice(query: Mapping[str, str], name: str, default: str, allowed: frozenset[str]) -> str:
    value = query.get(name, default)
    if value != default and value not in allowed:
        raise Invalid(f"{name} must be one of {', '.join(sorted(allowed))}")
    return value

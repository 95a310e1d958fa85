"""Segmind, through its queue-backed v2 routes. https://www.segmind.com/models, and the `segmind` package on PyPI.

The pages also print a synchronous `/v1/{slug}`, which blocks for the whole generation: not used.
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from hailuo_mcp.core.errors import ContentViolation, HailuoError, InsufficientCredits, InvalidInput, UnknownRequest
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import history
from hailuo_mcp.gateways.answers import NESTING_MAX, json_object, link_in, mapping, moment, number, sequence
from hailuo_mcp.gateways.base import UNUSED_JOB_ID, Gateway
from hailuo_mcp.gateways.client import Request
from hailuo_mcp.gateways.refusals import is_content_block
from hailuo_mcp.gateways.segmind_models import Hailuo02Fast, Hailuo23, Hailuo23Fast, MinimaxHailuo2
from hailuo_mcp.gateways.uploads import uploaded_link

_STATES = {
    "queued": State.QUEUED,
    "processing": State.PROCESSING,
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "pending": State.PROCESSING,  # the history's name for an unfinished job
}
_HISTORY = "/inference-request/request-history"
_HISTORY_ROWS = 100


class Segmind(Gateway):
    name = "segmind"
    title = "Segmind"
    hosts: ClassVar[Mapping[str, str]] = {
        "base": "https://api.segmind.com",
        "upload": "https://workflows-api.segmind.com",
        "history": "https://api.spotprod.segmind.com",
    }
    models = (Hailuo02Fast, Hailuo23Fast, MinimaxHailuo2, Hailuo23)
    image_transfer = "upload"
    retention = timedelta(hours=1)
    failure_charged = "no"
    reset_headers = ("x-rate-limit-reset-at-utc",)
    has_history = True
    check_hint = "Look at the request history in the Segmind console to see whether the job was taken."

    def auth(self, key: str) -> Mapping[str, str]:
        return {"x-api-key": key}

    def submit_request(self, spec: ModelSpec) -> Request:
        return self.post(f"/v2/{spec.remote_name}", spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return body.get("request_id")

    def message_in(self, body: Mapping[str, Any]) -> object:
        return body.get("error_description") or body.get("error") or body.get("message") or body.get("detail")

    def error_class(self, status: int, message: str, body: Mapping[str, Any]) -> type[HailuoError]:
        # 406 means no credits, and is also used for some rejected parameters: only the message tells them apart.
        if (
            status == 406
            and message
            and not any(word in message.lower() for word in ("credit", "balance", "fund", "payment", "insufficient"))
        ):
            return ContentViolation if is_content_block(message) else InvalidInput
        return InsufficientCredits if status == 406 else super().error_class(status, message, body)

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        path = f"/v2/requests/{quote(remote_id, safe='')}"
        with self.client.time_limit():
            body, response = await self.fetch_json(self.get(f"{path}/status"))
            state = self.state(_STATES, body.get("status"), response)
            if state is State.COMPLETED:  # the result takes precedence over the status
                body, response = await self.fetch_json(self.get(path))
                state = self.state(_STATES, body.get("status") or "completed", response)
        metrics = mapping(body.get("metrics"))
        return self.observation(
            state,
            output=body.get("output"),
            reason=body.get("error"),
            cost_usd=metrics.get("cost"),
            took_seconds=metrics.get("total_time"),
        )

    async def balance(self) -> float | None:
        """It is in a header of every response; polling a job that does not exist costs nothing."""
        response = await self.client.send_with_retry(self.get(f"/v2/requests/{UNUSED_JOB_ID}/status"))
        return number(response.headers.get("x-remaining-credits"))

    async def upload(self, media_type: str, content: bytes, seconds: float) -> str:
        data_uri = f"data:{media_type};base64,{b64encode(content).decode()}"
        request = self.post("/upload-asset", {"data_urls": [data_uri]}, host="upload")
        response = await self.client.send_with_retry(request, seconds)
        body = mapping(response.body)
        return uploaded_link(self, response, link_in(body.get("file_urls")) or link_in(body.get("urls")))

    async def find_submissions(self, model: type[ModelSpec], job: Job) -> AsyncGenerator[tuple[object, Observation]]:
        """Matching the body excludes rows of teammates."""
        async for row in self._history(model.remote_name, job.created_at):
            is_same = row.get("model_name") == model.remote_name and _same_body(row, job.body)
            if is_same and history.is_near(_row_time(row), job):
                yield row.get("request_id"), self._from_row(row)

    async def look_up_expired(self, job: Job) -> Observation | None:
        if job.remote_id is None:
            return None
        path = f"{_HISTORY}/{quote(job.remote_id, safe='')}"
        try:
            body, _ = await self.fetch_json(self.get(path, host="history"))
        except UnknownRequest:
            return None
        inner = mapping(body.get("data"))
        rows = [row for row in (body, inner, *_rows_in(body)) if "request_id" in row]
        for row in rows:
            if row["request_id"] == job.remote_id:
                return self._from_row(row)
        if not rows and [] not in (*body.values(), *inner.values()):
            raise history.unreadable(self.title)
        return None

    async def _history(self, slug: str, around: datetime) -> AsyncIterator[Mapping[str, Any]]:
        """The rows in the time window, newest first. Raises GatewayError if there are too many."""
        around = around.astimezone(UTC)
        window = {
            "model_name": slug,
            "from_date": f"{around - history.WINDOW:%Y-%m-%d}",
            "to_date": f"{around + history.WINDOW:%Y-%m-%d}",
            "sort_by": "model_created",
            "sort_order": "desc",
            "per_page": _HISTORY_ROWS,
        }
        for page in range(1, history.PAGES_MAX + 1):
            query = urlencode({**window, "page": page})
            body, _ = await self.fetch_json(self.get(f"{_HISTORY}?{query}", host="history"))
            rows = _rows_in(body)
            for row in rows:
                yield row
            oldest = _row_time(rows[-1]) if rows else None
            if len(rows) < _HISTORY_ROWS or (oldest and oldest < around - history.WINDOW):
                return
        raise history.too_long(self.title)

    def _from_row(self, row: Mapping[str, Any]) -> Observation:
        took = number(row.get("latency_ms"))
        return self.observation(
            self.state(_STATES, row.get("model_status") or row.get("status")),
            output=row.get("generation_url"),
            reason=row.get("error"),
            cost_usd=row.get("credits_deduction"),
            took_seconds=took / 1000 if took else None,
        )


def _rows_in(body: Mapping[str, Any], depth: int = NESTING_MAX) -> list[Mapping[str, Any]]:
    """The rows of a page: the first list of objects in it, because its envelope is undocumented."""
    for value in body.values() if depth else ():
        if rows := [row for item in sequence(value) if (row := mapping(item))] or _rows_in(mapping(value), depth - 1):
            return rows
    return []


def _row_time(row: Mapping[str, Any]) -> datetime | None:
    for name in ("model_created", "created_at", "created", "timestamp"):
        if made := moment(row.get(name)):
            return made
    return None


def _same_body(row: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Whether a row has this request body. Null equals absent: a history may omit nulls."""
    return bool(sent) and _without_nulls(json_object(row.get("request_body"))) == _without_nulls(sent)


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}

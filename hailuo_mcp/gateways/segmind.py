"""Segmind, through its queue-backed v2 routes. https://www.segmind.com/models, and the `segmind` package on PyPI.

The pages also print a synchronous `/v1/{slug}`, which blocks for the whole generation: not used.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import quote, urlencode

from pydantic import Field

from hailuo_mcp.core.errors import (
    ContentViolation,
    GatewayError,
    HailuoError,
    InsufficientCredits,
    InvalidInput,
    UnknownRequest,
)
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.core.parameters import (
    MINIMAX,
    Constraint,
    Duration,
    Flag,
    Image,
    Mode,
    Resolution,
    SendsNull,
    Source,
)
from hailuo_mcp.core.request_id import checked_remote_id
from hailuo_mcp.core.rules import GIVEN, Advice, Forbid, PriceRule, TimeRule
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways.answers import moment
from hailuo_mcp.gateways.base import (
    NESTING_MAX,
    UNUSED_JOB_ID,
    Gateway,
    is_content_block,
    link_in,
    mapping,
    number,
    parse_json,
    sequence,
)
from hailuo_mcp.gateways.client import Request, deadline
from hailuo_mcp.gateways.rate_limits import parse_retry_after
from hailuo_mcp.gateways.uploads import not_uploaded, without_address

_FAST_02 = Source("documented", "Segmind page hailuo-02-fast")
_FAST_23 = Source("documented", "Segmind page hailuo-2.3-fast")
_HAILUO_23 = Source("documented", "Segmind page hailuo-2.3")
_HAILUO_2 = Source("documented", "Segmind page minimax-hailuo-2")
_INFERRED = Source("inferred", "MiniMax API reference")
_PRICES = "Segmind pricing page"
_PRICES_23 = f"{_PRICES} (0.35 to 0.70)"
_PRICED = date(2026, 11, 1)


class Hailuo02Fast(ModelSpec):
    id = "segmind/hailuo-02-fast"
    remote_name = "hailuo-02-fast"
    summary = "image (+ last frame) to video"
    documented_at = "https://www.segmind.com/models/hailuo-02-fast"
    notes = (Constraint(_INFERRED, "no resolution can be chosen; the output is probably 512p"),)
    prices = (
        PriceRule(0.125, "exact", _PRICES, _PRICED, when={"duration": 6}),
        PriceRule(0.188, "exact", _PRICES, _PRICED, when={"duration": 10}),
    )
    times = (TimeRule(80.0),)
    advice = (
        Advice(
            "hailuo-02-fast probably renders at 512p, where MiniMax knows no last frame: "
            "last_frame_image may be ignored.",
            when={"last_frame_image": GIVEN},
        ),
    )

    first_frame_image: Annotated[Image, Constraint(_FAST_02, "required; sets the aspect ratio")]
    last_frame_image: Annotated[
        Image | None,
        SendsNull(),
        Constraint(_FAST_02, "sent as null when absent"),
        Constraint(_INFERRED, "may be ignored: 512p has no last-frame mode"),
    ] = None
    duration: Annotated[Duration, Constraint(_FAST_02, "6 or 10 seconds")] = 6
    go_fast: Annotated[Flag, Constraint(_FAST_02, "faster, slightly lower quality")] = False
    prompt_optimizer: Annotated[Flag, Constraint(_FAST_02, "default true")] = True


class Hailuo23Fast(ModelSpec):
    id = "segmind/hailuo-2.3-fast"
    remote_name = "hailuo-2.3-fast"
    summary = "image to video"
    documented_at = "https://www.segmind.com/models/hailuo-2.3-fast"
    rules = (
        Forbid(
            {"duration": 10, "resolution": "1080p"}, 'for 10 s pass resolution "768p"; 1080p is the default', MINIMAX
        ),
    )
    prices = (PriceRule(0.41, "upper bound", f"{_PRICES} (0.24 to 0.41)", _PRICED),)
    times = (TimeRule(120.0),)

    first_frame_image: Annotated[Image, Constraint(_FAST_23, "required; image to video only; sets the aspect ratio")]
    duration: Annotated[Duration, Constraint(_FAST_23, "6 or 10 seconds")] = 6
    resolution: Annotated[Resolution, Constraint(_FAST_23, "768p or 1080p, default 1080p")] = "1080p"
    prompt_optimizer: Annotated[Flag, Constraint(_FAST_23, "default true")] = True


class Hailuo23(ModelSpec):
    id = "segmind/hailuo-2.3"
    remote_name = "hailuo-2.3"
    summary = "text or image to video"
    documented_at = "https://www.segmind.com/models/hailuo-2.3"
    rules = (Forbid({"duration": 10, "resolution": "1080p"}, 'for 10 s pass resolution "768p"', MINIMAX),)
    notes = (Constraint(_INFERRED, "a clip at 1080p probably costs $0.6125: 1.25 times what MiniMax charges"),)
    prices = (
        PriceRule(0.35, "exact", _PRICES_23, _PRICED, when={"resolution": "768p", "duration": 6}),
        PriceRule(0.7, "exact", _PRICES_23, _PRICED, when={"resolution": "768p", "duration": 10}),
        PriceRule(0.7, "upper bound", _PRICES_23, _PRICED, when={"resolution": "1080p"}),
    )
    times = (TimeRule(157.0),)

    first_frame_image: Annotated[Image | None, Constraint(_HAILUO_23, "optional; without it, text to video")] = None
    duration: Annotated[Duration, Constraint(_HAILUO_23, "6 or 10 seconds")] = 6
    resolution: Annotated[Resolution, Constraint(_HAILUO_23, "768p (default) or 1080p")] = "768p"
    prompt_optimizer: Annotated[Flag, Constraint(_HAILUO_23, "default true")] = True


class MinimaxHailuo2(ModelSpec):
    id = "segmind/minimax-hailuo-2"
    remote_name = "minimax-hailuo-2"
    summary = "text or image (+ last frame) to video"
    documented_at = "https://www.segmind.com/models/minimax-hailuo-2"
    notes = (Constraint(_HAILUO_2, "no duration and no resolution can be chosen"),)
    prices = (PriceRule(0.3875, "average", _PRICES, _PRICED),)
    times = (TimeRule(173.0),)

    first_frame_image: Annotated[
        Image | None,
        Field(serialization_alias="image_url"),
        Constraint(_HAILUO_2, "optional; without it, text to video"),
    ] = None
    last_frame_image: Annotated[Image | None, SendsNull(), Constraint(_HAILUO_2, "sent as null when absent")] = None
    mode: Annotated[Mode, Constraint(_HAILUO_2, "standard or pro, always sent")] = "standard"
    prompt_optimizer: Annotated[Flag, Constraint(_HAILUO_2, "default true")] = True


_STATES = {
    "queued": State.QUEUED,
    "processing": State.PROCESSING,
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "pending": State.PROCESSING,  # the history's word for an unfinished job
}
_HISTORY = "/inference-request/request-history"
_HISTORY_WINDOW = timedelta(minutes=5)
"""A history row can only be that of a submission if the two are this close in time."""
_HISTORY_PAGES = 5
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
    has_history = True
    check_hint = "Look at the request history in the Segmind console to see whether the job was taken."

    def auth(self, key: str) -> Mapping[str, str]:
        return {"x-api-key": key}

    def submit_request(self, spec: ModelSpec) -> Request:
        return self.post(f"/v2/{spec.remote_name}", spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return body.get("request_id")

    @staticmethod
    def retry_after_in(headers: Mapping[str, str]) -> float | None:
        return parse_retry_after(headers, "x-rate-limit-reset-at-utc")

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
        async with self._time_limit():
            body, response = await self.fetch_json(self.get(f"{path}/status"))
            state = self.state(_STATES, body.get("status"), response)
            if state is State.COMPLETED:
                body, response = await self.fetch_json(self.get(path))
                state = self.state(
                    _STATES, body.get("status") or "completed", response
                )  # the result outranks the status
        return self._observation(state, body, sandbox=response.sandbox)

    def _time_limit(self) -> AbstractAsyncContextManager[None]:
        """One time limit for the several requests of a poll."""
        seconds = self.client.retry.poll_timeout
        return deadline(seconds, f"{self.title} did not answer within {seconds:.0f} s.")

    def _observation(self, state: State, body: Mapping[str, Any], *, sandbox: bool) -> Observation:
        metrics = mapping(body.get("metrics"))
        completed = state is State.COMPLETED  # before that, the cost is reported as 0
        return Observation(
            state=state,
            video_url=link_in(body.get("output")) if completed else None,
            error=self.failure(body.get("error")) if state is State.FAILED else None,
            cost_usd=number(metrics.get("cost")) if completed else None,
            took_seconds=number(metrics.get("total_time")),
            sandbox=sandbox,
        )

    async def balance(self) -> float | None:
        """In a header of every answer; asking for a job that does not exist costs nothing."""
        response = await self.client.send_with_retry(self.get(f"/v2/requests/{UNUSED_JOB_ID}/status"))
        return number(response.headers.get("x-remaining-credits"))

    async def upload(self, media_type: str, content: bytes, seconds: float) -> str:
        data_uri = f"data:{media_type};base64,{b64encode(content).decode()}"
        request = self.post("/upload-asset", {"data_urls": [data_uri]}, host="upload")
        response = await self.client.send_with_retry(request, seconds)
        body = mapping(response.body)
        if not response.ok:
            raise not_uploaded(self, response)
        url = link_in(body.get("file_urls")) or link_in(body.get("urls"))
        if url is None or url.startswith("data:"):
            raise without_address(self)
        return url

    async def find_lost_submission(self, job: Job, taken: frozenset[str]) -> tuple[str, Observation] | None:
        """The only row with this model, body and time. The body excludes the rows of teammates; several rows with one
        id are one job. No candidate, or more than one, proves nothing."""
        spec = self.model(job.model)
        if spec is None:
            return None
        candidates: dict[str, Observation] = {}
        async with self._time_limit():
            async for row, sandbox in self._history(spec.remote_name, job.created_at):
                remote_id = row.get("request_id")
                if not isinstance(remote_id, str) or remote_id in taken or row.get("model_name") != spec.remote_name:
                    continue
                made = _row_time(row)
                if made is None or abs(made - job.created_at) > _HISTORY_WINDOW or not _same_body(row, job.body):
                    continue
                seen = self._from_row(row, sandbox=sandbox)
                if seen.video_url or remote_id not in candidates:
                    candidates[remote_id] = seen
        if len(candidates) != 1:
            return None
        ((remote_id, seen),) = candidates.items()
        try:
            return checked_remote_id(remote_id), seen
        except InvalidInput:
            return None

    async def look_up_expired(self, job: Job) -> Observation | None:
        if job.remote_id is None:
            return None
        path = f"{_HISTORY}/{quote(job.remote_id, safe='')}"
        try:
            body, response = await self.fetch_json(self.get(path, host="history"))
        except UnknownRequest:
            return None
        inner = mapping(body.get("data"))
        rows = [row for row in (body, inner, *_rows_in(body)) if "request_id" in row]
        for row in rows:
            if row["request_id"] == job.remote_id:
                return self._from_row(row, sandbox=response.sandbox)
        if not rows and [] not in (*body.values(), *inner.values()):
            raise self.no_history()
        return None

    async def _history(self, slug: str, around: datetime) -> AsyncIterator[tuple[Mapping[str, Any], bool]]:
        """The rows within the window around a time, newest first, each with whether it comes from the sandbox.

        Raises:
            GatewayError: there are too many rows to search; those already seen prove nothing.
        """
        around = around.astimezone(UTC)
        window = {
            "model_name": slug,
            "from_date": f"{around - _HISTORY_WINDOW:%Y-%m-%d}",
            "to_date": f"{around + _HISTORY_WINDOW:%Y-%m-%d}",
            "sort_by": "model_created",
            "sort_order": "desc",
            "per_page": _HISTORY_ROWS,
        }
        for page in range(1, _HISTORY_PAGES + 1):
            query = urlencode({**window, "page": page})
            body, response = await self.fetch_json(self.get(f"{_HISTORY}?{query}", host="history"))
            rows = _rows_in(body)
            for row in rows:
                yield row, response.sandbox
            oldest = _row_time(rows[-1]) if rows else None
            if len(rows) < _HISTORY_ROWS or (oldest and oldest < around - _HISTORY_WINDOW):
                return
        raise GatewayError(f"{self.title}'s history has too many rows to look through.")

    def _from_row(self, row: Mapping[str, Any], *, sandbox: bool) -> Observation:
        state = self.state(_STATES, row.get("model_status") or row.get("status"))
        completed = state is State.COMPLETED
        took = number(row.get("latency_ms"))
        return Observation(
            state=state,
            video_url=link_in(row.get("generation_url")) if completed else None,
            error=self.failure(row.get("error")) if state is State.FAILED else None,
            cost_usd=number(row.get("credits_deduction")) if completed else None,
            took_seconds=took / 1000 if took else None,
            sandbox=sandbox,
        )


def _rows_in(body: Mapping[str, Any], depth: int = NESTING_MAX) -> list[Mapping[str, Any]]:
    """The rows of a page: the first list of objects in it, as its envelope is not documented."""
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
    """Whether a row has this request body. Null equals absent: a history may leave nulls out."""
    body = row.get("request_body")
    body = parse_json(body) if isinstance(body, str) else body
    return bool(sent) and _without_nulls(mapping(body)) == _without_nulls(sent)


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}

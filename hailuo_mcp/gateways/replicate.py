"""Replicate. https://replicate.com/docs/reference/http, and the `replicate` package on PyPI.

A job is a prediction. An hour after it ends, its input, output and files are deleted, but its record stays.
"""

import hmac
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from hailuo_mcp.core.errors import GatewayError, UnknownRequest
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.core.parameters import CallbackUrl, Constraint, OnPage, Source
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import hailuo, history
from hailuo_mcp.gateways.answers import link_in, mapping, moment, sequence
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.client import Request, Response
from hailuo_mcp.gateways.uploads import form_request, uploaded_link
from hailuo_mcp.gateways.webhook_keys import WebhookKeys

_PAGE = Source("documented", "Replicate page of the model")
_INFERRED = Source("inferred", "MiniMax API reference")
_CALLED_BACK = Constraint(Source("documented", "Replicate webhooks"), "called once, when the job has ended; signed")


class _Prediction(ModelSpec):
    """A body with the parameters inside `input`."""

    notes = (Constraint(_PAGE, "Replicate's prices for this model are not known here"),)

    def to_body(self) -> dict[str, Any]:
        inner = super().to_body()
        callback = inner.pop(self.wire_name("callback_url"), None)
        body: dict[str, Any] = {"input": inner}
        return {**body, "webhook": callback, "webhook_events_filter": ["completed"]} if callback else body


class _Own(_Prediction):
    """What Replicate's own models share."""

    page = _PAGE

    callback_url: Annotated[CallbackUrl | None, _CALLED_BACK] = None


class Hailuo23(_Own, hailuo.Hailuo23):
    id = "replicate/hailuo-2.3"
    remote_name = "minimax/hailuo-2.3"
    documented_at = "https://replicate.com/minimax/hailuo-2.3"


class Hailuo23Fast(_Own, hailuo.Hailuo23Fast):
    id = "replicate/hailuo-2.3-fast"
    remote_name = "minimax/hailuo-2.3-fast"
    documented_at = "https://replicate.com/minimax/hailuo-2.3-fast"
    page = Source("observed", "public client code")


class Hailuo02(_Own, hailuo.Hailuo02):
    id = "replicate/hailuo-02"
    remote_name = "minimax/hailuo-02"
    documented_at = "https://replicate.com/minimax/hailuo-02"
    rules = (
        hailuo.not_10_s_at_1080p(_PAGE, instead='resolution "768p"; 1080p is the default'),
        hailuo.from_image_at_512p(_INFERRED),
        hailuo.no_last_frame_at_512p(_INFERRED),
        hailuo.last_frame_needs_first(),
    )

    resolution: Annotated[hailuo.From512p, OnPage("512p, 768p or 1080p (default)")] = "1080p"


_STATES = {
    "starting": State.QUEUED,
    "processing": State.PROCESSING,
    "succeeded": State.COMPLETED,
    "failed": State.FAILED,
    "canceled": State.CANCELLED,
    "aborted": State.CANCELLED,  # cancelled before it started, according to the newer client
}
_PREDICTIONS = "/v1/predictions"


class Replicate(Gateway):
    name = "replicate"
    title = "Replicate"
    hosts: ClassVar[Mapping[str, str]] = {"base": "https://api.replicate.com", "upload": "https://api.replicate.com"}
    key_aliases = ("REPLICATE_API_TOKEN",)
    models = (Hailuo23, Hailuo23Fast, Hailuo02)
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"prediction": _Prediction}
    image_transfer = "upload"
    upload_kept = timedelta(minutes=30)
    retention = timedelta(hours=1)
    has_history = True
    can_cancel = True
    callbacks = True
    signs_callbacks = True
    check_hint = "Look at the predictions of the Replicate dashboard to see whether the job was taken."

    def submit_request(self, spec: ModelSpec) -> Request:
        return self.post(f"/v1/models/{spec.remote_name}/predictions", spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return body.get("id")

    def message_in(self, body: Mapping[str, Any]) -> object:
        return body.get("detail") or body.get("title") or body.get("error") or body.get("message")

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        body, response = await self.fetch_json(self.get(f"{_PREDICTIONS}/{quote(remote_id, safe='')}"))
        if body.get("data_removed") and not body.get("output") and body.get("status") == "succeeded":
            raise UnknownRequest(f"{self.title} no longer keeps the output of this prediction.")
        return self._observation(body, response)

    async def upload(self, media_type: str, content: bytes, seconds: float) -> str:
        request = form_request(self, "/v1/files", "content", media_type, content, host="upload")
        response = await self.client.send_with_retry(request, seconds)
        return uploaded_link(self, response, link_in(mapping(mapping(response.body).get("urls")).get("get")))

    async def cancel(self, job: Job) -> Observation | None:
        if job.remote_id is None:
            return None
        request = self.post(f"{_PREDICTIONS}/{quote(job.remote_id, safe='')}/cancel", {})
        body, response = await self.fetch_json(request)
        return self._observation(body, response)

    async def find_submissions(self, model: type[ModelSpec], job: Job) -> AsyncGenerator[tuple[object, Observation]]:
        async for row in self._history(job.created_at):
            is_same = row.get("model") == model.remote_name and mapping(row.get("input")) == job.body.get("input")
            if is_same and history.is_near(moment(row.get("created_at")), job):
                yield row.get("id"), self._observation(row)

    async def is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        key = await self._signing_key.get()
        signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + body
        expected = hmac.digest(key, signed, sha256)
        given = headers.get("webhook-signature", "").split()
        return any(_is_signature(signature, expected) for signature in given)

    @cached_property
    def _signing_key(self) -> WebhookKeys[bytes]:
        return WebhookKeys(self._fetch_signing_key)

    async def _fetch_signing_key(self) -> bytes:
        body, _ = await self.fetch_json(self.get("/v1/webhooks/default/secret"))
        secret = body.get("key")
        try:
            return b64decode(str(secret).partition("_")[2], validate=True)
        except ValueError:
            raise GatewayError(f"{self.title} answered with a webhook key of an unknown form.") from None

    async def _history(self, around: datetime) -> AsyncIterator[Mapping[str, Any]]:
        """The predictions in the time window. Raises GatewayError if there are too many."""
        query = urlencode(
            {
                "created_after": (around - history.WINDOW).isoformat(),
                "created_before": (around + history.WINDOW).isoformat(),
            }
        )
        for _ in range(history.PAGES_MAX):
            body, _ = await self.fetch_json(self.get(f"{_PREDICTIONS}?{query}"))
            for row in sequence(body.get("results")):
                yield mapping(row)
            cursor = parse_qs(urlsplit(str(body.get("next") or "")).query).get("cursor")
            if not cursor:
                return
            query = urlencode({"cursor": cursor[0]})
        raise history.too_long(self.title)

    def _observation(self, body: Mapping[str, Any], response: Response | None = None) -> Observation:
        state = self.state(_STATES, body.get("status"), response)
        began, ended = moment(body.get("created_at")), moment(body.get("completed_at"))
        took = (ended - began).total_seconds() if began and ended and ended > began else None
        return self.observation(
            state,
            output=body.get("output"),
            reason=body.get("error"),
            took_seconds=took if state is State.COMPLETED else None,
        )


def _is_signature(text: str, expected: bytes) -> bool:
    """Whether `v1,<base64>` is the expected signature."""
    try:
        return hmac.compare_digest(b64decode(text.partition(",")[2], validate=True), expected)
    except ValueError:
        return False

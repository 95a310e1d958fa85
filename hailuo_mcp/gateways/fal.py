"""fal, through its queue. https://fal.ai/docs/model-apis/model-endpoints/queue, and the `fal-client` package on PyPI.

The package is not used: it sends a paid POST again up to ten times. A model has several endpoints, chosen here from its
parameters; a failed job is a completed one with an error.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from hailuo_mcp.core.errors import ContentViolation, GatewayError, HailuoError, InsufficientCredits, UnknownRequest
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import fal_h3, fal_webhooks, history
from hailuo_mcp.gateways.answers import json_object, link_in, mapping, moment, sequence
from hailuo_mcp.gateways.base import Gateway, Submission
from hailuo_mcp.gateways.client import Request
from hailuo_mcp.gateways.definition import Transfer
from hailuo_mcp.gateways.fal_models import MODELS, FalModel, HailuoModel
from hailuo_mcp.gateways.refusals import is_content_block
from hailuo_mcp.gateways.uploads import file_name, uploaded_link
from hailuo_mcp.gateways.webhook_keys import WebhookKeys

_STATES = {"in_queue": State.QUEUED, "in_progress": State.PROCESSING, "completed": State.COMPLETED}
_HISTORY = "/v1/models/requests/by-endpoint"
_CONTENT = "content_policy_violation"
_SEGMENT = re.compile(r"[\w-][\w.-]*", re.ASCII)


class Fal(Gateway):
    name = "fal"
    title = "fal"
    hosts: ClassVar[Mapping[str, str]] = {
        "base": "https://queue.fal.run",
        "upload": "https://rest.fal.ai",
        "history": "https://api.fal.ai",
        "webhooks": "https://rest.alpha.fal.ai",
    }
    key_aliases = ("FAL_KEY",)
    models = (*MODELS, *fal_h3.MODELS)
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"hailuo": HailuoModel, "queue": FalModel}
    image_transfer: ClassVar[Transfer] = "upload"
    upload_kept = timedelta(hours=1)
    retention = timedelta(hours=1)
    has_history = True
    can_cancel = True
    callbacks = True
    signs_callbacks = True
    check_hint = "Look at the request history of the fal dashboard to see whether the job was taken."

    def auth(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Key {key}"}

    def submit_request(self, spec: ModelSpec) -> Request:
        callback = getattr(spec, "callback_url", None)
        query = f"?{urlencode({'fal_webhook': callback})}" if callback else ""
        request = self.post(f"/{_endpoint_of(spec)}{query}", spec.to_body())
        # Otherwise the queue itself retries a job up to ten times.
        return replace(request, headers={**request.headers, "X-Fal-No-Retry": "1"})

    async def submit(self, spec: ModelSpec, seconds: float) -> Submission:
        taken = await super().submit(spec, seconds)
        if "/" in taken.remote_id:
            return taken
        return replace(taken, remote_id=f"{_app_of(spec.remote_name)}/{taken.remote_id}")

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        """The request id, prefixed with the owner and app from the URL in the response, because an endpoint may move. A
        URL on another host is ignored."""
        request_id = body.get("request_id")
        address = body.get("status_url")
        base = self.settings.urls["base"]
        if isinstance(request_id, str) and isinstance(address, str) and address.startswith(f"{base}/"):
            app, found, _ = address.removeprefix(f"{base}/").partition(f"/requests/{request_id}/")
            if found and all(map(_SEGMENT.fullmatch, app.split("/"))):
                return f"{app}/{request_id}"
        return request_id

    def message_in(self, body: Mapping[str, Any]) -> object:
        return body.get("detail") or body.get("error") or body.get("message")

    def error_class(self, status: int, message: str, body: Mapping[str, Any]) -> type[HailuoError]:
        if status == 403 and "balance" in message.lower():
            return InsufficientCredits
        if status == 422 and _CONTENT in json.dumps(body.get("detail")):
            return ContentViolation
        return super().error_class(status, message, body)

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        path = _path(model, remote_id)
        with self.client.time_limit():
            body, response = await self.fetch_json(self.get(f"{path}/status"))
            state = self.state(_STATES, body.get("status"), response)
            if state is not State.COMPLETED:
                return Observation(state=state)
            if body.get("error"):
                return self._failed(body)
            body, response = await self.fetch_json(self.get(path), also=422)
        if response.status == 422:  # the model itself rejected its input
            return self._failed(body)
        return self.observation(state, output=body.get("video"))

    def _failed(self, body: Mapping[str, Any]) -> Observation:
        message = self.message_in(body)
        types = f"{body.get('error_type')} {json.dumps(body.get('detail'))}"
        blocked = _CONTENT in types or is_content_block(self.clean(message))
        return self.observation(State.FAILED, reason=message, kind=ContentViolation if blocked else None)

    async def cancel(self, job: Job) -> Observation | None:
        model = self.model(job.model)
        if model is None or job.remote_id is None:
            return None
        request = replace(self.get(f"{_path(model, job.remote_id)}/cancel"), method="PUT")
        response = await self.client.send_with_retry(request)
        if response.status in (400, 404):  # completed, or no longer known
            return None
        if not response.ok:
            raise self.refusal(response.status, response)
        cancelled = Observation(state=State.CANCELLED)
        try:
            seen = await self.poll(model, job.remote_id)
        except UnknownRequest:
            return cancelled
        # A queued request is removed; one that has just started is only asked to stop, and may run to completion.
        stopped = seen.error is not None and "cancel" in seen.error.message.lower()
        return cancelled if seen.state is State.QUEUED or stopped else seen

    async def upload(self, media_type: str, content: bytes, seconds: float) -> str:
        with self.client.time_limit(seconds):
            facts = {"file_name": file_name(media_type), "content_type": media_type}
            initiate = self.post("/storage/upload/initiate?storage_type=gcs", facts, host="upload")
            response = await self.client.send_with_retry(initiate, seconds)
            answer = mapping(response.body)
            address = uploaded_link(self, response, link_in(answer.get("file_url")))
            place = link_in(answer.get("upload_url")) or ""
            if not place.startswith(("https://", f"{self.settings.urls['upload']}/")):
                raise GatewayError(f"{self.title} returned no safe URL to send the file to; nothing was submitted.")
            # The URL is signed and may be on a storage service's host: the key is not sent there.
            put = Request("PUT", place, {"Content-Type": media_type}, content=content)
            return uploaded_link(self, await self.client.send_with_retry(put, seconds), address)

    async def find_submissions(self, model: type[ModelSpec], job: Job) -> AsyncGenerator[tuple[object, Observation]]:
        async for row in self._history(_endpoint_of(_spec_of(model, job)), job.created_at):
            request_id = row.get("request_id")
            is_same = bool(job.body) and json_object(row.get("json_input")) == job.body
            if isinstance(request_id, str) and is_same and history.is_near(moment(row.get("sent_at")), job):
                # The next poll determines the state: the history may lag behind.
                yield f"{_app_of(model.remote_name)}/{request_id}", Observation(state=State.QUEUED)

    async def look_up_expired(self, job: Job) -> Observation | None:
        model = self.model(job.model)
        if model is None or job.remote_id is None:
            return None
        request_id = job.remote_id.rpartition("/")[2]
        query = {"endpoint_id": _endpoint_of(_spec_of(model, job)), "request_id": request_id, "expand": "payloads"}
        body, _ = await self.fetch_json(self.get(f"{_HISTORY}?{urlencode(query)}", host="history"))
        if "items" not in body:
            raise history.unreadable(self.title)
        for row in map(mapping, sequence(body.get("items"))):
            link = link_in(json_object(row.get("json_output")).get("video"))
            if row.get("request_id") == request_id and link:
                return Observation(state=State.COMPLETED, video_url=link)
        return None

    async def _history(self, endpoint: str, around: datetime) -> AsyncIterator[Mapping[str, Any]]:
        """The requests in the time window. Raises GatewayError if there are too many."""
        query = {
            "endpoint_id": endpoint,
            "start": (around - history.WINDOW).isoformat(),
            "end": (around + history.WINDOW).isoformat(),
            "limit": "100",
            "expand": "payloads",
        }
        for _ in range(history.PAGES_MAX):
            body, _ = await self.fetch_json(self.get(f"{_HISTORY}?{urlencode(query)}", host="history"))
            for row in sequence(body.get("items")):
                yield mapping(row)
            cursor = body.get("next_cursor")
            if not isinstance(cursor, str) or not cursor:
                return
            query["cursor"] = cursor
        raise history.too_long(self.title)

    async def is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        return await fal_webhooks.is_signed(headers, body, self._webhook_keys.get)

    @cached_property
    def _webhook_keys(self) -> WebhookKeys[Sequence[bytes]]:
        return WebhookKeys(self._fetch_webhook_keys)

    async def _fetch_webhook_keys(self) -> Sequence[bytes]:
        request = Request("GET", self.url("webhooks", "/.well-known/jwks.json"), {"Accept": "application/json"})
        body, _ = await self.fetch_json(request)
        try:
            return fal_webhooks.keys_in(body)
        except ValueError:
            raise GatewayError(f"{self.title} answered with webhook keys of an unknown form.") from None


def _endpoint_of(spec: ModelSpec) -> str:
    return spec.endpoint if isinstance(spec, FalModel) else spec.remote_name


def _app_of(endpoint: str) -> str:
    """Owner and app: the part of the endpoint in a request's URLs."""
    return "/".join(endpoint.split("/")[:2])


def _spec_of(model: type[ModelSpec], job: Job) -> ModelSpec:
    """The submitted parameters that determine the endpoint; not validated again."""
    return model.model_construct(**job.parameters)


def _path(model: type[ModelSpec], remote_id: str) -> str:
    """The path of a request.

    Raises:
        UnknownRequest: this cannot be a fal id.
    """
    app, _, request_id = remote_id.rpartition("/")
    app = app or _app_of(model.remote_name)
    if not all(map(_SEGMENT.fullmatch, app.split("/"))):
        raise UnknownRequest("This is not a fal request id.")
    return f"/{app}/requests/{quote(request_id, safe='')}"

"""APIXO, through `generateTask` and `statusTask`. Errors come under HTTP 200: the code in the body counts."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from hailuo_mcp.core.errors import ContentViolation, HailuoError, InvalidImage, InvalidInput
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.core.parameters import (
    CallbackUrl,
    Constraint,
    Duration,
    ImageUrl,
    Mode,
    OnPage,
    Resolution,
    Routing,
    Source,
)
from hailuo_mcp.core.rules import GIVEN, Fill, Forbid
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways.answers import json_object, mapping, number
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.client import Request, Response

_IMAGE_RULES = "an http(s) URL of a JPG or PNG; ratio between 2:5 and 5:2, shorter side over 300 px, at most 20 MB"


class ApixoModel(ModelSpec):
    """A body for `generateTask`: how to run the task is at the top level, the parameters are inside `input`."""

    wire_names: ClassVar[Mapping[str, str]] = {"first_frame_image": "image_urls", "routing": "provider"}
    wire_forms: ClassVar[Mapping[str, WireForm]] = {"first_frame_image": "list"}

    @property
    def tier(self) -> Mode:
        """The quality that `mode` or `resolution` asks for."""
        pro = getattr(self, "resolution", None) == "1080p"
        return getattr(self, "mode", None) or ("pro" if pro else "standard")

    def to_body(self) -> dict[str, Any]:
        inner = super().to_body()
        callback = self.wire_name("callback_url")
        outer = {name: inner.pop(name) for name in (callback, self.wire_name("routing")) if name in inner}
        if self.accepts("mode") or self.accepts("resolution"):
            inner.pop(self.wire_name("resolution"), None)
            source = "image" if getattr(self, "first_frame_image", None) else "text"
            inner[self.wire_name("mode")] = f"{self.tier}-{source}-to-video"
            if self.tier == "pro":  # of a fixed length, and not accepted
                inner.pop(self.wire_name("duration"), None)
        return {"request_type": "callback" if callback in outer else "async", **outer, "input": inner}

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), **({"mode": self.tier} if self.accepts("mode") else {})}


class Hailuo23Fast(ApixoModel):
    id = "apixo/hailuo-2.3-fast"
    remote_name = "hailuo-2-3-fast"
    summary = "image to video"
    documented_at = "https://apixo.ai/docs/models/hailuo-2-3-fast"
    page = Source("documented", "APIXO page hailuo-2-3-fast")
    rules = (
        Forbid({"mode": "pro", "duration": 10}, 'pro is fixed at 6 s; for 10 s pass mode "standard"', page),
        Forbid({"resolution": "1080p", "duration": 10}, '1080p is fixed at 6 s; for 10 s pass resolution "768p"', page),
        Forbid({"mode": "standard", "resolution": "1080p"}, 'standard is 768p; pass mode "pro" for 1080p', page),
        Forbid({"mode": "pro", "resolution": "768p"}, 'pro is 1080p; pass mode "standard" for 768p', page),
    )
    notes = (Constraint(page, "standard with 6 s is the cheapest preset; pro is billed by the task"),)

    first_frame_image: Annotated[ImageUrl, OnPage(_IMAGE_RULES)]
    mode: Annotated[Mode | None, OnPage("standard (768p, default) or pro (1080p)")] = None
    resolution: Annotated[Resolution | None, OnPage("another way to say mode: 768p is standard, 1080p is pro")] = None
    duration: Annotated[Duration, OnPage("standard: 6 or 10 seconds; pro: fixed at 6")] = 6
    routing: Annotated[Routing | None, OnPage("sent only when asked for")] = None
    callback_url: Annotated[CallbackUrl | None, OnPage("makes the request type callback")] = None


class Hailuo23(ApixoModel):
    id = "apixo/hailuo-2.3"
    remote_name = "hailuo-2-3"
    summary = "text or image to video"
    documented_at = "https://apixo.ai/docs/models/video/hailuo-2-3"
    page = Source("documented", "APIXO page hailuo-2-3")
    rules = (
        Forbid({"mode": "pro", "duration": GIVEN}, "pro is fixed at 5 s; leave duration out", page),
        Forbid({"resolution": "1080p", "duration": GIVEN}, "1080p is fixed at 5 s; leave duration out", page),
        Forbid({"mode": "standard", "resolution": "1080p"}, 'standard is 768p; pass mode "pro" for 1080p', page),
        Forbid({"mode": "pro", "resolution": "768p"}, 'pro is 1080p; pass mode "standard" for 768p', page),
    )
    fills = tuple(
        Fill("duration", 6, when={"mode": mode, "resolution": resolution})
        for mode in (None, "standard")
        for resolution in (None, "768p")
    )
    notes = (Constraint(page, "a clip of mode pro has 5 s by APIXO's page; by MiniMax's it has 6"),)

    first_frame_image: Annotated[ImageUrl | None, OnPage(f"optional; {_IMAGE_RULES}")] = None
    mode: Annotated[Mode | None, OnPage("standard (768p, default) or pro (1080p)")] = None
    resolution: Annotated[Resolution | None, OnPage("another way to say mode: 768p is standard, 1080p is pro")] = None
    duration: Annotated[Duration | None, OnPage("standard: 6 (default) or 10 seconds; pro: fixed at 5")] = None
    callback_url: Annotated[CallbackUrl | None, OnPage("makes the request type callback")] = None


_STATES = {
    "pending": State.QUEUED,
    "processing": State.PROCESSING,
    "success": State.COMPLETED,
    "failed": State.FAILED,
}
_FAIL_CODES: Mapping[str, type[HailuoError]] = {
    "CONTENT_VIOLATION": ContentViolation,
    "NSFW_DETECTED": ContentViolation,
    "INVALID_IMAGE_URL": InvalidImage,
    "PROMPT_TOO_LONG": InvalidInput,
}


class Apixo(Gateway):
    name = "apixo"
    title = "APIXO"
    hosts: ClassVar[Mapping[str, str]] = {"base": "https://api.apixo.ai"}
    models = (Hailuo23Fast, Hailuo23)
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"task": ApixoModel}
    image_transfer = "url"
    retention = timedelta(hours=24)
    callbacks = True
    check_hint = (
        "APIXO has no history to ask; look at the usage page of the APIXO console to see whether the job was taken."
    )

    def submit_request(self, spec: ModelSpec) -> Request:
        return self.post(f"/api/v1/generateTask/{spec.remote_name}", spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return mapping(body.get("data")).get("taskId")

    def status_of(self, response: Response) -> int:
        code = number(mapping(response.body).get("code"))
        return int(code) if code is not None and 100 <= code < 600 else response.status

    def message_in(self, body: Mapping[str, Any]) -> object:
        return mapping(body.get("data")).get("error") or body.get("message")

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        query = f"taskId={quote(remote_id, safe='')}"
        body, response = await self.fetch_json(self.get(f"/api/v1/statusTask/{model.remote_name}?{query}"))
        data = mapping(body.get("data"))
        state = self.state(_STATES, data.get("state"), response)
        words = [word for word in (data.get("failCode"), data.get("failMsg")) if isinstance(word, str) and word]
        return self.observation(
            state,
            output=json_object(data.get("resultJson")).get("resultUrls"),
            reason=": ".join(words),
            kind=_FAIL_CODES.get(str(data.get("failCode"))),
            took_seconds=_took_seconds(data),
        )


def _took_seconds(data: Mapping[str, Any]) -> float | None:
    created, completed = number(data.get("createTime")), number(data.get("completeTime"))
    if created and completed and completed > created:
        return (completed - created) / 1000
    cost_time = number(data.get("costTime"))
    return cost_time / 1000 if cost_time else None

"""AI/ML API: the older MiniMax models through their own route, the newer ones through the unified route."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import Field

from hailuo_mcp.core.errors import ContentViolation, HailuoError, InsufficientCredits
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.core.parameters import MINIMAX, Constraint, Duration, Flag, Image, Resolution, Source
from hailuo_mcp.core.rules import Advice, Forbid, PriceRule, TimeRule
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways.base import Gateway, is_content_block, link_in, mapping, number
from hailuo_mcp.gateways.client import Request

_PAGE = Source("documented", "AI/ML API page hailuo-02")
_CHANGELOG = Source("documented", "AI/ML API changelog 2025-10-20")
_CONTRADICTORY = Source(
    "documented", "AI/ML API page hailuo-02, contradictory: “1080p coming soon”, and its pixel size"
)
_UNIFIED = Source("documented", "AI/ML API, unified video route")
_CREDITS_PER_USD = 2_000_000
_ROUTE = "/v2/generate/video/minimax/generation"
_UNIFIED_ROUTE = "/v2/video/generations"
_NOT_10_S_AT_1080P = Forbid({"duration": 10, "resolution": "1080p"}, 'for 10 s pass resolution "768p"', MINIMAX)


class _Model(ModelSpec):
    """A body with the model's name, and the resolution in upper case."""

    wire_forms: ClassVar[Mapping[str, WireForm]] = {"resolution": "upper"}

    def to_body(self) -> dict[str, Any]:
        return {"model": self.remote_name, **super().to_body()}


class _Older(_Model):
    """Field names of the older route."""

    wire_names: ClassVar[Mapping[str, str]] = {"last_frame_image": "last_image_url"}


class _Unified(_Model):
    """Field names of the unified route."""

    wire_names: ClassVar[Mapping[str, str]] = {
        "first_frame_image": "image_url",
        "last_frame_image": "last_image_url",
        "prompt_optimizer": "enhance_prompt",
    }


class Hailuo02(_Older):
    id = "aimlapi/hailuo-02"
    remote_name = "minimax/hailuo-02"
    summary = "text or image (+ last frame) to video"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-02"
    rules = (_NOT_10_S_AT_1080P,)
    times = (TimeRule(300.0, when={"duration": 6}), TimeRule(540.0, when={"duration": 10}))
    advice = (Advice("AI/ML API's page calls 1080p “coming soon”; it may be refused.", when={"resolution": "1080p"}),)

    first_frame_image: Annotated[Image | None, Constraint(_PAGE, "optional; without it, text to video")] = None
    last_frame_image: Annotated[
        Image | None, Field(serialization_alias="last_image_url"), Constraint(_CHANGELOG, "the frame the clip ends on")
    ] = None
    duration: Annotated[Duration, Constraint(_PAGE, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[
        Resolution, Constraint(_PAGE, "768p (default)"), Constraint(_CONTRADICTORY, "1080p may not be there yet")
    ] = "768p"
    prompt_optimizer: Annotated[Flag, Constraint(_PAGE, "default true")] = True


class Hailuo23(_Unified):
    id = "aimlapi/hailuo-2.3"
    remote_name = "minimax/hailuo-2.3"
    summary = "text or image to video"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-2.3"
    rules = (_NOT_10_S_AT_1080P,)

    first_frame_image: Annotated[
        Image | None,
        Field(serialization_alias="image_url"),
        Constraint(_UNIFIED, "optional; without it, text to video"),
    ] = None
    duration: Annotated[Duration, Constraint(_UNIFIED, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[Resolution, Constraint(_UNIFIED, "768p (default) or 1080p")] = "768p"
    prompt_optimizer: Annotated[
        Flag, Field(serialization_alias="enhance_prompt"), Constraint(_UNIFIED, "default true")
    ] = True


class Hailuo23Fast(_Unified):
    id = "aimlapi/hailuo-2.3-fast"
    remote_name = "minimax/hailuo-2.3-fast"
    summary = "image to video"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-2.3-fast"
    notes = (Constraint(_UNIFIED, "a price is published for 6 s at 768p alone"),)
    rules = (_NOT_10_S_AT_1080P,)
    prices = (
        PriceRule(
            0.1995, "exact", "AI/ML API pricing page", date(2026, 11, 1), when={"duration": 6, "resolution": "768p"}
        ),
    )

    first_frame_image: Annotated[
        Image, Field(serialization_alias="image_url"), Constraint(_UNIFIED, "required; image to video only")
    ]
    duration: Annotated[Duration, Constraint(_UNIFIED, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[Resolution, Constraint(_UNIFIED, "768p (default) or 1080p")] = "768p"
    prompt_optimizer: Annotated[
        Flag, Field(serialization_alias="enhance_prompt"), Constraint(_UNIFIED, "default true")
    ] = True


_STATES = {
    "queued": State.QUEUED,
    "waiting": State.QUEUED,
    "generating": State.PROCESSING,
    "active": State.PROCESSING,
    "completed": State.COMPLETED,
    "complete": State.COMPLETED,
    "error": State.FAILED,
    "failed": State.FAILED,
}


class Aimlapi(Gateway):
    name = "aimlapi"
    title = "AI/ML API"
    hosts: ClassVar[Mapping[str, str]] = {"base": "https://api.aimlapi.com"}
    models = (Hailuo02, Hailuo23, Hailuo23Fast)
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"unified": _Unified, "minimax": _Older}
    image_transfer = "data"
    retention = None
    check_hint = (
        "AI/ML API has no history to ask; look at the usage page of the account to see whether the job was taken."
    )

    def auth(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def submit_request(self, spec: ModelSpec) -> Request:
        return self.post(_route(type(spec)), spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return body.get("generation_id") or body.get("id")

    def message_in(self, body: Mapping[str, Any]) -> object:
        return body.get("message") or mapping(body.get("error")).get("message") or body.get("error")

    def error_class(self, status: int, message: str, body: Mapping[str, Any]) -> type[HailuoError]:
        if status == 403:  # documented as out of credits; may also be a content block
            return ContentViolation if is_content_block(message) else InsufficientCredits
        return super().error_class(status, message, body)

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        body, response = await self.fetch_json(self.get(f"{_route(model)}?generation_id={quote(remote_id, safe='')}"))
        state = self.state(_STATES, body.get("status"), response)
        error = mapping(body.get("error"))
        reason = ": ".join(w for w in (error.get("name"), error.get("message")) if isinstance(w, str) and w)
        completed = state is State.COMPLETED  # before that, the credits used so far are not the cost
        credits_used = number(mapping(mapping(body.get("meta")).get("usage")).get("credits_used"))
        return Observation(
            state=state,
            video_url=link_in(body.get("video")) if completed else None,
            error=self.failure(reason or body.get("error")) if state is State.FAILED else None,
            cost_usd=credits_used / _CREDITS_PER_USD if completed and credits_used is not None else None,
            sandbox=response.sandbox,
        )


def _route(model: type[ModelSpec]) -> str:
    return _UNIFIED_ROUTE if issubclass(model, _Unified) else _ROUTE

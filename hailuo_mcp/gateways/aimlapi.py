"""AI/ML API: the older MiniMax models through their own route, the newer ones through the unified route."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hailuo_mcp.core.errors import ContentViolation, HailuoError, InsufficientCredits
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways.aimlapi_models import MODELS, OlderModel, UnifiedModel
from hailuo_mcp.gateways.answers import mapping, number
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.client import Request
from hailuo_mcp.gateways.refusals import is_content_block

_CREDITS_PER_USD = 2_000_000
_ROUTE = "/v2/generate/video/minimax/generation"
_UNIFIED_ROUTE = "/v2/video/generations"
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
    models = MODELS
    body_formats: ClassVar[Mapping[str, type[ModelSpec]]] = {"unified": UnifiedModel, "minimax": OlderModel}
    image_transfer = "data"
    retention = None
    check_hint = (
        "AI/ML API has no history to ask; look at the usage page of the account to see whether the job was taken."
    )

    def submit_request(self, spec: ModelSpec) -> Request:
        return self.post(_route(type(spec)), spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return body.get("generation_id") or body.get("id")

    def message_in(self, body: Mapping[str, Any]) -> object:
        return body.get("message") or mapping(body.get("error")).get("message") or body.get("error")

    def error_class(self, status: int, message: str, body: Mapping[str, Any]) -> type[HailuoError]:
        if status == 403:  # documented as "out of credits"; may also be a content block
            return ContentViolation if is_content_block(message) else InsufficientCredits
        return super().error_class(status, message, body)

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        body, response = await self.fetch_json(self.get(f"{_route(model)}?generation_id={quote(remote_id, safe='')}"))
        state = self.state(_STATES, body.get("status"), response)
        error = mapping(body.get("error"))
        reason = ": ".join(w for w in (error.get("name"), error.get("message")) if isinstance(w, str) and w)
        return self.observation(
            state, output=body.get("video"), reason=reason or body.get("error"), cost_usd=_cost_in(body)
        )


def _route(model: type[ModelSpec]) -> str:
    return _UNIFIED_ROUTE if issubclass(model, UnifiedModel) else _ROUTE


def _cost_in(body: Mapping[str, Any]) -> float | None:
    """In US dollars. The newest models report dollars, the others the credits used."""
    usage = mapping(mapping(body.get("meta")).get("usage"))
    spent, credits_used = number(usage.get("usd_spent")), number(usage.get("credits_used"))
    return spent if spent is not None or credits_used is None else credits_used / _CREDITS_PER_USD

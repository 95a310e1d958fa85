"""Every model, and the minimal valid call for each."""

from typing import Any

import pytest

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import GATEWAYS

MODELS: dict[str, type[ModelSpec]] = {model.id: model for gateway in GATEWAYS for model in gateway.models}
EVERY_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
PICTURE = "https://example.com/first.png"
CHOICES: dict[str, tuple[Any, ...]] = {
    "duration": (6, 10),
    "resolution": ("480p", "512p", "768p", "1080p", "2k"),
    "aspect_ratio": ("adaptive", "16:9", "9:16"),
    "prompt_expansion": ("balanced", "disabled", "quality"),
    "mode": ("standard", "pro"),
    "prompt_optimizer": (True, False),
    "go_fast": (True, False),
    "fast_pretreatment": (True, False),
    "routing": ("auto", "value", "official"),
}
"""Values of each parameter that has a closed set of them; a model may accept fewer."""


def minimal_call(model: type[ModelSpec]) -> dict[str, Any]:
    """A valid call, with an image if the model accepts one."""
    call = {"first_frame_image": PICTURE} if model.accepts("first_frame_image") else {}
    return {"prompt": "x", **call, **({"subject_reference": PICTURE} if model.is_required("subject_reference") else {})}


def accepts(model: type[ModelSpec], call: dict[str, Any]) -> bool:
    try:
        model.parse(call)
    except InvalidInput:
        return False
    return True

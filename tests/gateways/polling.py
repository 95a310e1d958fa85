"""Shared by the tests of polling: a poll of a gateway's first model, and links to clips."""

from hailuo_mcp.core.job import Observation
from hailuo_mcp.gateways.client import RetryPolicy
from tests.gateways.wire import (
    A_MODEL_OF,
    MODELS,
    QUICK,
    Script,
    Step,
    connect,
)

CLIP = "https://cdn.example/clip.mp4?sig=a%2Fb"
INLINE = "data:video/mp4;base64,AAAA"


async def poll(name: str, *steps: Step, retry: RetryPolicy = QUICK) -> tuple[Observation, Script]:
    gateway, script = connect(name, *steps, retry=retry)
    return await gateway.observe(MODELS[A_MODEL_OF[name]], "r1"), script

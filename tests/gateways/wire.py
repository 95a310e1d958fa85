"""A gateway over a scripted network: requests are recorded, and the test provides the responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hailuo_mcp import gateways
from hailuo_mcp.core.errors import HailuoError, Problem
from hailuo_mcp.core.job import Job, Observation
from hailuo_mcp.core.parameters import IMAGE_PARAMETERS
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import GatewayClient, RetryPolicy
from tests.core.models import MODELS

KEY = "sk-Secret-0123456789"
IMAGE = "https://example.com/first.png"
CLIP = "https://cdn.example/clip.mp4?sig=a%2Fb"
GATEWAYS: Mapping[str, type[Gateway]] = {gateway.name: gateway for gateway in gateways.GATEWAYS}
A_MODEL_OF = {
    "segmind": "segmind/hailuo-02-fast",
    "apixo": "apixo/hailuo-2.3-fast",
    "aimlapi": "aimlapi/hailuo-02",
    "minimax": "minimax/hailuo-02",
    "fal": "fal/hailuo-02",
    "replicate": "replicate/hailuo-02",
}
EVERY_GATEWAY = pytest.mark.parametrize("name", sorted(GATEWAYS))

QUICK = RetryPolicy(wait_initial=0.001, wait_jitter=0.001)
ATTEMPTS = QUICK.attempts

Step = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


class Script:
    """A server that runs one step per request, and repeats the last one."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self._steps[min(len(self.requests), len(self._steps)) - 1](request)
        return response if isinstance(response, httpx.Response) else await response

    @property
    def requested(self) -> list[str]:
        """Each request as `METHOD path?query`, as sent."""
        return [f"{r.method} {r.url.raw_path.decode()}" for r in self.requests]

    @property
    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.requests)


def says(status: int = 200, body: object = None, headers: Mapping[str, str] | None = None) -> Step:
    """A response with a JSON body."""
    return lambda _: httpx.Response(status, json=body, headers=headers)


def says_text(status: int, text: str, content_type: str = "text/html") -> Step:
    return lambda _: httpx.Response(status, text=text, headers={"content-type": content_type})


def breaks(error: type[httpx.TransportError]) -> Step:
    def step(request: httpx.Request) -> httpx.Response:
        raise error(f"{error.__name__} while talking with {KEY}", request=request)

    return step


def after(seconds: float, step: Step) -> Step:
    """A slow response."""

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(seconds)
        response = step(request)
        return response if isinstance(response, httpx.Response) else await response

    return slow


async def hangs(_: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("the event is never set")


def connect(name: str, *steps: Step, key: str | None = KEY, retry: RetryPolicy = QUICK) -> tuple[Gateway, Script]:
    """A gateway with its default hosts, and the script that answers it."""
    kind = GATEWAYS[name]
    script = Script(*steps)
    client = GatewayClient(
        kind.title,
        transport=lambda: httpx.MockTransport(script),
        retry=retry,
        requests_per_minute=kind.requests_per_minute,
        retry_after_in=kind.retry_after_in,
    )
    return kind(GatewaySettings(key=SecretStr(key) if key else None, urls=kind.hosts), client), script


def spec(model_id: str, **arguments: Any) -> ModelSpec:
    """A valid spec with only the arguments that the model requires."""
    model = MODELS[model_id]
    needed = {name: IMAGE for name in IMAGE_PARAMETERS if model.is_required(name)}
    return model.parse({"prompt": "a cat [Push in]", **needed, **arguments})


async def poll(name: str, *steps: Step, retry: RetryPolicy = QUICK) -> tuple[Observation, Script]:
    """A poll of a gateway's first model."""
    gateway, script = connect(name, *steps, retry=retry)
    return await gateway.observe(MODELS[A_MODEL_OF[name]], "r1"), script


async def rejected(name: str, *steps: Step, model: str = "", seconds: float = 5) -> tuple[Problem, Script]:
    """The problem of a submission that raises an error; of a gateway's first model, unless `model` is given."""
    gateway, script = connect(name, *steps)
    with pytest.raises(HailuoError) as error:
        await gateway.submit(spec(model or A_MODEL_OF[name]), seconds)
    return error.value.problem, script


def body_of(request: httpx.Request) -> Any:
    return json.loads(request.content)


def lost_job(submitted: ModelSpec, gateway: Gateway, **fields: Any) -> Job:
    """A job whose submission got no response."""
    return Job(
        model=submitted.id,
        origin=gateway.origin,
        body=submitted.to_body(),
        created_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
        **fields,
    )

"""What the tests of every stand-in send: valid requests, keys and images."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from hailuo_mcp.sandbox import create_app

REMOTE_PICTURE = "https://pictures.example/harbour.jpg"
HISTORY = "/inference-request/request-history"
AIMLAPI = "/v2/generate/video/minimax/generation"
UNIFIED = "/v2/video/generations"
MINIMAX, MINIMAX_QUERY, MINIMAX_FILE = "/v1/video_generation", "/v1/query/video_generation", "/v1/files/retrieve"

SEGMIND_BODY: dict[str, Any] = {
    "prompt": "Waves roll in",
    "first_frame_image": REMOTE_PICTURE,
    "last_frame_image": None,
    "duration": 6,
    "go_fast": False,
    "prompt_optimizer": True,
}
SEGMIND_23_BODY: dict[str, Any] = {
    "prompt": "Waves roll in",
    "first_frame_image": REMOTE_PICTURE,
    "duration": 6,
    "resolution": "768p",
    "prompt_optimizer": True,
}
SEGMIND_TEXT_BODY: dict[str, Any] = {"prompt": "Waves roll in", "mode": "standard", "last_frame_image": None}
APIXO_BODY: dict[str, Any] = {
    "request_type": "async",
    "provider": "auto",
    "input": {
        "mode": "standard-image-to-video",
        "prompt": "Waves roll in",
        "image_urls": [REMOTE_PICTURE],
        "duration": 6,
    },
}
AIMLAPI_BODY: dict[str, Any] = {
    "model": "minimax/hailuo-02",
    "prompt": "Waves roll in",
    "prompt_optimizer": True,
    "duration": 6,
    "resolution": "768P",
}
UNIFIED_BODY: dict[str, Any] = {
    "model": "minimax/hailuo-2.3-fast",
    "prompt": "Waves roll in",
    "image_url": REMOTE_PICTURE,
    "enhance_prompt": True,
    "duration": 6,
    "resolution": "768P",
}
MINIMAX_BODY: dict[str, Any] = {
    "model": "MiniMax-Hailuo-02",
    "prompt": "Waves roll in",
    "first_frame_image": REMOTE_PICTURE,
    "prompt_optimizer": True,
    "fast_pretreatment": False,
    "duration": 6,
    "resolution": "768P",
}


def segmind_key(key: str = "key") -> dict[str, str]:
    return {"x-api-key": key}


def bearer(key: str = "key") -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True, slots=True)
class Gateway:
    """How a job is submitted and polled at one gateway, without checking the responses."""

    submit_path: str
    body: dict[str, Any]
    credentials: Any

    def with_prompt(self, prompt: str) -> dict[str, Any]:
        if "input" in self.body:
            return {**self.body, "input": {**self.body["input"], "prompt": prompt}}
        return {**self.body, "prompt": prompt}

    async def submit(
        self, client: httpx.AsyncClient, prompt: str = "Waves roll in", key: str = "key"
    ) -> httpx.Response:
        return await client.post(self.submit_path, json=self.with_prompt(prompt), headers=self.credentials(key))

    async def poll(self, client: httpx.AsyncClient, submitted: httpx.Response, key: str = "key") -> httpx.Response:
        answer = submitted.json()
        headers = self.credentials(key)
        if "data" in answer:
            query = {"taskId": answer["data"]["taskId"]}
            return await client.get("/api/v1/statusTask/hailuo-2-3-fast", params=query, headers=headers)
        if "task_id" in answer:
            return await client.get(MINIMAX_QUERY, params={"task_id": answer["task_id"]}, headers=headers)
        if "generation_id" in answer:
            query = {"generation_id": answer["generation_id"]}
            return await client.get(self.submit_path, params=query, headers=headers)
        return await client.get(f"/v2/requests/{answer['request_id']}/status", headers=headers)


SEGMIND = Gateway("/v2/hailuo-02-fast", SEGMIND_BODY, segmind_key)
APIXO_GATEWAY = Gateway("/api/v1/generateTask/hailuo-2-3-fast", APIXO_BODY, bearer)
AIMLAPI_GATEWAY = Gateway(AIMLAPI, AIMLAPI_BODY, bearer)
UNIFIED_GATEWAY = Gateway(UNIFIED, UNIFIED_BODY, bearer)
MINIMAX_GATEWAY = Gateway(MINIMAX, MINIMAX_BODY, bearer)
GATEWAYS = {
    "segmind": SEGMIND,
    "apixo": APIXO_GATEWAY,
    "aimlapi": AIMLAPI_GATEWAY,
    "aimlapi unified": UNIFIED_GATEWAY,
    "minimax": MINIMAX_GATEWAY,
}

_MINIMAX_STATUSES = {1002: 429, 1004: 401, 1008: 402, 2049: 401}


def status_of(answer: httpx.Response) -> int:
    """The effective status: MiniMax refuses under HTTP 200, with a code of its own. In a query, a wrong parameter
    means that the task is unknown."""
    code = answer.json().get("base_resp", {}).get("status_code", 0)
    if code == 2013:
        return 400 if answer.request.method == "POST" else 404
    return _MINIMAX_STATUSES.get(code, answer.status_code)


class Clock:
    """The current time, which tests move."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def in_process(state_dir: Path, *, render: bool = False, **options: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a sandbox in this process. Only the tests of clips render them, which takes seconds."""
    transport = httpx.ASGITransport(create_app(state_dir, render=render, **options))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        yield client


def picture(size: tuple[int, int] = (640, 360), kind: str = "PNG", colour: Any = (200, 30, 30)) -> bytes:
    return encoded(Image.new("RGB", size, colour), kind)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"

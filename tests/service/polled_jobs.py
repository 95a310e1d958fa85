"""Shared by the tests that follow a job: the gateway's responses, and a submitted job."""

from collections.abc import Awaitable, Mapping
from typing import Any

import anyio
import httpx

from hailuo_mcp.core.job import Job
from hailuo_mcp.service.session import Session
from tests.support import KEYS, Answerer, arguments_for, says

FAST_02 = "segmind/hailuo-02-fast"
APIXO = "apixo/hailuo-2.3-fast"
AIMLAPI = "aimlapi/hailuo-02"
CLIP = "https://cdn.example/clip.mp4"
PROCESSING = says(200, {"status": "PROCESSING"})
COMPLETED = says(200, {"status": "COMPLETED", "output": CLIP})
FAILED = says(422, {"status": "FAILED", "error": "the model stopped"})
GONE = says(404, {"error": "Request r-1 not found"})
ACCEPTED = {
    "segmind": {"request_id": "r-1", "status": "QUEUED"},
    "apixo": {"code": 200, "message": "success", "data": {"taskId": "r-1"}},
    "aimlapi": {"generation_id": "r-1", "status": "queued"},
    "minimax": {"task_id": "r-1", "base_resp": {"status_code": 0, "status_msg": "success"}},
    "fal": {"request_id": "r-1", "status": "IN_QUEUE"},
    "replicate": {"id": "r-1", "status": "starting"},
}
"""Each gateway's response to a submission."""
QUIET = {**KEYS, "HAILUO_MCP_AUTO_DOWNLOAD": "0"}


def gateway_of(model_id: str) -> str:
    return model_id.split("/")[0]


class Held:
    """An answer that is given once it is released."""

    def __init__(self, status: int = 200, body: object = None) -> None:
        self.requested, self.released = anyio.Event(), anyio.Event()
        self._status, self._body = status, body

    async def __call__(self, _: httpx.Request) -> httpx.Response:
        self.requested.set()
        await self.released.wait()
        return httpx.Response(self._status, json=self._body)


async def submitted(session: Session, model_id: str = FAST_02, **more: Any) -> Job:
    return (await session.generate(arguments_for(model_id, **more))).job


async def on_record(session: Session, job: Job) -> Job:
    known = await session.ledger.get(job.id)
    assert known
    return known


def history_of(row: Mapping[str, Any] | None) -> Answerer:
    """Segmind after an hour: the request is gone, and the history returns this."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"request_id": "r-1"})
        if "request-history" in request.url.path and row is not None:
            return httpx.Response(200, json=row)
        return httpx.Response(404, json={"error": "Request r-1 not found"})

    return answer


def gone_with_history(history: Answerer) -> Answerer:
    def answer(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        return history(request) if "request-history" in request.url.path else history_of(None)(request)

    return answer

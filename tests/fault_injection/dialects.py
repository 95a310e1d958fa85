"""The documented responses of each gateway, in its own words."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

Json = Mapping[str, Any]
SUCCESS = {"status_code": 0, "status_msg": "success"}
MINIMAX_CODES = {400: 2013, 401: 2049, 402: 1008, 429: 1002}
"""HTTP status to the code that MiniMax returns under HTTP 200 instead."""


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    """A job that the gateway accepted, and charges for."""

    id: str
    """In the gateway's responses."""
    remote_id: str
    """In our ledger."""
    model: str
    body: Json
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Dialect:
    """Functions from a job's id, and the link of its clip, to the bodies of responses."""

    no_credits: int
    """The status for an account without credits."""
    submitted: Callable[[str], Json]
    finished: Callable[[str, str], Json]
    refused: Callable[[int, str, str], Json]
    """For this status, message and path."""
    new_id: Callable[[], str] = lambda: str(uuid4())
    application: str = ""
    """What precedes the id in our ledger: fal's paths name the application before the request."""
    is_under_200: Callable[[int], bool] = lambda _: False
    """Whether this status is only in the body."""
    rows: str = "data"
    """The field that holds the rows of the history."""
    row: Callable[[AcceptedJob, str], Json] | None = None


def _apixo(task_id: str, link: str) -> Json:
    done = {"taskId": task_id, "state": "success", "resultJson": json.dumps({"resultUrls": [link]})}
    return {"code": 200, "message": "success", "data": done}


def _segmind_row(job: AcceptedJob, link: str) -> Json:
    return {
        "request_id": job.id,
        "model_name": job.model,
        "model_status": "COMPLETED",
        "request_body": job.body,
        "generation_url": link,
        "model_created": job.at.isoformat(),
        "latency_ms": 1000,
        "error": None,
    }


def _fal_h3_row(job: AcceptedJob, _link: str) -> Json:
    return {"request_id": job.id, "sent_at": job.at.isoformat(), "json_input": job.body}


def _fal_row(job: AcceptedJob, link: str) -> Json:
    return {**_fal_h3_row(job, link), "json_output": {"video": {"url": link}}}


def _replicate_row(job: AcceptedJob, link: str) -> Json:
    facts = {"model": "minimax/hailuo-02", "input": job.body["input"], "status": "succeeded", "output": link}
    return {"id": job.id, "created_at": job.at.isoformat(), **facts}


def _minimax_h3_row(job: AcceptedJob, _link: str) -> Json:
    """It has no prompt."""
    facts = {name: job.body[name] for name in ("model", "resolution", "duration", "ratio")}
    return {"id": job.id, "status": "queued", "created_at": int(job.at.timestamp()), **facts}


_AIMLAPI = Dialect(
    no_credits=403,
    new_id=lambda: f"{uuid4()}:minimax/hailuo-02",
    submitted=lambda job_id: {"generation_id": job_id, "status": "queued"},
    finished=lambda job_id, link: {"id": job_id, "status": "completed", "video": {"url": link}, "error": None},
    refused=lambda status, message, path: {"message": message, "statusCode": status, "path": path},
)
_FAL = Dialect(
    no_credits=403,
    submitted=lambda job_id: {"request_id": job_id, "status": "IN_QUEUE"},
    finished=lambda _, link: {"status": "COMPLETED", "video": {"url": link}},
    refused=lambda status, message, _: {"detail": f"{message}. Exhausted balance." if status == 403 else message},
    application="fal-ai/minimax/",
    rows="items",
    row=_fal_row,
)
DIALECTS = {
    "segmind": Dialect(
        no_credits=406,
        submitted=lambda job_id: {"request_id": job_id, "status": "QUEUED"},
        finished=lambda job_id, link: {"request_id": job_id, "status": "COMPLETED", "error": None, "output": link},
        refused=lambda _status, message, _: {"error": message},
        row=_segmind_row,
    ),
    "apixo": Dialect(
        no_credits=402,
        new_id=lambda: f"task_{uuid4().hex}",
        submitted=lambda job_id: {"code": 200, "message": "success", "data": {"taskId": job_id}},
        finished=_apixo,
        refused=lambda status, message, _: {"code": status, "message": message, "data": {"error": message}},
        is_under_200=lambda status: status < 410,
    ),
    "aimlapi": _AIMLAPI,
    "minimax": Dialect(
        no_credits=402,
        new_id=lambda: str(uuid4().int % 10**18),
        submitted=lambda job_id: {"task_id": job_id, "base_resp": SUCCESS},
        finished=lambda job_id, _: {"task_id": job_id, "status": "Success", "file_id": job_id, "base_resp": SUCCESS},
        refused=lambda status, message, _: {
            "base_resp": {"status_code": MINIMAX_CODES.get(status, 0), "status_msg": message}
        },
        is_under_200=lambda status: status in MINIMAX_CODES,
    ),
    "fal": _FAL,
    "replicate": Dialect(
        no_credits=402,
        new_id=lambda: uuid4().hex[:26],
        submitted=lambda job_id: {"id": job_id, "status": "starting"},
        finished=lambda job_id, link: {"id": job_id, "status": "succeeded", "output": link},
        refused=lambda status, message, _: {"detail": message, "status": status},
        rows="results",
        row=_replicate_row,
    ),
    "aimlapi-h3": Dialect(
        no_credits=403,
        refused=_AIMLAPI.refused,
        new_id=lambda: f"{uuid4()}:minimax/h3",
        submitted=lambda job_id: {"id": job_id, "status": "queued"},
        finished=lambda job_id, link: {"id": job_id, "status": "completed", "video": [{"url": link}], "error": None},
    ),
    "minimax-h3": Dialect(
        no_credits=402,
        new_id=lambda: uuid4().hex,
        submitted=lambda job_id: {"task_id": job_id},
        finished=lambda job_id, link: {"task": {"id": job_id, "status": "succeeded", "content": {"url": link}}},
        refused=lambda status, message, _: {
            "type": "error",
            "error": {"type": "error", "message": message, "http_code": str(status)},
        },
        rows="items",
        row=_minimax_h3_row,
    ),
    "fal-h3": replace(_FAL, application="minimax/h3/", row=_fal_h3_row),
}
"""By gateway, with the model after a dash where that has a route or an API of its own."""

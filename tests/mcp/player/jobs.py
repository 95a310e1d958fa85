"""Results of the tools as the view gets them, made with the server's own models."""

import base64
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image

import hailuo_mcp.sandbox
from hailuo_mcp.core.job import utc_now
from hailuo_mcp.mcp.views import JobList, JobView, timestamp

Result = dict[str, Any]
REQUEST_ID = "segmind/hailuo-02-fast/4f0c:9a/7d21"
"""It contains the characters that have to be encoded in a URI."""
CLIP = Path(hailuo_mcp.sandbox.__file__).parent / "preview-6s.mp4"
PROMPT = (
    "A paper lantern drifts over a quiet harbour at dusk; boats rock gently, ripples catch the last light. [Push in] "
    "The camera glides low over the water towards the lantern until it fills the frame, warm and bright, while the "
    "town behind it fades into blue."
)


def result(facts: Result, text: str = "text for the model", *, is_error: bool = False) -> Result:
    return {"content": [{"type": "text", "text": text}], "structuredContent": facts, "isError": is_error}


def job(state: str, **changes: Any) -> Result:
    """A tool's result with a job in this state."""
    now = utc_now()
    facts: Result = {
        "request_id": REQUEST_ID,
        "model": "segmind/hailuo-02-fast",
        "state": state,
        "created_at": timestamp(now - timedelta(seconds=38)),
        "updated_at": timestamp(now),
        "elapsed_seconds": 38.0,
        "estimated_seconds": 95.0,
        "poll_after_seconds": 2 if state in ("queued", "processing", "unconfirmed") else None,
        "video_url": None,
        "video_path": None,
        "expires_at": None,
        "error": None,
        "estimated_cost_usd": 0.15,
        "cost_usd": None,
        "warnings": [],
        "parameters": {
            "prompt": PROMPT,
            "first_frame_image": "https://pictures.example/harbour.png",
            "duration": 6,
            "resolution": "768p",
            "prompt_optimizer": True,
        },
        "duplicate": False,
        "sandbox": False,
        "next_step": "",
        "request": None,
    }
    return result(JobView.model_validate({**facts, **changes}).model_dump(mode="json"))


def cancellable(state: str = "queued") -> Result:
    """A job in this state at a gateway that can cancel queued ones."""
    return {**job(state), "_meta": {"hailuo-mcp/can_cancel": True}}


def offering(answer: Result, *offers: str) -> Result:
    """The answer, with what the server offers for the job, such as `can_continue`."""
    return {**answer, "_meta": {f"hailuo-mcp/{offer}": True for offer in offers}}


def completed(video_url: str | None, **changes: Any) -> Result:
    facts = {"cost_usd": 0.149, "elapsed_seconds": 71.2, "expires_at": timestamp(utc_now() + timedelta(minutes=42.5))}
    return job("completed", **{**facts, "video_url": video_url, **changes})


def problem(code: str, message: str, hint: str, *, charged: str = "no", safe_to_retry: bool = False) -> Result:
    return {"code": code, "message": message, "hint": hint, "charged": charged, "safe_to_retry": safe_to_retry}


def failed(**changes: Any) -> Result:
    error = problem(
        "content_violation",
        "Segmind failed the job: Content violates safety guidelines.",
        "Change the prompt or the image; the same call will be refused again.",
    )
    return job("failed", **{"error": error, **changes})


def expired() -> Result:
    error = problem(
        "expired",
        "Segmind no longer knows this job: results are kept for an hour.",
        "Call generate_video to make a new one.",
        charged="yes",
    )
    return job("expired", error=error)


def unconfirmed(**changes: Any) -> Result:
    error = problem(
        "unconfirmed",
        "The submission was sent to Segmind, and the connection broke before its answer.",
        "get_status looks for it in the request history.",
        charged="unknown",
    )
    return job("unconfirmed", **{"error": error, "request_id": "segmind/hailuo-02-fast/unconfirmed-0a1b", **changes})


def refused() -> Result:
    error = problem(
        "insufficient_credits",
        "Segmind refused the request (406: Insufficient credits).",
        "Top up the account at the gateway, or choose a model of another gateway.",
    )
    return result({"error": error}, is_error=True)


def dry_run() -> Result:
    request = {
        "method": "POST",
        "url": "https://api.segmind.com/v2/hailuo-02-fast",
        "headers": {"Content-Type": "application/json", "x-api-key": "***"},
        "body": {"prompt": "A paper lantern", "duration": 6, "resolution": "768P"},
    }
    return job("dry_run", request_id=None, elapsed_seconds=0.0, request=request)


def row(state: str, prompt: str = PROMPT, *offers: str, **changes: Any) -> tuple[Result, Result]:
    """A job in a list, and its entry in the list's `_meta`; `changes` may be fields of either."""
    more: Result = {
        "cost_usd": None,
        "estimated_cost_usd": 0.15,
        "elapsed_seconds": 38.0,
        "estimated_seconds": 95.0,
        "not_charged": state == "cancelled",
        "sandbox": False,
    }
    facts: Result = {
        "request_id": f"segmind/hailuo-02-fast/{state}-1",
        "model": "segmind/hailuo-02-fast",
        "state": state,
        "created_at": timestamp(utc_now() - timedelta(minutes=3, seconds=20)),
        "prompt": prompt[:80],
        "video_url": None,
        "video_path": None,
        "expires_at": None,
    }
    own = {name: value for name, value in changes.items() if name in facts}
    more |= {name: value for name, value in changes.items() if name in more}
    return {**facts, **own}, {**more, **{f"hailuo-mcp/{offer}": True for offer in offers}}


def listing(*rows: tuple[Result, Result], spent_usd: float = 0.45) -> Result:
    """A result of list_jobs."""
    listed = JobList.model_validate(
        {"jobs": [facts for facts, _ in rows], "total": len(rows), "spent_usd": spent_usd}
    ).model_dump(mode="json")
    return {**result(listed), "_meta": {"hailuo-mcp/rows": [more for _, more in rows]}}


def poster(uri: str) -> Result:
    """The result of reading a poster."""
    buffer = io.BytesIO()
    Image.new("RGB", (320, 180), "teal").save(buffer, "JPEG")
    blob = base64.b64encode(buffer.getvalue()).decode()
    return {"contents": [{"uri": uri, "mimeType": "image/jpeg", "blob": blob}]}


def clip(uri: str, path: Path = CLIP) -> Result:
    """The result of reading a clip as a resource."""
    blob = base64.b64encode(path.read_bytes()).decode()
    return {"contents": [{"uri": uri, "mimeType": "video/mp4", "blob": blob}]}

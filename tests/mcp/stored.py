"""Jobs that are already in the ledger."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger import Budget, SubmitPolicy
from hailuo_mcp.service.poll_policy import POLICY
from hailuo_mcp.service.session import Session
from tests.mcp.calling import FAST_02

AIMLAPI = "aimlapi/hailuo-02"
CLIP = b"\0\0\0\x18ftypisom" + bytes(range(256)) * 50
NO_LIMITS = SubmitPolicy(Budget(frozenset()), timedelta(0))


async def stored_job(session: Session, **facts: Any) -> Job:
    """A job in the ledger with these fields."""
    origin = session.gateways[facts.get("model", FAST_02).split("/")[0]].origin
    fields: dict[str, Any] = {"model": FAST_02, "origin": origin, "parameters": {"prompt": "a red kite"}, **facts}
    job = Job(**fields)
    return (await session.ledger.create_if_absent(job, NO_LIMITS, POLICY.first_poll_at(job))).job


async def saved_clip(session: Session, model_id: str = FAST_02, remote_id: str = "r:1/x") -> tuple[str, Path]:
    """The request id of a job whose clip is saved, and its file."""
    path = session.services.clips.directory / "a-red-kite.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CLIP)
    link = "https://clips.example/x.mp4"  # never requested: tests do not use the network
    facts = {"state": State.COMPLETED, "video_url": link, "video_path": str(path)}
    return (await stored_job(session, model=model_id, remote_id=remote_id, **facts)).request_id, path

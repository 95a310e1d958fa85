"""A job whose clip is saved."""

from pathlib import Path

from hailuo_mcp.core.job import State
from hailuo_mcp.service.session import Session
from tests.mcp.test_prompts import stored_job

FAST_02, AIMLAPI = "segmind/hailuo-02-fast", "aimlapi/hailuo-02"
CLIP = b"\0\0\0\x18ftypisom" + bytes(range(256)) * 50


async def saved_clip(session: Session, model_id: str = FAST_02, remote_id: str = "r:1/x") -> tuple[str, Path]:
    """The request id of a job whose clip is saved, and its file."""
    path = session.services.clips.directory / "a-red-kite.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CLIP)
    link = "https://clips.example/x.mp4"  # never requested: tests do not use the network
    facts = {"state": State.COMPLETED, "video_url": link, "video_path": str(path)}
    return (await stored_job(session, model=model_id, remote_id=remote_id, **facts)).request_id, path

"""Calls to H3, which accepts every kind of file, in the sandbox."""

from pathlib import Path

from tests.support import Opened, Wire, recorded_sandbox, settings_for

H3 = {"model": "minimax/h3", "prompt": "a red kite", "duration": 4}
UPLOAD = "/v1/files/upload"


def sandboxed(directory: Path, **variables: str) -> tuple[Opened, Wire]:
    (directory / "pictures").mkdir(exist_ok=True)
    return recorded_sandbox(settings_for(directory, HAILUO_MCP_SANDBOX="1", **variables))


def uploads(wire: Wire) -> int:
    return sum(request.url.path == UPLOAD for request in wire.posts)

"""The limit on the images of one owner, when many are requested at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.upload_store import PER_OWNER_MAX, UploadStore

OWNER = "a" * 32
CALLS = 2 * PER_OWNER_MAX


def requested_together(stores: list[UploadStore]) -> int:
    """How many of these calls, made at the same time, may upload an image."""
    begin = threading.Barrier(CALLS)

    def want(number: int) -> bool:
        begin.wait()
        try:
            stores[number % len(stores)].want(OWNER, f"{number:032x}", "frame.png")
        except InvalidImage:
            return False
        return True

    with ThreadPoolExecutor(CALLS) as threads:
        return sum(threads.map(want, range(CALLS)))


@pytest.mark.parametrize("servers", [1, 2])
def test_simultaneous_requests_do_not_exceed_the_limit(tmp_path: Path, servers: int) -> None:
    stores = [UploadStore(tmp_path / "uploads") for _ in range(servers)]
    accepted = requested_together(stores)
    assert accepted == len(list((tmp_path / "uploads").iterdir()))
    assert accepted <= PER_OWNER_MAX
    if servers == 1:
        assert accepted == PER_OWNER_MAX

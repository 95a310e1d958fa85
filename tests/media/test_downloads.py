"""Downloading a clip: interrupted, resumed, refused, too large, too slow. Every server is a real one on loopback."""

import asyncio
import gzip
import re
from pathlib import Path

import anyio
import pytest

from hailuo_mcp.core.errors import GatewayError, HailuoError, NetworkError
from hailuo_mcp.media.downloads import DownloadPolicy, LinkBlocked, LinkGone
from tests.media.remote_server import QUICK, RemoteServer, Step, drips, hangs, ranged, raw, says, serving, store_in
from tests.media.samples import clip, completed

CLIP = clip(300_000)
OTHER = clip(300_000, seed=7)
OK = b"HTTP/1.1 200 OK\r\n"
ETAG = 'etag: "v1"'


async def _save(directory: Path, *steps: Step, policy: DownloadPolicy = QUICK) -> tuple[bytes, RemoteServer]:
    async with serving(*steps) as remote:
        path = await store_in(directory, policy=policy).save(completed(remote.url()))
    assert [file.name for file in directory.iterdir()] == [path.name]
    return path.read_bytes(), remote


async def _fails(directory: Path, *steps: Step, policy: DownloadPolicy = QUICK, max_bytes: int = 10**9) -> HailuoError:
    store = store_in(directory, policy=policy, max_bytes=max_bytes)
    async with serving(*steps) as remote:
        with pytest.raises(HailuoError) as failed:
            await store.save(completed(remote.url()))
    store.close()
    assert not list(directory.iterdir())
    assert failed.value.problem.charged == "no"
    return failed.value


async def test_a_clip_that_arrives_complete_is_requested_once(tmp_path: Path) -> None:
    content, remote = await _save(tmp_path, ranged(CLIP))
    assert content == CLIP
    assert remote.ranges == [""]
    assert remote.header("accept-encoding") == ["identity"]


@pytest.mark.parametrize("offset", [0, 1, 8, 1000, 65_536, 150_000, len(CLIP) - 1])
async def test_after_an_interruption_only_the_rest_is_requested(offset: int, tmp_path: Path) -> None:
    content, remote = await _save(tmp_path, ranged(CLIP, cut_after=offset), ranged(CLIP))
    assert content == CLIP
    assert remote.ranges == ["", f"{offset}-" if offset else ""]


async def test_any_number_of_interruptions_is_accepted_while_there_is_progress(tmp_path: Path) -> None:
    content, remote = await _save(tmp_path, ranged(clip(2_000_000), cut_after=70_000))
    assert content == clip(2_000_000)
    assert len(remote.heads) == 29


async def test_interruptions_without_progress_are_an_error_and_leave_no_files(tmp_path: Path) -> None:
    error = await _fails(tmp_path, ranged(CLIP, cut_after=100), ranged(CLIP, cut_after=0))
    assert isinstance(error, NetworkError)
    assert error.problem.safe_to_retry
    assert "after 100 bytes" in error.problem.message


async def test_a_server_that_ignores_ranges_is_read_from_the_beginning(tmp_path: Path) -> None:
    content, remote = await _save(tmp_path, says(200, CLIP[:90_000], ETAG, length=len(CLIP)), says(200, CLIP))
    assert content == CLIP
    assert remote.ranges == ["", "90000-"]


async def test_a_shorter_clip_fully_replaces_a_longer_partial_download(tmp_path: Path) -> None:
    short = clip(50_000)
    assert (await _save(tmp_path, ranged(CLIP, cut_after=90_000), says(200, short)))[0] == short


async def test_a_range_that_starts_earlier_than_requested_is_written_at_its_offset(tmp_path: Path) -> None:
    header = f"content-range: bytes 50000-{len(CLIP) - 1}/{len(CLIP)}"
    content, _ = await _save(tmp_path, ranged(CLIP, cut_after=90_000), says(206, CLIP[50_000:], header))
    assert content == CLIP


@pytest.mark.parametrize(
    "header",
    [
        "content-range: bytes 100000-299999/300000",
        "content-range: bytes 90000-299999/400000",
        "content-range: nonsense",
        "content-range: bytes */300000",
        "x-nothing: header",
    ],
)
async def test_a_range_that_does_not_match_is_discarded_and_the_whole_file_requested(
    header: str, tmp_path: Path
) -> None:
    content, remote = await _save(
        tmp_path, ranged(CLIP, cut_after=90_000), says(206, CLIP[100_000:], header), ranged(CLIP)
    )
    assert content == CLIP
    assert remote.ranges == ["", "90000-", ""]


async def test_an_unrequested_partial_response_is_completed(tmp_path: Path) -> None:
    part = says(206, CLIP[:80_000], ETAG, f"content-range: bytes 0-79999/{len(CLIP)}")
    content, remote = await _save(tmp_path, part, ranged(CLIP))
    assert content == CLIP
    assert remote.ranges == ["", "80000-"]


async def test_parts_of_two_different_clips_are_never_combined(tmp_path: Path) -> None:
    """Whether or not the server honors `If-Range`."""
    steps = ranged(CLIP, cut_after=90_000, etag='"one"'), ranged(OTHER, etag='"two"')
    content, remote = await _save(tmp_path, *steps)
    assert content == OTHER
    assert remote.header("if-range") == ["", '"one"']
    (tmp_path / "other").mkdir()
    careless = says(206, OTHER[90_000:], 'etag: "two"', f"content-range: bytes 90000-{len(OTHER) - 1}/{len(OTHER)}")
    content, remote = await _save(tmp_path / "other", steps[0], careless, steps[1])
    assert content == OTHER
    assert remote.header("if-range") == ["", '"one"', ""]
    assert remote.ranges == ["", "90000-", ""]


OLD, NEW, NOW = (f"Tue, 24 Nov 2026 10:{minute}:00 GMT" for minute in ("00", "30", "40"))


async def test_without_an_etag_last_modified_identifies_the_clip(tmp_path: Path) -> None:
    one, two = [f"date: {NOW}", f"last-modified: {OLD}"], [f"date: {NOW}", f"last-modified: {NEW}"]
    first = ranged(CLIP, cut_after=90_000, etag='W/"weak"', headers=one)
    content, remote = await _save(tmp_path, first, ranged(CLIP, etag="", headers=one))
    assert content == CLIP
    assert (remote.ranges, remote.header("if-range")) == (["", "90000-"], ["", OLD])
    (tmp_path / "other").mkdir()
    content, _ = await _save(tmp_path / "other", first, ranged(OTHER, etag="", headers=two))
    assert content == OTHER


@pytest.mark.parametrize(
    ("etag", "headers"),
    [
        ("", []),
        ('W/"one"', []),
        ("", [f"last-modified: {OLD}"]),
        ("", [f"date: {OLD}", f"last-modified: {OLD}"]),
        ("", [f"date: {NOW}", "last-modified: yesterday"]),
    ],
)
async def test_a_clip_without_a_validator_is_requested_from_the_beginning(
    etag: str, headers: list[str], tmp_path: Path
) -> None:
    cut = ranged(CLIP, cut_after=90_000, etag=etag, headers=headers)
    content, remote = await _save(tmp_path, cut, ranged(OTHER, etag="", headers=headers))
    assert content == OTHER
    assert remote.ranges == remote.header("if-range") == ["", ""]


async def test_repeated_restarts_without_progress_are_an_error(tmp_path: Path) -> None:
    with anyio.fail_after(10):
        assert isinstance(await _fails(tmp_path, ranged(CLIP, cut_after=90_000, etag="")), NetworkError)


async def test_an_interrupted_download_is_resumed_by_the_next_call(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    async with serving(ranged(CLIP, cut_after=100_000), says(503), says(503), says(503), ranged(CLIP)) as remote:
        job = completed(remote.url())
        with pytest.raises(NetworkError, match="after 100000 bytes"):
            await store.save(job)
        progress = store.progress(job.id)
        assert progress
        assert (progress.received, progress.total) == (100_000, len(CLIP))
        assert (await store.save(job)).read_bytes() == CLIP
        assert remote.ranges == ["", *["100000-"] * 4]
    assert store.progress(job.id) is None
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("change", ["link", "file"])
async def test_an_interrupted_download_of_another_link_or_without_its_file_is_not_resumed(
    change: str, tmp_path: Path
) -> None:
    store = store_in(tmp_path)
    async with serving(ranged(CLIP, cut_after=100_000), says(503), says(503), says(503), ranged(OTHER)) as remote:
        job = completed(remote.url())
        with pytest.raises(NetworkError):
            await store.save(job)
        if change == "link":
            job = job.model_copy(update={"video_url": remote.url("/fresh.mp4")})
        else:
            next(tmp_path.iterdir()).unlink()
        assert (await store.save(job)).read_bytes() == OTHER
        assert remote.ranges[-1] == ""
    assert len(list(tmp_path.iterdir())) == 1


async def test_a_416_at_the_end_of_the_file_completes_the_download(tmp_path: Path) -> None:
    unframed = raw(OK + ETAG.encode() + b"\r\n\r\n" + CLIP[:-10])
    rest = says(206, CLIP[-10:], ETAG, f"content-range: bytes {len(CLIP) - 10}-{len(CLIP) - 1}/{len(CLIP) + 5}")
    content, _ = await _save(tmp_path, unframed, rest, says(416, b"", f"content-range: bytes */{len(CLIP)}"))
    assert content == CLIP


async def test_any_other_416_restarts_the_download(tmp_path: Path) -> None:
    content, remote = await _save(tmp_path, ranged(CLIP, cut_after=90_000), says(416), ranged(CLIP))
    assert content == CLIP
    assert remote.ranges == ["", "90000-", ""]


async def test_without_a_length_the_mp4_boxes_show_whether_the_clip_is_complete(tmp_path: Path) -> None:
    content, remote = await _save(tmp_path, raw(OK + ETAG.encode() + b"\r\n\r\n" + CLIP[:200_000]), ranged(CLIP))
    assert content == CLIP
    assert remote.ranges == ["", "200000-"]
    (tmp_path / "other").mkdir()
    content, remote = await _save(tmp_path / "other", raw(OK + b"\r\n" + CLIP))
    assert (content, remote.ranges) == (CLIP, [""])


async def test_a_chunked_clip_is_incomplete_without_its_last_chunk(tmp_path: Path) -> None:
    def chunks(content: bytes) -> bytes:
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in re.findall(b".{1,9999}", content, re.DOTALL))

    head = OK + b"transfer-encoding: chunked\r\n\r\n"
    cut, whole = raw(head + chunks(CLIP)[:-100_000]), raw(head + chunks(CLIP) + b"0\r\n\r\n")
    assert (await _save(tmp_path, cut, whole))[0] == CLIP


async def test_a_compressed_clip_is_decompressed_and_never_resumed(tmp_path: Path) -> None:
    compressed = gzip.compress(CLIP)
    cut = says(200, compressed[: len(compressed) // 2], "content-encoding: gzip", length=len(compressed))
    content, remote = await _save(tmp_path, cut, says(200, compressed, "content-encoding: gzip"))
    assert content == CLIP
    assert remote.ranges == ["", ""]


async def test_a_decompression_bomb_is_stopped(tmp_path: Path) -> None:
    bomb = gzip.compress(CLIP + bytes(40_000_000))
    error = await _fails(tmp_path, says(200, bomb, "content-encoding: gzip"), max_bytes=2_000_000)
    assert "larger than 1 MB" in error.problem.message


@pytest.mark.parametrize(
    "step",
    [
        says(200, CLIP, length=3 * 1024 * 1024),
        raw(OK + b"\r\n" + clip(3 * 1024 * 1024)),
        says(206, CLIP, f"content-range: bytes 0-{len(CLIP) - 1}/{3 * 1024 * 1024}"),
        raw(OK + b"transfer-encoding: chunked\r\n\r\n", b"300000\r\n" + clip(3 * 1024 * 1024)),
    ],
)
async def test_a_clip_over_the_limit_is_refused_naming_the_setting(step: Step, tmp_path: Path) -> None:
    error = await _fails(tmp_path, step, max_bytes=2 * 1024 * 1024)
    assert error.problem.message == "The clip is larger than 2 MB."
    assert "HAILUO_MCP_MAX_VIDEO_MB" in error.problem.hint
    assert not error.problem.safe_to_retry


async def test_a_clip_of_exactly_the_limit_is_accepted(tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        path = await store_in(tmp_path, max_bytes=len(CLIP)).save(completed(remote.url()))
    assert path.read_bytes() == CLIP


@pytest.mark.parametrize("step", [drips, hangs])
async def test_a_download_ends_at_its_deadline_however_slow_the_server(step: Step, tmp_path: Path) -> None:
    began = asyncio.get_running_loop().time()
    error = await _fails(tmp_path, step, policy=DownloadPolicy(total_timeout=0.3))
    assert isinstance(error, NetworkError)
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_stalled_download_is_resumed(tmp_path: Path) -> None:
    async def stalls(head: str, writer: asyncio.StreamWriter) -> None:
        await ranged(CLIP, cut_after=100_000)(head, writer)
        await hangs(head, writer)

    policy = DownloadPolicy(attempts=3, wait_initial=0.001, wait_max=0.001, read_timeout=0.2)
    content, remote = await _save(tmp_path, stalls, ranged(CLIP), policy=policy)
    assert content == CLIP
    assert remote.ranges == ["", "100000-"]


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_link_that_no_longer_works_is_reported_at_once(status: int, tmp_path: Path) -> None:
    error = await _fails(tmp_path, says(status))
    assert isinstance(error, LinkGone)
    assert f"127.0.0.1 (HTTP {status})" in error.problem.message


@pytest.mark.parametrize("status", [401, 403, 407, 451, 511])
async def test_a_link_that_is_refused_is_reported_at_once_with_what_to_check(status: int, tmp_path: Path) -> None:
    error = await _fails(tmp_path, says(status))
    assert isinstance(error, LinkBlocked)
    assert f"refused here: 127.0.0.1 (HTTP {status})" in error.problem.message
    assert "proxy, firewall or VPN" in error.problem.hint


async def test_a_link_that_is_refused_during_the_download_is_reported_as_blocked(tmp_path: Path) -> None:
    assert isinstance(await _fails(tmp_path, ranged(CLIP, cut_after=90_000), says(403)), LinkBlocked)


@pytest.mark.parametrize("step", [says(200, b"<html>log in</html>"), raw(OK + b"\r\n\n <!doctype html><p>log in")])
async def test_a_web_page_instead_of_the_clip_is_reported_as_blocked(step: Step, tmp_path: Path) -> None:
    error = await _fails(tmp_path, step)
    assert isinstance(error, LinkBlocked)
    assert "127.0.0.1 (HTTP 200) sent a web page" in error.problem.message


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_temporary_errors_are_retried(status: int, tmp_path: Path) -> None:
    content, remote = await _save(tmp_path, says(status), says(status), ranged(CLIP))
    assert content == CLIP
    assert len(remote.heads) == 3


async def test_a_persistent_server_error_is_a_network_error(tmp_path: Path) -> None:
    assert isinstance(await _fails(tmp_path, says(503)), NetworkError)


@pytest.mark.parametrize(
    "step", [says(200, b"{}"), says(200), raw(OK + b"\r\nnot yet, come back later"), says(200, CLIP[4:])]
)
async def test_a_response_that_is_not_an_mp4_is_not_saved(step: Step, tmp_path: Path) -> None:
    error = await _fails(tmp_path, step)
    assert isinstance(error, GatewayError)
    assert "did not return an MP4" in error.problem.message


@pytest.mark.parametrize("step", [says(204), says(418), says(416)])
async def test_any_other_status_is_an_error(step: Step, tmp_path: Path) -> None:
    assert "returned status" in (await _fails(tmp_path, step)).problem.message


@pytest.mark.parametrize("step", [raw(b"nonsense\r\n\r\n"), raw(b""), raw(OK + b"content-length: many\r\n\r\nx")])
async def test_a_server_that_does_not_speak_http_is_a_network_error(step: Step, tmp_path: Path) -> None:
    assert isinstance(await _fails(tmp_path, step), NetworkError)


async def test_a_closed_port_is_a_network_error(tmp_path: Path) -> None:
    async with serving(says(200)) as remote:
        pass
    with pytest.raises(NetworkError):
        await store_in(tmp_path).save(completed(remote.url()))

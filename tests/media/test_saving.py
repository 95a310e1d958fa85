"""The output directory: names, existing files, leftovers, and write errors."""

import base64
import os
import resource
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hailuo_mcp.core.errors import GatewayError, HailuoError, InternalError, InvalidInput, NetworkError
from hailuo_mcp.core.job import Job
from hailuo_mcp.media.clips import STALE_SECONDS, file_stem
from hailuo_mcp.media.downloads import LinkBlocked, LinkGone
from tests.media.remote_server import RemoteServer, drips, ranged, says, serving, store_in
from tests.media.samples import clip, completed, without_privileges

CLIP = clip(200_000)
OTHER = clip(200_000, seed=3)
DAY = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _inline(content: bytes = CLIP) -> str:
    return "data:video/mp4;base64," + base64.b64encode(content).decode()


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_file_name_has_day_model_prompt_and_id() -> None:
    assert file_stem(completed(None, created_at=DAY)) == "2026-11-21-hailuo-02-fast-a-red-kite-rises-1f2e3d4c"


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Windows\\system32", "c-windows-system32"),
        ("🪁🪁🪁", ""),
        ("!!! ... ///", ""),
        ("", ""),
        ("[Push in] [Shake] sandbox:slow", ""),
        ("nul con prn", "nul-con-prn"),
        ("name.with.dots. ", "name-with-dots"),
        ("snake_case --dashes--", "snake-case-dashes"),
        ("x" * 2000, "x" * 48),
        ("der rote Drache über München", "der-rote-drache-über-münchen"),
        ("紅い凧が空に昇る " * 50, "紅い凧が空に昇る-紅い凧が空に昇"),
        ("a\x00b\nc\u202ed\ud800e", "a-b-c-d-e"),
    ],
)
def test_a_name_is_safe_whatever_the_prompt(prompt: str, words: str) -> None:
    stem = file_stem(completed(None, created_at=DAY, parameters={"prompt": prompt}))
    assert stem == "-".join(part for part in ("2026-11-21-hailuo-02-fast", words[:48], "1f2e3d4c") if part)
    assert len(f"{stem}-999.mp4".encode()) < 143  # the limit of an encrypted home directory


@settings(max_examples=200)
@given(prompt=st.text(max_size=300), remote_id=st.text(max_size=50), model=st.text(max_size=50))
def test_no_file_name_leaves_the_directory(prompt: str, remote_id: str, model: str) -> None:
    stem = file_stem(completed(None, parameters={"prompt": prompt}, remote_id=remote_id, model=model))
    path = Path("/clips") / f"{stem}.mp4"
    assert path.parent == Path("/clips")
    assert path.name == f"{stem}.mp4"
    assert not stem.startswith((".", "-"))
    assert stem.isprintable()


async def test_no_job_is_saved_outside_the_output_directory(tmp_path: Path) -> None:
    job = completed(_inline(), model="x/../../etc", remote_id="../../../up", parameters={"prompt": "../up"}, key="../k")
    path = await store_in(tmp_path / "clips").save(job)
    assert path.resolve().parent == tmp_path / "clips"
    assert _names(tmp_path) == ["clips"]


# --- existing files ---------------------------------------------------------------------------------------------------


async def test_the_same_clip_is_saved_once(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    first = await store.save(completed(_inline()))
    assert await store.save(completed(_inline())) == first
    assert len(_names(tmp_path)) == 1


async def test_a_saved_clip_is_fetched_again_only_if_its_file_is_gone(tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        job = completed(remote.url())
        job = job.saved(str(await store_in(tmp_path).save(job)))
        assert await store_in(tmp_path).save(job) == Path(job.video_path or "")
        assert len(remote.heads) == 1
        Path(job.video_path or "").unlink()
        assert (await store_in(tmp_path).save(job)).read_bytes() == CLIP


async def test_another_file_with_the_same_name_is_never_replaced(tmp_path: Path) -> None:
    name = f"{file_stem(completed(None))}.mp4"
    (tmp_path / name).write_text("a diary")
    path = await store_in(tmp_path).save(completed(_inline()))
    assert (tmp_path / name).read_text() == "a diary"
    assert path.read_bytes() == CLIP
    other = await store_in(tmp_path).save(completed(_inline(OTHER)))
    assert [p.name.removeprefix(name[:-4]) for p in (path, other)] == ["-2.mp4", "-3.mp4"]


async def test_directories_links_and_pipes_with_the_same_name_are_skipped(tmp_path: Path) -> None:
    stem = file_stem(completed(None))
    (tmp_path / f"{stem}.mp4").mkdir()
    (tmp_path / f"{stem}-2.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / f"{stem}-3.mp4").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / f"{stem}-4.mp4")
    with anyio.fail_after(5):
        path = await store_in(tmp_path).save(completed(_inline()))
    assert path.name == f"{stem}-5.mp4"
    assert not (tmp_path / "nowhere").exists()


async def test_no_file_is_replaced_without_hard_links_either(tmp_path: Path) -> None:
    def refuse(_source: Path, _target: Path) -> None:
        raise PermissionError(1, "no links on this file system")

    store = store_in(tmp_path, hard_link=refuse)
    stem = file_stem(completed(None))
    (tmp_path / f"{stem}.mp4").write_text("a diary")
    path = await store.save(completed(_inline()))
    assert path.read_bytes() == CLIP
    assert await store.save(completed(_inline())) == path
    assert _names(tmp_path) == [f"{stem}-2.mp4", f"{stem}.mp4"]
    assert (tmp_path / f"{stem}.mp4").read_text() == "a diary"


async def test_concurrent_saves_leave_one_complete_file(tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        job = completed(remote.url())
        found: list[Path] = []

        async def save() -> None:
            found.append(await store_in(tmp_path).save(job))

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(save)
    assert len(set(found)) == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [CLIP]


SAVER = """
import sys, anyio
from pathlib import Path
from hailuo_mcp.core.job import Job
from hailuo_mcp.media.clips import ClipStore
async def main():
    job = Job.model_validate_json(sys.argv[2])
    print(await ClipStore(Path(sys.argv[1]), own_hosts=frozenset({"127.0.0.1"})).save(job))
anyio.run(main)
"""


def _saver(directory: Path, job: Job) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SAVER, str(directory), job.model_dump_json()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
async def test_two_concurrent_processes_leave_one_complete_file(tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        savers = [_saver(tmp_path, completed(remote.url())) for _ in range(2)]
        found = {(await anyio.to_thread.run_sync(saver.communicate))[0] for saver in savers}
    assert len(found) == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [CLIP]


# --- leftovers --------------------------------------------------------------------------------------------------------


async def test_the_partial_file_of_a_killed_process_is_removed_later(tmp_path: Path) -> None:
    started = anyio.Event()

    async def endless(head: str, writer: "object") -> None:
        await ranged(CLIP, cut_after=100_000)(head, writer)  # pyright: ignore[reportArgumentType]  a StreamWriter
        started.set()
        await anyio.sleep(30)

    async with serving(endless, ranged(CLIP)) as remote:
        job = completed(remote.url())
        saver = _saver(tmp_path, job)
        with anyio.fail_after(20):
            await started.wait()
            while not any(path.stat().st_size for path in tmp_path.iterdir()):  # noqa: ASYNC110  another process writes
                await anyio.sleep(0.01)
        saver.kill()
        await anyio.to_thread.run_sync(saver.communicate)
        (leftover,) = tmp_path.iterdir()
        assert leftover.name.startswith(".")
        assert leftover.name.endswith(".part")

        path = await store_in(tmp_path).save(job)
        assert _names(tmp_path) == sorted([leftover.name, path.name])  # it might still be in use
        past = time.time() - STALE_SECONDS - 1
        os.utime(leftover, (past, past))
        (tmp_path / ".of-somebody-else.part").touch()
        os.utime(tmp_path / ".of-somebody-else.part", (past, past))
        await store_in(tmp_path).save(completed(remote.url(), remote_id="another"))
        assert not leftover.exists()
        assert (tmp_path / ".of-somebody-else.part").exists()


async def test_a_cancelled_save_leaves_no_files(tmp_path: Path) -> None:
    async with serving(drips) as remote:
        with anyio.move_on_after(0.3):
            await store_in(tmp_path).save(completed(remote.url()))
    assert not _names(tmp_path)


# --- clips inside the response --------------------------------------------------------------------------------------


async def test_a_clip_inside_the_response_is_decoded(tmp_path: Path) -> None:
    for url in (_inline(), _inline().replace("data:", "DATA:"), _inline().replace("+", "%2B")):
        assert (await store_in(tmp_path).save(completed(url))).read_bytes() == CLIP


@pytest.mark.parametrize("url", ["data:video/mp4;base64,", "data:video/mp4;base64,AAA", "data:,", _inline(b"<html>")])
async def test_an_invalid_clip_inside_the_response_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(GatewayError):
        await store_in(tmp_path).save(completed(url))
    assert not _names(tmp_path)


async def test_the_size_limit_applies_to_a_clip_inside_the_response(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="larger than 0 MB"):
        await store_in(tmp_path, max_bytes=100_000).save(completed(_inline()))


async def test_a_job_without_a_link_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(GatewayError) as failed:
        await store_in(tmp_path).save(completed(None))
    assert "get_status" in failed.value.problem.hint


# --- write errors -----------------------------------------------------------------------------------------------------


async def _write_error(directory: Path, remote: RemoteServer) -> HailuoError:
    with pytest.raises(InternalError) as failed:
        await store_in(directory).save(completed(remote.url()))
    problem = failed.value.problem
    assert (problem.charged, problem.safe_to_retry) == ("no", True)
    assert "untouched" in problem.message
    assert "HAILUO_MCP_OUTPUT_DIR" in problem.hint
    return failed.value


async def test_a_missing_directory_is_created(tmp_path: Path) -> None:
    store = store_in(tmp_path / "videos" / "hailuo")
    await store.check()
    assert not _names(store.directory)
    assert (await store.save(completed(_inline()))).is_file()


async def test_a_file_in_place_of_the_directory_is_reported_before_money_is_spent(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("")
    for directory in (tmp_path / "clips", tmp_path / "clips" / "below"):
        with pytest.raises(InvalidInput, match=r"Nothing was submitted\.") as refused:
            await store_in(directory).check()
        assert "HAILUO_MCP_OUTPUT_DIR" in refused.value.problem.hint
        async with serving(ranged(CLIP)) as remote:
            await _write_error(directory, remote)
        assert not remote.heads


async def test_a_read_only_directory_is_reported_before_money_is_spent(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    async with serving(ranged(CLIP)) as remote:
        with without_privileges():
            with pytest.raises(InvalidInput, match="Permission denied"):
                await store_in(tmp_path / "clips").check()
            assert "Permission denied" in (await _write_error(tmp_path / "clips", remote)).problem.message
    tmp_path.chmod(0o700)


@contextmanager
def _files_no_larger_than(size: int) -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_failed_write_leaves_no_files_and_can_be_retried(tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        with _files_no_larger_than(100_000):
            assert "File too large" in (await _write_error(tmp_path, remote)).problem.message
        assert not _names(tmp_path)
        assert (await store_in(tmp_path).save(completed(remote.url()))).read_bytes() == CLIP


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if made.returncode:
        pytest.skip("a file system can only be mounted by root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def test_a_full_disk_is_reported_before_money_is_spent(tiny_disk: Path) -> None:
    with pytest.raises(InvalidInput, match="No space left"):
        await store_in(tiny_disk).check()
    async with serving(ranged(CLIP)) as remote:
        assert "No space left" in (await _write_error(tiny_disk, remote)).problem.message
    assert not _names(tiny_disk)


async def test_concurrent_checks_do_not_disturb_each_other(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(store_in(tmp_path).check)
    assert not _names(tmp_path)


async def test_a_failed_download_leaves_no_files(tmp_path: Path) -> None:
    for step, kind in (
        (says(404), LinkGone),
        (says(500), NetworkError),
        (says(200, b"<html>"), LinkBlocked),
        (ranged(CLIP, cut_after=0), NetworkError),
    ):
        async with serving(step) as remote:
            with pytest.raises(kind):
                await store_in(tmp_path).save(completed(remote.url()))
    assert not _names(tmp_path)

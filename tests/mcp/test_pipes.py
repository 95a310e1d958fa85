"""Lines on the pipes of a host: they are read and written completely, without blocking the event loop."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from hailuo_mcp.mcp.pipes import WITHOUT_BLOCKING, Lines, Output, claimed_stdout

TIMEOUT = 20.0
LARGE = "x" * 300_000 + "\n"
"""More than the capacity of a pipe."""


@pytest.fixture
def pipe() -> Generator[tuple[int, int]]:
    """The reading end, and the writing end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


async def read(descriptor: int) -> list[str]:
    async with asyncio.timeout(TIMEOUT):
        return [line async for line in Lines(descriptor)]


def start_feeder(descriptor: int, *chunks: bytes) -> threading.Thread:
    """Start a thread that writes these chunks and then closes the descriptor."""

    def feed() -> None:
        for chunk in chunks:
            os.write(descriptor, chunk)
            time.sleep(0.01)  # so that each is read separately
        os.close(descriptor)

    thread = threading.Thread(target=feed)
    thread.start()
    return thread


CHUNKS = b"one\ntw", b"o\n\n  \nthr", b"ee \xff\nfour"
EXPECTED = ["one", "two", "three \N{REPLACEMENT CHARACTER}", "four"]


@pytest.mark.parametrize("blocking", [True, False])
async def test_lines_are_read_completely_however_they_are_split(blocking: bool) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, blocking)
    feeder = start_feeder(writing, *CHUNKS)
    assert await read(reading) == EXPECTED
    feeder.join()
    os.close(reading)


async def test_a_very_long_line_is_read_completely() -> None:
    reading, writing = os.pipe()
    long = b"y" * 3_000_000
    feeder = threading.Thread(target=lambda: (os.writev(writing, [long, b"\nshort"]), os.close(writing)))
    feeder.start()
    lines = await read(reading)
    assert [len(line) for line in lines] == [len(long), 5]
    feeder.join()
    os.close(reading)


async def test_lines_are_read_from_a_file_which_event_loops_cannot_watch(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(b"".join(CHUNKS))
    descriptor = os.open(file, os.O_RDONLY)
    assert await read(descriptor) == EXPECTED
    os.close(descriptor)


async def test_a_closed_stdin_has_no_lines() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    assert await read(reading) == []


async def test_a_closed_terminal_has_no_more_lines() -> None:
    near, far = socket.socketpair()
    far.sendall(b"one\n")
    far.close()
    assert await read(near.fileno()) == ["one"]
    near.close()


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("in_loop", [WITHOUT_BLOCKING, 0])
async def test_output_is_written_completely_without_blocking_the_loop(
    pipe: tuple[int, int], blocking: bool, in_loop: int
) -> None:
    reading, writing = pipe
    os.set_blocking(writing, blocking)
    output = Output(writing, in_loop)
    received = bytearray()

    async def write() -> None:
        for text in ("short\n", LARGE, "last\n"):
            await output.write(text)
            await output.flush()

    async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        for _ in range(5):  # nothing is read yet, but this task still runs
            await asyncio.sleep(0.01)
        expected_bytes = len("short\n" + LARGE + "last\n")
        while len(received) < expected_bytes:
            received += await asyncio.to_thread(os.read, reading, 1 << 16)
    assert received.decode() == "short\n" + LARGE + "last\n"


def test_other_output_goes_to_stderr_while_stdout_is_claimed(capfd: pytest.CaptureFixture[str]) -> None:
    with claimed_stdout() as descriptor:
        os.write(1, b"stray\n")
        os.write(descriptor, b"message\n")
    os.write(1, b"after\n")
    captured = capfd.readouterr()
    assert captured.out == "message\nafter\n"
    assert captured.err == "stray\n"

"""Running one piece of work with an open studio."""

import logging
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import anyio

from hailuo_mcp.app import build_studio, load_settings, set_up_logging
from hailuo_mcp.cli.output import stderr_console
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.service.session import Session

T = TypeVar("T")

NOTICE_SECONDS = 0.1


def read_environment() -> Settings:
    """The settings, and the log as they say. What a command has to say it says itself: unless the user asked for a log,
    only errors are in it.

    Raises:
        SettingsError: a value is wrong.
    """
    settings = load_settings()
    set_up_logging(settings)
    if "log_level" not in settings.model_fields_set:
        logging.getLogger("hailuo_mcp").setLevel(logging.ERROR)
    return settings


def with_session(work: Callable[[Session], Awaitable[T]]) -> T:
    """Open the studio that the environment describes, do the work, close it.

    Raises:
        SettingsError, HailuoError: as they come; `group.run` prints them.
        KeyboardInterrupt: Ctrl-C.
    """
    settings = read_environment()

    async def session() -> T:
        async with build_studio(settings) as session:
            return await work(session)

    return anyio.run(session)


@contextmanager
def interrupt_held_back() -> Generator[None]:
    """Ctrl-C takes effect once the block is done: a submission that is cut is a job without an id. Pressed twice, it
    takes effect at once."""
    pressed = False

    def hold(_signal: int, _frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        stderr_console().print("Waiting for the answer to the submission, so that its id is not lost…")

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def interrupt_at_once() -> Generator[None]:
    """Ctrl-C ends a question: left to the event loop, it would wait for the answer."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupt_noted() -> Generator[Callable[[], Awaitable[None]]]:
    """Yields a wait for Ctrl-C, which then no longer interrupts by itself. Pressed twice, it takes effect at once."""
    noted = False

    def note(_signal: int, _frame: object) -> None:
        nonlocal noted
        if noted:
            raise KeyboardInterrupt
        noted = True

    async def pressed() -> None:
        while not noted:  # noqa: ASYNC110  a handler of signals cannot wake an event loop on every system
            await anyio.sleep(NOTICE_SECONDS)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)

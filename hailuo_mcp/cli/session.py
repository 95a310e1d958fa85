"""Running a command's work with an open session."""

import logging
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import click

from hailuo_mcp.app import build_services, load_settings, set_up_logging
from hailuo_mcp.cli.output import stderr_console
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.service.poll_policy import POLICY, PollPolicy
from hailuo_mcp.service.session import Session

T = TypeVar("T")

_CHECK_SECONDS = 0.1


def read_environment() -> Settings:
    """The settings, with logging set up. Commands print what they have to say themselves: unless the user set a log
    level, only errors are logged.

    Raises:
        SettingsError: a value is wrong.
    """
    settings = load_settings()
    set_up_logging(settings)
    if "log_level" not in settings.model_fields_set:
        logging.getLogger("hailuo_mcp").setLevel(logging.ERROR)
    return settings


def with_session(work: Callable[[Session], Awaitable[T]]) -> T:
    """Open a session from the environment, do the work, close it.

    Raises:
        SettingsError, HailuoError: `group.run` prints them.
        KeyboardInterrupt: Ctrl-C.
    """
    settings = read_environment()
    policy = click.get_current_context().find_object(PollPolicy) or POLICY

    async def run() -> T:
        async with build_services(settings, poll_policy=policy) as services:
            return await work(Session(services))

    return anyio.run(run)


@contextmanager
def interrupt_held_back() -> Generator[None]:
    """Ctrl-C takes effect after the block: a submission that is cut off is a job without an id. A second Ctrl-C takes
    effect immediately."""
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
    """Ctrl-C ends a prompt, instead of waiting for the event loop until it is answered."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupt_noted() -> Generator[Callable[[], Awaitable[None]]]:
    """Yields a function that waits for Ctrl-C, which no longer interrupts by itself. A second Ctrl-C interrupts."""
    noted = False

    def note(_signal: int, _frame: object) -> None:
        nonlocal noted
        if noted:
            raise KeyboardInterrupt
        noted = True

    async def pressed() -> None:
        while not noted:  # noqa: ASYNC110  a signal handler cannot wake the event loop on every system
            await anyio.sleep(_CHECK_SECONDS)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)

"""Running a command's work with an open session."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TypeVar

import anyio
import click

from hailuo_mcp.app import build_services, load_settings, set_up_logging
from hailuo_mcp.cli.output import stderr_console
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.core.signals import run_until_signalled, signals_handled
from hailuo_mcp.service.poll_policy import POLICY, PollPolicy
from hailuo_mcp.service.session import Session

T = TypeVar("T")


def read_environment() -> Settings:
    """Read the settings, and set up logging. Commands print their own messages, so unless the user set a log level,
    only errors are logged.

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
        KeyboardInterrupt: Ctrl-C, or another signal that asks the process to end.
    """
    settings = read_environment()
    policy = click.get_current_context().find_object(PollPolicy) or POLICY

    async def run() -> T:
        async with build_services(settings, poll_policy=policy) as services:
            return await work(Session(services))

    return run_until_signalled(run)


@contextmanager
def interrupt_held_back() -> Generator[None]:
    """Delay signals until the end of the block: interrupting a submission would lose the job's id."""
    held: list[int] = []

    def hold(number: int, _frame: object) -> None:
        if not held:
            stderr_console().print("Waiting for the response to the submission, so that its id is not lost…")
        held.append(number)

    with signals_handled(hold):
        yield
    if held:
        signal.raise_signal(held[0])


def interrupt_at_once() -> AbstractContextManager[object]:
    """Within the block, Ctrl-C interrupts at once, for a prompt that blocks the event loop."""
    return signals_handled(signal.default_int_handler)


@contextmanager
def interrupt_noted() -> Generator[anyio.Event]:
    """Yield an event that a signal sets. The first signal does not interrupt; a second one does."""
    loop, pressed, noted = asyncio.get_running_loop(), anyio.Event(), False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noted
        if noted and callable(interrupt := before.get(number)):
            interrupt(number, frame)
        noted = True
        loop.call_soon_threadsafe(pressed.set)  # also wakes the loop

    with signals_handled(note) as before:
        yield pressed

"""What is being worked on, for the log and for spans, without handing it from call to call. Tasks started meanwhile
inherit it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class LogContext:
    """The job and the tenant that this call or task is about; empty where there is none."""

    request_id: str = ""
    tenant: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Keys that came with the call, so that the log masks them too."""


_NOBODY = LogContext()
_ABOUT: ContextVar[LogContext] = ContextVar("hailuo_mcp_about", default=_NOBODY)


def current() -> LogContext:
    return _ABOUT.get()


@contextmanager
def log_context(
    *, request_id: str | None = None, tenant: str | None = None, secrets: tuple[str, ...] = ()
) -> Generator[None]:
    """Within this, log lines and spans carry these; what is left out stays as it was."""
    was = _ABOUT.get()
    now = replace(
        was,
        request_id=was.request_id if request_id is None else request_id,
        tenant=was.tenant if tenant is None else tenant,
        secrets=was.secrets + secrets,
    )
    token = _ABOUT.set(now)
    try:
        yield
    finally:
        _ABOUT.reset(token)


def set_caller(tenant: str, secrets: tuple[str, ...] = ()) -> None:
    """For the rest of this task, which serves one call: who calls, and the keys that came along."""
    _ABOUT.set(replace(_ABOUT.get(), tenant=tenant, secrets=secrets))

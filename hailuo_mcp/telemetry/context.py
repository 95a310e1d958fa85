"""The current job and tenant, for log lines and spans, without passing them to every function. Tasks inherit them from
the task that starts them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class LogContext:
    """The job and the tenant that this call or task belongs to; empty if there is none."""

    request_id: str = ""
    tenant: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Keys sent with the call, so that the log masks them too."""


_CONTEXT: ContextVar[LogContext] = ContextVar("hailuo_mcp_log_context", default=LogContext())  # noqa: B039  frozen


def current() -> LogContext:
    return _CONTEXT.get()


@contextmanager
def log_context(
    *, request_id: str | None = None, tenant: str | None = None, secrets: tuple[str, ...] = ()
) -> Generator[None]:
    """Within this, log lines and spans have these values; None leaves a value unchanged."""
    previous = _CONTEXT.get()
    context = replace(
        previous,
        request_id=previous.request_id if request_id is None else request_id,
        tenant=previous.tenant if tenant is None else tenant,
        secrets=previous.secrets + secrets,
    )
    token = _CONTEXT.set(context)
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def set_caller(tenant: str, secrets: tuple[str, ...] = ()) -> None:
    """Set the tenant and the keys of the call that this task serves, for the rest of the task."""
    _CONTEXT.set(replace(_CONTEXT.get(), tenant=tenant, secrets=secrets))

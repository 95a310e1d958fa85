"""Searching a gateway's history for a submission whose response was lost."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from hailuo_mcp.core.errors import GatewayError, InvalidInput
from hailuo_mcp.core.job import Job, Observation
from hailuo_mcp.core.request_id import checked_remote_id

WINDOW = timedelta(minutes=5)
"""A row can match a submission only if they are this close in time."""
PAGES_MAX = 5


def is_near(made: datetime | None, job: Job) -> bool:
    return made is not None and abs(made - job.created_at) <= WINDOW


def only(candidates: Mapping[str, Observation]) -> tuple[str, Observation] | None:
    """The remote id and the state of the only candidate: none, or more than one, proves nothing."""
    if len(candidates) != 1:
        return None
    ((remote_id, seen),) = candidates.items()
    try:
        return checked_remote_id(remote_id), seen
    except InvalidInput:
        return None


def too_long(title: str) -> GatewayError:
    """The error for too many rows to search; those already seen prove nothing."""
    return GatewayError(f"{title}'s history has too many rows to search.")


def unreadable(title: str) -> GatewayError:
    """The error for a response that is not a page of a history, and so cannot prove that a job is missing."""
    return GatewayError(f"{title}'s history answered in an unknown form.")

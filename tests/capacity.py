"""The load that many jobs in flight put on a gateway, the database and the servers: calculated from the values in the
code, for `docs/capacity.md`."""

from datetime import timedelta

from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.gateways import GATEWAYS, exchange
from hailuo_mcp.ledger.postgres import database
from hailuo_mcp.service.poll_policy import POLICY
from hailuo_mcp.service.worker import WorkerLimits
from tests.tables import table

WORKER = WorkerLimits()
JOBS = (1_000, 10_000, 100_000)
SERVERS = 5
POLL_SECONDS = 0.5
"""A poll's round trip and three writes; a guess, to be replaced by a measurement."""
TRANSACTIONS_PER_POLL = 3
"""Lease, change, release. A lease takes several jobs at once if several are due."""
NOTIFICATIONS_PER_JOB = 5
"""Created, accepted, processing, completed, saved."""
CLIP_MB = 5
KINDS = (
    ("80 s, known", 80.0, 80.0),
    ("120 s, known", 120.0, 120.0),
    ("173 s, known", 173.0, 173.0),
    ("120 s, nothing published or learned", None, 120.0),
    ("9 minutes, 120 s expected", 120.0, 540.0),
)
"""A kind of job: its name, what is expected of it, and how long it takes."""


def poll_times(expected: float | None, takes: float) -> list[float]:
    """When the worker polls a job, in seconds from its submission, until it sees the end."""
    job = Job(model="segmind/hailuo-02-fast", origin="https://x", state=State.PROCESSING, estimated_seconds=expected)
    times = [POLICY.come_back_after(job, job.created_at)]
    while times[-1] < takes:
        aged = job.model_copy(update={"created_at": utc_now() - timedelta(seconds=times[-1])})
        delay = POLICY.in_background(aged, utc_now())
        assert delay
        times.append(round(times[-1] + delay.total_seconds(), 1))
    return times


def cadence() -> str:
    rows: list[tuple[str, ...]] = []
    for name, expected, takes in KINDS:
        times = poll_times(expected, takes)
        rows.append(
            (name, str(len(times)), ", ".join(f"{moment:.0f}" for moment in times), f"{times[-1] - takes:.0f} s")
        )
    return table(("a job of", "polls", "at, in seconds", "noticed late by"), rows)


def load() -> str:
    takes = 120.0
    each = len(poll_times(takes, takes))
    models = [model for gateway in GATEWAYS for model in gateway.models]
    cheapest = min(spread[0] for model in models if (spread := model.price_range()))
    rows: list[tuple[str, ...]] = []
    for jobs in JOBS:
        started = jobs / takes
        polls = jobs * each / takes
        rows.append(
            (
                f"{jobs:,}",
                f"{started:,.0f}",
                f"{polls:,.0f}",
                f"{polls * 60:,.0f}",
                f"{polls * POLL_SECONDS:,.0f}",
                f"{-(-polls * POLL_SECONDS // WORKER.at_once):,.0f}",
                f"{polls * TRANSACTIONS_PER_POLL + started * NOTIFICATIONS_PER_JOB:,.0f}",
                f"{started * NOTIFICATIONS_PER_JOB * SERVERS:,.0f}",
                f"{started * CLIP_MB * 3600 / 1000:,.0f}",
                f"{started * 86400 * cheapest / 1e6:,.2g}",
            )
        )
    head = (
        *("jobs in flight", "submitted a second", "polls a second", "polls a minute", "steps at once"),
        *(
            "servers by steps",
            "transactions a second",
            f"notifications a second to {SERVERS} servers",
            "GB of clips an hour",
            "million US$ a day, at least",
        ),
    )
    return table(head, rows)


def limits() -> str:
    listener = 1
    rows = [
        ("requests to one gateway at once, a server and account", str(exchange.CONNECTIONS)),
        ("steps of the worker at once, a server", str(WORKER.at_once)),
        ("steps a second, a server", f"{WORKER.at_once / POLL_SECONDS:.0f}"),
        ("connections to PostgreSQL, a server", str(database.POOL_SIZE + listener)),
        (f"connections to PostgreSQL, {SERVERS} servers", str(SERVERS * (database.POOL_SIZE + listener))),
        ("takeover of a dead server's jobs", f"{WORKER.lease.total_seconds():.0f} s"),
    ]
    return table(("figure", "value"), rows)

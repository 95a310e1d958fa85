"""How often a job is polled while a caller waits. `benchmarks/waiting.py` measures the same over real sockets."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_mcp.core.job import IN_PROCESS, Job, State, utc_now
from hailuo_mcp.service.poll_policy import POLICY


def _polls(ends: float, usual: float | None) -> list[float]:
    """When a job that ends at this time is polled, in seconds after its submission."""
    moments = [0.0]
    while moments[-1] < ends:
        moments.append(moments[-1] + POLICY.to_next_poll(moments[-1], usual))
    return moments


@pytest.mark.parametrize("ends", [20, 27, 34])
def test_job_of_unknown_length_is_polled_at_most_12_times_and_noticed_within_3_s(ends: float) -> None:
    polls = _polls(ends, None)
    assert len(polls) <= 12
    assert polls[-1] - ends <= 3


@given(usual=st.floats(10, 600), off=st.floats(-0.2, 0.2))
def test_job_of_learned_length_is_polled_three_times(usual: float, off: float) -> None:
    polls = _polls(usual + off, usual)
    assert len(polls) <= 4
    assert polls[-1] - usual - off <= 0.6


@given(elapsed=st.floats(0, 100_000), usual=st.none() | st.floats(0, 10_000))
def test_poll_interval_is_positive_and_bounded(elapsed: float, usual: float | None) -> None:
    assert 0 < POLICY.to_next_poll(elapsed, usual) <= max(elapsed / 12, (usual or 0) / 2 + 1, 9)


JUMPS = st.sampled_from([-400, -7, -1, -0.1, 0, 0.1, 1, 8, 400]).map(lambda days: timedelta(days=days))
JOBS = st.builds(
    Job,
    model=st.just("segmind/hailuo-02-fast"),
    origin=st.sampled_from(["https://api.example", IN_PROCESS]),
    state=st.sampled_from([State.UNCONFIRMED, State.QUEUED, State.PROCESSING, State.COMPLETED]),
    polls=st.integers(0, POLICY.polls_min - 1),
    estimated_seconds=st.none() | st.floats(1, 3600),
    estimate_learned=st.booleans(),
)


@given(job=JOBS, jump=JUMPS, polled=JUMPS)
def test_job_is_polled_within_two_minutes_whatever_the_clock_says(job: Job, jump: timedelta, polled: timedelta) -> None:
    now = job.created_at + jump
    job = job.model_copy(update={"polled_at": now + polled})
    assert 0 < POLICY.while_waiting(job, now) <= 120
    assert 0 < POLICY.come_back_after(job, now) <= (120 if job.lacks_link else 30)
    delay = POLICY.in_background(job, now)
    assert delay
    assert timedelta(0) < delay <= timedelta(seconds=120)
    assert job.since_poll(now) == (timedelta.max if polled > timedelta(0) else -polled)


def test_missing_link_is_polled_at_growing_intervals_for_fifteen_minutes() -> None:
    job = Job(model="segmind/hailuo-02-fast", origin="https://api.example", state=State.COMPLETED)
    seconds, intervals = 0.0, list[float]()
    while not POLICY.link_is_given_up(job, job.created_at + timedelta(seconds=seconds)):
        intervals.append(POLICY.while_waiting(job, job.created_at + timedelta(seconds=seconds)))
        seconds += intervals[-1]
    assert intervals == sorted(intervals)
    assert (intervals[0], intervals[-1]) == (5, 120)
    assert 10 <= len(intervals) <= 20
    assert 900 <= seconds <= 1020
    assert not POLICY.link_is_given_up(job.model_copy(update={"video_url": "https://x/1.mp4"}), job.created_at)


def test_caller_is_asked_to_poll_after_half_of_the_remaining_time() -> None:
    def job(state: State = State.QUEUED, **fields: Any) -> Job:
        return Job(model="segmind/hailuo-02-fast", origin="https://api.example", state=state, **fields)

    running = job(estimated_seconds=100)
    began = running.created_at
    waits = [POLICY.come_back_after(running, began + timedelta(seconds=s)) for s in (0, 60, 96, 400, 10_000)]
    assert waits == [30, 20, pytest.approx(9.6), 30, 30]
    unknown = POLICY.come_back_after(job(), utc_now())
    assert unknown == POLICY.come_back_after(job(State.UNCONFIRMED), utc_now()) > 0
    sandboxed = Job(model="a/b", origin=IN_PROCESS, state=State.QUEUED)
    assert POLICY.come_back_after(sandboxed, utc_now()) < unknown

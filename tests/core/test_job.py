"""The job and its state transitions."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hailuo_mcp.core.errors import Problem
from hailuo_mcp.core.job import FRESH_POLL, Job, Observation, State, utc_now

MODEL = "segmind/hailuo-02-fast"
CLIP = "https://cdn.example/clip.mp4"
PROBLEM = Problem(code="gateway_error", message="broken", charged="unknown")
REFUSAL = Problem(code="invalid_input", message="no", charged="no")
HOUR = timedelta(hours=1)


def job(state: State = State.QUEUED, **fields: object) -> Job:
    return Job.model_validate({"model": MODEL, "origin": "https://gateway.example", "state": state, **fields})


# --- states -------------------------------------------------------------------------------------------------------

observations = st.builds(
    Observation,
    state=st.sampled_from(State),
    video_url=st.none() | st.just(CLIP),
    error=st.none() | st.just(PROBLEM),
    cost_usd=st.none() | st.floats(0, 10),
    took_seconds=st.none() | st.floats(0, 1000),
    sandbox=st.booleans(),
)


@given(st.lists(observations, max_size=12))
def test_a_state_never_goes_backward(sequence: list[Observation]) -> None:
    current = job(State.UNCONFIRMED)
    for observation in sequence:
        before, current = current, current.apply_observation(observation)
        revived = before.state is State.EXPIRED and current.state is State.COMPLETED
        assert current.state.rank >= before.state.rank
        if before.state.is_terminal:
            assert current.state is before.state or revived
            assert current.ended_at == before.ended_at
        if current.state.is_terminal and not before.state.is_terminal:
            assert current.ended_at is not None
        assert not before.video_url or current.video_url, "a link once known is never lost"
        assert current.sandbox >= before.sandbox, "a sandbox job never becomes a real one"
        assert current.polled_at is not None


def test_states_have_a_fixed_order_and_share_the_last_rank_when_terminal() -> None:
    assert [state.rank for state in State] == [0, 1, 2, 3, 3, 3, 3]
    assert [state for state in State if state.is_terminal] == list(State)[3:]


@pytest.mark.parametrize("end", [state for state in State if state.is_terminal])
@pytest.mark.parametrize("state", list(State))
def test_a_terminal_job_keeps_its_state(end: State, state: State) -> None:
    found_again = end is State.EXPIRED and state is State.COMPLETED
    after = job(end).apply_observation(Observation(state=state, error=PROBLEM))
    assert after.state is (State.COMPLETED if found_again else end)


def test_an_expired_job_may_turn_out_to_be_completed_and_a_failed_one_may_not() -> None:
    observation = Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.2)
    expired = job(State.EXPIRED, error=PROBLEM)
    revived = expired.apply_observation(observation)
    assert (revived.state, revived.video_url, revived.error, revived.cost_usd) == (State.COMPLETED, CLIP, None, 0.2)
    assert job(State.FAILED, error=PROBLEM).apply_observation(observation).state is State.FAILED


def test_a_completed_job_without_a_link_accepts_one_later() -> None:
    bare = job().apply_observation(Observation(state=State.COMPLETED))
    assert (bare.state, bare.is_final, bare.has_clip) == (State.COMPLETED, False, False)
    full = bare.apply_observation(Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.1))
    assert (full.is_final, full.video_url, full.cost_usd) == (True, CLIP, 0.1)


def test_the_link_of_an_unfinished_job_is_ignored() -> None:
    observation = Observation(state=State.QUEUED, video_url=CLIP)
    assert job(State.PROCESSING).apply_observation(observation).video_url is None


def test_a_failed_job_keeps_its_error() -> None:
    failed = job().apply_observation(Observation(state=State.FAILED, error=PROBLEM))
    assert (failed.state, failed.error, failed.is_final) == (State.FAILED, PROBLEM, True)
    assert failed.apply_observation(Observation(state=State.COMPLETED)).error == PROBLEM


def test_an_accepted_unconfirmed_job_becomes_queued() -> None:
    open_job = job(State.UNCONFIRMED, error=PROBLEM)
    assert open_job.request_id == f"{MODEL}/unconfirmed-{open_job.id}"
    taken = open_job.accepted("r/1", retention=HOUR, sandbox=True)
    assert (taken.state, taken.error, taken.request_id, taken.sandbox) == (State.QUEUED, None, f"{MODEL}/r/1", True)
    assert taken.expires_at == taken.created_at + HOUR
    again = taken.apply_observation(Observation(state=State.PROCESSING)).accepted("r2", retention=None, sandbox=False)
    assert (again.state, again.remote_id, again.expires_at) == (State.PROCESSING, "r/1", taken.expires_at)
    assert open_job.accepted("r", retention=None, sandbox=False).expires_at is None


def test_a_failed_job_that_is_accepted_late_keeps_its_failure() -> None:
    failed = job(State.UNCONFIRMED).refused(REFUSAL).accepted("r1", retention=None, sandbox=False)
    assert (failed.state, failed.error) == (State.FAILED, REFUSAL)


def test_a_refused_job_fails_and_costs_nothing() -> None:
    refused = job(State.UNCONFIRMED, budget_cost_usd=0.4).refused(REFUSAL)
    assert (refused.state, refused.not_charged, refused.budget_cost) == (State.FAILED, True, 0)
    assert refused.ended_at is not None
    assert refused.refused(PROBLEM).error == REFUSAL


def test_a_lost_response_leaves_the_job_unconfirmed_and_in_the_budget() -> None:
    lost = job(State.UNCONFIRMED, budget_cost_usd=0.4).mark_unconfirmed(PROBLEM)
    assert (lost.state, lost.error, lost.budget_cost) == (State.UNCONFIRMED, PROBLEM, 0.4)
    assert job(State.QUEUED).mark_unconfirmed(PROBLEM).error is None


def test_a_reported_cost_overrides_the_estimate() -> None:
    done = job(budget_cost_usd=0.4).apply_observation(Observation(state=State.COMPLETED, cost_usd=0.1))
    assert done.budget_cost == 0.1
    assert done.apply_observation(Observation(state=State.COMPLETED)).cost_usd == 0.1


def test_the_cost_estimate_uses_only_published_and_reported_prices() -> None:
    unpriced = job(budget_cost_usd=0.4)
    assert (unpriced.budget_cost, unpriced.cost_estimate) == (0.4, 0)
    assert job(budget_cost_usd=0.4, estimated_cost_usd=0.2).cost_estimate == 0.2
    assert unpriced.apply_observation(Observation(state=State.COMPLETED, cost_usd=0.1)).cost_estimate == 0.1
    assert job(State.FAILED, estimated_cost_usd=0.2, error=REFUSAL).cost_estimate == 0


def test_a_job_the_gateway_no_longer_knows_expires_unless_it_is_final() -> None:
    gone = job(State.PROCESSING).mark_expired(PROBLEM)
    assert (gone.state, gone.error) == (State.EXPIRED, PROBLEM)
    assert gone.polled_at, "the time of the last poll decides when the next one is allowed"
    assert job(State.COMPLETED).mark_expired(PROBLEM).state is State.EXPIRED
    assert job(State.COMPLETED, video_url=CLIP).mark_expired(PROBLEM).state is State.COMPLETED
    assert job(State.COMPLETED, video_path="x.mp4").mark_expired(PROBLEM).state is State.COMPLETED
    assert job(State.FAILED).mark_expired(PROBLEM).state is State.FAILED


def test_took_seconds_is_reported_or_observed_closely_or_unknown() -> None:
    done = Observation(state=State.COMPLETED)
    assert job().apply_observation(Observation(state=State.COMPLETED, took_seconds=73)).took_seconds == 73
    assert job().apply_observation(done).took_seconds is None
    watched = job(created_at=utc_now() - HOUR, polled_at=utc_now() - FRESH_POLL / 2)
    assert watched.apply_observation(done).took_seconds == pytest.approx(3600, abs=5)
    assert job(polled_at=utc_now() - FRESH_POLL * 2).apply_observation(done).took_seconds is None
    assert (
        job(polled_at=utc_now()).apply_observation(Observation(state=State.FAILED, took_seconds=3)).took_seconds is None
    )


def test_elapsed_time_stops_at_the_end_and_is_never_negative() -> None:
    running = job()
    assert running.elapsed_seconds(running.created_at + HOUR) == 3600
    assert running.elapsed_seconds(running.created_at - HOUR) == 0
    ended = job(State.COMPLETED, created_at=utc_now() - HOUR, ended_at=utc_now() - HOUR / 2)
    assert ended.elapsed_seconds(utc_now() + HOUR) == pytest.approx(1800, abs=5)


def test_a_warning_is_added_once() -> None:
    warned = job().warned("a", "b").warned("b", "c")
    assert warned.warnings == ("a", "b", "c")
    assert warned.warned("a") is warned


def test_a_failed_poll_changes_only_the_time_of_the_poll() -> None:
    polled = job().touch()
    assert polled.polled_at is not None
    assert polled.state is State.QUEUED


def test_a_saved_clip_has_its_path() -> None:
    saved = job(State.COMPLETED).saved("/tmp/x.mp4")
    assert (saved.video_path, saved.is_final) == ("/tmp/x.mp4", True)


def test_the_excerpt_is_the_start_of_the_prompt() -> None:
    assert job(parameters={"prompt": "x" * 100}).excerpt == "x" * 80
    assert job().prompt == ""


def test_a_job_is_frozen() -> None:
    with pytest.raises(ValidationError):
        job().state = State.FAILED


def test_a_job_survives_a_json_round_trip() -> None:
    full = job(State.COMPLETED, error=PROBLEM, warnings=("a",), expires_at=utc_now(), parameters={"duration": 6})
    assert Job.model_validate_json(full.model_dump_json()) == full


def test_the_stored_document_keeps_the_names_that_earlier_versions_wrote() -> None:
    stored = job(id="abc", uses_caller_key=True).model_dump_json()
    assert stored.startswith(f'{{"key":"abc","model":"{MODEL}","origin":"https://gateway.example",')
    assert '"tenant":"","own_key":true,"remote_id":null,' in stored
    assert (read := Job.model_validate_json(stored)).id == "abc"
    assert read.uses_caller_key


def test_a_warning_about_an_observation_lasts_until_the_next_one() -> None:
    odd = Observation(state=State.PROCESSING, warnings=("unknown state", "lasting"))
    observed = job(warnings=("lasting",)).apply_observation(odd).apply_observation(odd)
    assert observed.warnings == ("lasting", "unknown state")
    stored = Job.model_validate_json(observed.model_dump_json())
    assert stored.apply_observation(Observation(state=State.COMPLETED)).warnings == ("lasting",)


def test_a_cost_is_rounded_to_a_millionth_of_a_dollar() -> None:
    assert Observation(state=State.COMPLETED, cost_usd=6.175368000000001).cost_usd == 6.175368

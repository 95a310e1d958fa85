"""A person decides before money is spent: by answering a question, in both protocol eras, or by a limit in the call."""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp_types import INTERNAL_ERROR, ElicitRequestParams, ElicitResult, ErrorData, InputRequiredResult, InputResponses

from hailuo_mcp.mcp.server import build_server
from tests.support import Era, Wire, arguments_for, facts_of, recorded_sandbox, server, settings_for, text_of

ALWAYS = {"HAILUO_MCP_CONFIRM_ABOVE_USD": "0"}
CALL = arguments_for("segmind/hailuo-02-fast")
UNKNOWN_PRICE = arguments_for("apixo/hailuo-2.3-fast")
ERAS: tuple[Era, ...] = ("legacy", "auto")


@dataclass
class Person:
    """Gives every question the same answer, and records the questions."""

    answer: ElicitResult | ErrorData | None
    """None: the person never answers."""
    questions: list[str] = field(default_factory=list[str])

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
        del context
        self.questions.append(params.message)
        if self.answer is None:
            await anyio.sleep_forever()
        assert self.answer
        return self.answer


@asynccontextmanager
async def client_of(
    directory: Path, era: Era, person: Person | None, **variables: str
) -> AsyncGenerator[tuple[Client, Wire]]:
    """A client used by this person, and the requests to the gateways."""
    opened, wire = recorded_sandbox(settings_for(directory, **variables))
    async with opened as session:
        mcp_server = build_server(session.services, "0", answer_seconds=0.2)
        async with Client(mcp_server, mode=era, elicitation_callback=person) as client:
            yield client, wire


def _accepting_person() -> Person:
    return Person(ElicitResult(action="accept", content={}))


@pytest.mark.parametrize("era", ERAS)
async def test_a_person_who_accepts_is_asked_once_with_model_duration_and_price(era: Era, tmp_path: Path) -> None:
    person = _accepting_person()
    async with client_of(tmp_path, era, person, **ALWAYS) as (client, wire):
        result = await client.call_tool("generate_video", CALL)
    assert facts_of(result)["state"] == "queued"
    assert len(wire.posts) == 1
    (question,) = person.questions
    for fact in ("segmind/hailuo-02-fast", "6 s", "$0.125", CALL["prompt"], "sandbox"):
        assert fact in question


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_who_does_not_accept_pays_nothing(action: Any, era: Era, tmp_path: Path) -> None:
    async with client_of(tmp_path, era, Person(ElicitResult(action=action)), **ALWAYS) as (client, wire):
        result = await client.call_tool("generate_video", CALL)
        error = _refused(result)
        assert "The user" in error["message"]
        assert wire.requests == []
        assert facts_of(await client.call_tool("list_jobs", {}))["total"] == 0


async def test_a_person_who_does_not_answer_in_time_pays_nothing(tmp_path: Path) -> None:
    async with client_of(tmp_path, "legacy", Person(None), **ALWAYS) as (client, wire):
        error = _refused(await client.call_tool("generate_video", CALL))
    assert "did not answer within" in error["message"]
    assert error["safe_to_retry"]
    assert wire.requests == []


async def test_a_client_that_fails_to_ask_pays_nothing(tmp_path: Path) -> None:
    person = Person(ErrorData(code=INTERNAL_ERROR, message="no window"))
    async with client_of(tmp_path, "legacy", person, **ALWAYS) as (client, wire):
        _refused(await client.call_tool("generate_video", CALL))
    assert wire.requests == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_is_refused_with_a_hint(era: Era, tmp_path: Path) -> None:
    async with client_of(tmp_path, era, None, **ALWAYS) as (client, wire):
        result = await client.call_tool("generate_video", CALL)
        error = _refused(result)
    assert "cannot ask" in error["message"]
    assert "HAILUO_MCP_CONFIRM_ABOVE_USD" in error["hint"]
    assert "[code: not_confirmed; charged: no; do not retry unchanged]" in text_of(result)
    assert wire.requests == []


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("threshold", "arguments", "is_asked"),
    [
        (None, CALL, False),
        ("0.5", CALL, False),
        ("0.1", CALL, True),
        ("5", UNKNOWN_PRICE, True),
        ("0", {**CALL, "dry_run": True}, False),
    ],
)
async def test_only_jobs_above_the_threshold_need_confirmation(
    threshold: str | None, arguments: Mapping[str, Any], is_asked: bool, era: Era, tmp_path: Path
) -> None:
    person = _accepting_person()
    variables = {"HAILUO_MCP_CONFIRM_ABOVE_USD": threshold} if threshold else {}
    async with client_of(tmp_path, era, person, **variables) as (client, _):
        assert not (await client.call_tool("generate_video", dict(arguments))).is_error
    assert len(person.questions) == is_asked


async def test_an_answer_counts_only_for_its_own_job(tmp_path: Path) -> None:
    """Without a handshake the answer comes with the repeated call; it counts only for the same job."""
    async with client_of(tmp_path, "auto", _accepting_person(), **ALWAYS) as (client, wire):

        def call(arguments: dict[str, Any], answers: InputResponses | None = None) -> Awaitable[Any]:
            return client.session.call_tool(
                "generate_video", arguments, input_responses=answers, allow_input_required=True
            )

        question = await call(CALL)
        assert isinstance(question, InputRequiredResult)
        answers: InputResponses = dict.fromkeys(
            question.input_requests or {}, ElicitResult(action="accept", content={})
        )
        assert isinstance(await call({**CALL, "duration": 10}, answers), InputRequiredResult)
        assert wire.requests == []
        assert facts_of(await call(CALL, answers))["state"] == "queued"
        assert len(wire.posts) == 1


@pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
async def test_the_question_is_asked_over_stdio(era: Era, tmp_path: Path) -> None:
    person = _accepting_person()
    async with server(tmp_path, era, person, **ALWAYS) as client:
        assert facts_of(await client.call_tool("generate_video", CALL))["state"] == "queued"
    assert len(person.questions) == 1


def _refused(result: Any) -> Mapping[str, Any]:
    assert result.is_error
    error = facts_of(result)["error"]
    assert (error["code"], error["charged"]) == ("not_confirmed", "no")
    return error


# --- the caller's own limit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "limit", "refused"),
    [
        (CALL, 0.1, "would cost $0.125"),
        (CALL, "0.1", "would cost $0.125"),
        (UNKNOWN_PRICE, 5, "No price is published"),
        (CALL, 0.125, None),
        (CALL, "$1", None),
        (CALL, None, None),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_price_above_the_callers_limit_is_refused_before_anything_is_sent(
    arguments: Mapping[str, Any], limit: object, refused: str | None, dry_run: bool, tmp_path: Path
) -> None:
    async with client_of(tmp_path, "auto", None) as (client, wire):
        result = await client.call_tool("generate_video", {**arguments, "max_cost_usd": limit, "dry_run": dry_run})
    assert bool(result.is_error) is (refused is not None)
    if refused:
        error = facts_of(result)["error"]
        assert (error["code"], error["charged"]) == ("budget_exceeded", "no")
        assert refused in error["message"]
        assert wire.requests == []


@pytest.mark.parametrize("limit", ["a lot", True, -1, [1]])
async def test_an_invalid_limit_is_refused_by_name(limit: object, tmp_path: Path) -> None:
    async with client_of(tmp_path, "legacy", None) as (client, wire):
        result = await client.call_tool("generate_video", {**CALL, "max_cost_usd": limit})
    assert "max_cost_usd must be a number of at least 0" in facts_of(result)["error"]["message"]
    assert wire.requests == []

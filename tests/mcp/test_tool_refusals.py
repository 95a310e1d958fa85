"""What the tools refuse: wrong calls, each with its fix; and what happens on an internal error."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp import Client

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger import Entered, JobPage, SubmitPolicy
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.mcp.server import build_server
from tests.mcp.bad_calls import CASES, Case
from tests.mcp.calling import DEFINITIONS, FAST_02, check_result, open_caller
from tests.support import (
    KEYS,
    MODEL_IDS,
    PICTURE,
    arguments_for,
    facts_of,
    says,
    segmind,
    settings_for,
    wired,
)

UNKNOWN_MODELS: tuple[object, ...] = ("sora", 7, {}, "x" * 5000)


# --- wrong calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("get_status", {}, "request_id is missing"),
        ("get_status", {"request_id": None}, "request_id must be a string"),
        ("get_status", {"request_id": 7}, "request_id must be a string"),
        ("get_status", {"request_id": "r-1"}, "'r-1' is not of the form"),
        ("get_status", {"request_id": f"{FAST_02}/x", "wait_seconds": -1}, "wait_seconds must be"),
        (
            "get_status",
            {"request_id": f"{FAST_02}/x", "wait_seconds": 46},
            "wait_seconds must be a whole number from 0 to 45, got 46.",
        ),
        ("get_status", {"request_id": f"{FAST_02}/x", "wait_seconds": True}, "got true"),
        ("get_status", {"request_id": f"{FAST_02}/x", "wait_seconds": 1.5}, "got 1.5"),
        ("get_status", {"request_id": f"{FAST_02}/x", "wait_seconds": "9" * 5000}, "wait_seconds must be"),
        ("get_status", {"request_id": f"{FAST_02}/x", "wait": 1}, "no argument wait"),
        ("list_jobs", {"limit": 0}, "limit must be a whole number from 1 to 50, got 0."),
        ("list_jobs", {"limit": 51}, "limit must be a whole number from 1 to 50, got 51."),
        ("list_jobs", {"limit": "many"}, "limit must be"),
        ("list_jobs", {"state": "done"}, 'got "done"'),
        ("list_jobs", {"state": 7}, "state must be one of"),
        ("list_jobs", {"tenant": "x"}, "no argument tenant"),
        ("list_models", {"models": "x"}, "no argument models"),
        ("download_video", {}, "request_id is missing"),
        ("download_video", {"request_id": f"{FAST_02}/x", "path": "/etc"}, "no argument path"),
        ("download_video", {"request_id": "../.."}, "'../..' is not of the form"),
        ("generate_video", {"prompt": "x", "dry_run": "yes"}, 'dry_run must be true or false, got "yes"'),
        ("generate_video", {"prompt": "x", "force_new": 1}, "force_new must be true or false"),
        ("get_status", {"request_id": f"{FAST_02}/x", "a\nb" * 200: 1}, "no argument a b"),
    ],
)
async def test_a_wrong_argument_is_named_with_what_is_accepted(
    tool: str, arguments: dict[str, Any], message: str, settings: Settings
) -> None:
    async with open_caller(settings) as sandbox:
        error = await sandbox.error(tool, **arguments)
        assert (error["code"], error["charged"], error["safe_to_retry"]) == ("invalid_input", "no", False)
        assert message in error["message"]
        assert error["hint"]
        assert len(error["message"]) < 400
        assert sandbox.wire.requests == []


@pytest.mark.parametrize("absent", [None, "", []])
async def test_an_empty_optional_argument_counts_as_absent_in_every_tool(absent: object, settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        properties = DEFINITIONS["generate_video"].input_schema["properties"]
        optional = dict.fromkeys(properties.keys() - {"prompt", "first_frame_image"}, absent)
        facts = await sandbox.facts("generate_video", **optional, prompt="x", first_frame_image=PICTURE)
        assert facts["model"] == FAST_02
        job = {"request_id": facts["request_id"]}
        assert (await sandbox.facts("get_status", **job, wait_seconds=absent))["request_id"] == job["request_id"]
        assert (await sandbox.facts("list_jobs", state=absent, limit=absent))["total"] == 1
        assert len((await sandbox.facts("list_models", model=absent))["models"]) == len(MODEL_IDS)
        assert (await sandbox.error("get_status", request_id=absent))["code"] == "invalid_input"


@pytest.mark.parametrize("tool", ["get_status", "download_video"])
async def test_an_alias_of_request_id_is_refused_with_the_right_name(tool: str, settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        for name in ("task_id", "id", "job_id"):
            error = await sandbox.error(tool, **{name: f"{FAST_02}/x"})
            assert f"Instead of {name}, pass it as request_id." in error["hint"]


async def test_a_flag_is_accepted_as_a_string_in_any_letter_case(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        facts = await sandbox.facts("generate_video", **arguments_for(FAST_02), dry_run="True", force_new="FALSE")
        assert facts["state"] == "dry_run"


async def test_an_unknown_model_is_refused_with_the_usable_models(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        for tool in ("generate_video", "list_models"):
            for model in UNKNOWN_MODELS:
                error = await sandbox.error(tool, model=model, **({"prompt": "x"} if tool == "generate_video" else {}))
                assert error["code"] == "unknown_model"
                assert all(model_id in error["hint"] for model_id in MODEL_IDS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_bad_call_is_refused_with_value_and_fix_and_nothing_is_sent(case: Case, settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        for dry_run in (True, False):
            error = await sandbox.error("generate_video", **{**case.arguments, "model": case.model, "dry_run": dry_run})
            assert (error["code"], error["charged"], error["safe_to_retry"]) == (case.code, "no", False)
            assert not case.missing_words(error["message"], error["hint"]), error
        assert sandbox.wire.requests == []
        assert (await sandbox.facts("list_jobs"))["total"] == 0


# --- internal errors -------------------------------------------------------------------------------------------------


class FailingLedger(SqliteLedger):
    """A ledger that raises an unexpected error, once `error` is set."""

    error: Exception | None = None

    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        self._fail()
        return await super().find(model, remote_id, tenant, prefer_origin)

    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        self._fail()
        return await super().page(tenant, state, limit, origins)

    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered:
        self._fail()
        return await super().create_if_absent(job, policy, first_poll_at)

    def _fail(self) -> None:
        if self.error:
            raise self.error


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_an_unexpected_error_reaches_the_log_and_not_the_client(
    era: Literal["legacy", "auto"], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = KEYS["SEGMIND_API_KEY"]
    ledger = FailingLedger(tmp_path / "ledger.sqlite3")
    opened, _ = wired(settings_for(tmp_path, **KEYS), segmind(status=says(500)), ledger=ledger)
    async with opened as session, Client(build_server(session.services, "0"), mode=era) as client:
        first = await client.call_tool("generate_video", arguments_for(FAST_02))
        assert first.structured_content
        ledger.error = ZeroDivisionError(f"around {secret}")
        for tool, arguments, charged in (
            ("get_status", {"request_id": first.structured_content["request_id"]}, "no"),
            ("list_jobs", {}, "no"),
            ("generate_video", arguments_for(FAST_02), "unknown"),
        ):
            result = await client.call_tool(tool, arguments)
            check_result(tool, result)
            assert result.is_error
            error = facts_of(result)["error"]
            assert (error["code"], error["charged"]) == ("internal_error", charged)
            assert "ZeroDivisionError" not in str(result.content)
            assert f"{tool} failed: ZeroDivisionError" in caplog.text
    assert secret not in caplog.text

"""Completion of the arguments of resource templates and prompts: model ids, request ids and others."""

from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from hailuo_mcp.core.job import State
from hailuo_mcp.mcp import completion, resources
from hailuo_mcp.service.session import Session
from tests.mcp.calling import FAST_02
from tests.mcp.stored import AIMLAPI, saved_clip, stored_job
from tests.support import MODEL_IDS, open_session, settings_for


async def completed(
    session: Session, ref: str, argument: str, typed: str = "", **context: str
) -> tuple[list[str], int | None, bool | None]:
    reference = ResourceTemplateReference(uri=ref) if ref.startswith("hailuo://") else PromptReference(name=ref)
    answer = await completion.complete(
        session,
        reference,
        CompletionArgument(name=argument, value=typed),
        CompletionContext(arguments=context) if context else None,
    )
    return answer.values, answer.total, answer.has_more


async def test_model_ids_with_the_typed_prefix_are_offered_first(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        assert await completed(session, resources.MODEL_TEMPLATE, "model") == (list(MODEL_IDS), len(MODEL_IDS), False)
        values, _, _ = await completed(session, resources.MODEL_TEMPLATE, "model", "AIML")
        assert values == [model_id for model_id in MODEL_IDS if model_id.startswith("aimlapi/")]
        values, _, _ = await completed(session, resources.MODEL_TEMPLATE, "model", "2.3")
        assert values == [model_id for model_id in MODEL_IDS if "2.3" in model_id]
        values, _, _ = await completed(session, resources.MODEL_TEMPLATE, "model", "a")
        assert values[:3] == ["apixo/hailuo-2.3-fast", "apixo/hailuo-2.3", AIMLAPI]
        assert await completed(session, resources.MODEL_TEMPLATE, "model", "sora") == ([], 0, False)


async def test_only_usable_models_are_offered(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, HAILUO_MCP_MODELS=AIMLAPI)) as session:
        assert (await completed(session, resources.MODEL_TEMPLATE, "model"))[0] == [AIMLAPI]


async def test_request_ids_are_completed_and_for_videos_only_saved_ones(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        saved, _ = await saved_clip(session, AIMLAPI)
        other = (await stored_job(session, remote_id="other-1", state=State.FAILED)).request_id
        assert (await completed(session, resources.JOB_TEMPLATE, "request_id"))[0] == [other, saved]
        assert (await completed(session, resources.JOB_TEMPLATE, "request_id", "segmind/"))[0] == [other]
        assert (await completed(session, resources.JOB_TEMPLATE, "request_id", other[-6:]))[0] == [other]
        assert (await completed(session, resources.VIDEO_TEMPLATE, "request_id"))[0] == [saved]


async def test_at_most_a_hundred_values_are_offered_with_the_total(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        for number in range(101):
            await stored_job(session, remote_id=f"r-{number:03}", state=State.FAILED)
        values, total, more = await completed(session, resources.JOB_TEMPLATE, "request_id", "r-")
        assert (len(values), total, more) == (100, 101, True)
        _, total, more = await completed(session, resources.JOB_TEMPLATE, "request_id", "r-00")
        assert (total, more) == (10, False)


async def test_prompt_arguments_are_completed_depending_on_the_others(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        assert (await completed(session, "animate_picture", "duration", "1"))[0] == ["10", "11", "12", "13", "14", "15"]
        assert (await completed(session, "animate_picture", "resolution", model=FAST_02))[0] == []
        assert (await completed(session, "storyboard", "shots", "1"))[0] == ["1", "10", "11", "12"]
        assert (await completed(session, "storyboard", "story", "A kite"))[0] == []


@pytest.mark.parametrize(
    ("ref", "argument"),
    [
        ("hailuo://models", "model"),
        ("hailuo://models/{model}", "request_id"),
        ("hailuo://clips/{id}", "id"),
        ("animate_picture", "tempo"),
        ("make_me_rich", "model"),
    ],
)
async def test_completing_an_unknown_argument_or_reference_is_refused(ref: str, argument: str, tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        with pytest.raises(MCPError) as refused:
            await completed(session, ref, argument)
    assert refused.value.code == INVALID_PARAMS


async def test_completion_reports_an_unreadable_ledger(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, HAILUO_MCP_DATABASE_URL=f"sqlite:///{tmp_path}")
    async with open_session(settings) as session:
        with pytest.raises(MCPError) as refused:
            await completed(session, resources.JOB_TEMPLATE, "request_id")
    assert refused.value.code == INTERNAL_ERROR

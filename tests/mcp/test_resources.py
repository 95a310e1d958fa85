"""The resources: models, jobs and saved clips by URI, and the error for an unknown URI."""

import base64
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BlobResourceContents,
    PromptReference,
    ResourceTemplateReference,
    TextResourceContents,
)

from hailuo_mcp.core.job import State, utc_now
from hailuo_mcp.mcp import prompts, resources
from hailuo_mcp.mcp.server import build_server
from hailuo_mcp.service.session import Session
from tests.mcp.calling import FAST_02, call_tool
from tests.mcp.snapshot_files import as_sent, assert_matches_snapshot
from tests.mcp.stored import AIMLAPI, CLIP, saved_clip, stored_job
from tests.support import (
    KEYS,
    MODEL_IDS,
    Era,
    arguments_for,
    facts_of,
    jobs_in,
    open_session,
    recorded_sandbox,
    says,
    segmind,
    settings_for,
    uri_of,
    wired,
)

CAP = resources.VIDEO_MB_MAX * 1024 * 1024
NO_DOWNLOAD = {"HAILUO_MCP_AUTO_DOWNLOAD": "0"}
FORMS: dict[str, Callable[[str, str], str]] = {
    "encoded as one segment": lambda uri, _: uri,
    "raw": lambda uri, id: uri[: uri.index("/", len("hailuo://")) + 1] + id,
    "encoded but for its slashes": lambda uri, _: uri.replace("%2F", "/"),
}


async def facts_at(session: Session, uri: str) -> Any:
    """The JSON at an address."""
    (contents,) = (await resources.read(session, uri)).contents
    assert isinstance(contents, TextResourceContents)
    assert (contents.uri, contents.mime_type) == (uri, "application/json")
    return json.loads(contents.text)


async def answer_of(session: Session, tool: str, **arguments: Any) -> dict[str, Any]:
    """What the tool returns for the same thing."""
    return dict(facts_of(await call_tool(session, tool, **arguments)))


async def bytes_at(session: Session, uri: str) -> bytes:
    (contents,) = (await resources.read(session, uri)).contents
    assert isinstance(contents, BlobResourceContents)
    assert (contents.uri, contents.mime_type) == (uri, "video/mp4")
    return base64.b64decode(contents.blob, validate=True)


async def refusal(session: Session, uri: str) -> MCPError:
    with pytest.raises(MCPError) as refused:
        await resources.read(session, uri)
    assert refused.value.data["uri"] == uri
    return refused.value


# --- definitions ----------------------------------------------------------------------------------------------------


def test_resource_and_template_definitions_match_their_snapshots() -> None:
    for name, definitions in (("resources", resources.listed()), ("templates", resources.templates())):
        assert_matches_snapshot(f"resources/{name}", [as_sent(definition) for definition in definitions])


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_an_id_is_encoded_as_one_segment_of_an_address(request_id: str) -> None:
    for uri, start in (
        (uri_of("jobs", request_id), "hailuo://jobs/"),
        (uri_of("videos", request_id), "hailuo://videos/"),
        (uri_of("models", request_id), "hailuo://models/"),
    ):
        segment = uri.removeprefix(start)
        assert unquote(segment) == request_id
        assert not set(segment) & set("/?#: ")


# --- models ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, KEYS, {"HAILUO_MCP_SANDBOX": "0"}], ids=["sandbox", "keys", "no key"])
async def test_the_models_resource_equals_list_models(variables: dict[str, str], tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, **variables)) as session:
        assert await facts_at(session, "hailuo://models") == await answer_of(session, "list_models")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_a_model_is_shown_with_its_schema_and_the_source_of_each_constraint(
    model_id: str, form: str, tmp_path: Path
) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        facts = await facts_at(session, FORMS[form](uri_of("models", model_id), model_id))
        assert [facts] == (await answer_of(session, "list_models", model=model_id))["models"]
    longest = 50_000 if model_id == "aimlapi/h3-max" else 7000 if "/h3" in model_id else 2000
    assert facts["schema"]["properties"]["prompt"]["maxLength"] == longest
    assert all(row["source"] for row in facts["constraints"])


async def test_models_may_be_cached_and_jobs_may_not(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        for uri in ("hailuo://models", uri_of("models", AIMLAPI)):
            models = await resources.read(session, uri)
            assert (models.ttl_ms, models.cache_scope) == (resources.MODELS_TTL_MS, "public")
            assert {"ttl_ms", "cache_scope"} <= models.model_fields_set  # else the server's default hint would apply
        jobs = await resources.read(session, "hailuo://jobs")
        assert (jobs.ttl_ms, jobs.cache_scope) == (0, "private")


# --- jobs -----------------------------------------------------------------------------------------------------------


async def test_the_jobs_resource_equals_list_jobs(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        assert await facts_at(session, "hailuo://jobs") == {"jobs": [], "total": 0, "spent_usd": 0.0}
        for model_id in MODEL_IDS:
            await session.generate(arguments_for(model_id))
        assert await facts_at(session, "hailuo://jobs") == await answer_of(session, "list_jobs", limit=50)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_a_job_resource_equals_get_status(model_id: str, form: str, tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, **NO_DOWNLOAD)) as session:
        request_id = (await session.generate(arguments_for(model_id))).job.request_id
        assert model_id.startswith("aimlapi/") == (":" in request_id)
        facts = await facts_at(session, FORMS[form](uri_of("jobs", request_id), request_id))
        assert facts == await answer_of(session, "get_status", request_id=request_id)
    assert (facts["request_id"], facts["state"]) == (request_id, "completed")


async def test_an_unconfirmed_job_has_an_address(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, **NO_DOWNLOAD)) as session:
        job = (await session.generate(arguments_for(FAST_02, prompt="a kite sandbox:lost_answer"))).job
        facts = await facts_at(session, uri_of("jobs", job.request_id))
    assert facts["request_id"].startswith(FAST_02)


async def test_an_id_may_contain_a_percent_sign(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), segmind(status=says(200, {"status": "PROCESSING"})))
    async with opened as session:
        job = await stored_job(session, remote_id="100%2F?x#y é", state=State.QUEUED)
        assert (await facts_at(session, uri_of("jobs", job.request_id)))["request_id"] == job.request_id
    assert len(wire.requests) == 1


async def test_a_job_read_again_too_soon_is_answered_from_the_last_poll(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, **KEYS, HAILUO_MCP_MIN_POLL_SECONDS="60")
    opened, wire = wired(settings, segmind(status=says(200, {"status": "PROCESSING"})))
    async with opened as session:
        request_id = (await session.generate(arguments_for(FAST_02))).job.request_id
        uri = uri_of("jobs", request_id)
        states = [(await facts_at(session, uri))["state"] for _ in range(3)]
    assert states == ["processing"] * 3
    assert len(wire.requests) == 2  # the submission and one poll


async def test_only_the_newest_jobs_are_listed_but_all_are_counted(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, **KEYS)) as session:
        for number in range(60):
            await stored_job(
                session,
                remote_id=f"r-{number}",
                state=State.FAILED,
                created_at=utc_now() - timedelta(hours=60 - number),
            )
        facts = await facts_at(session, "hailuo://jobs")
    assert (len(facts["jobs"]), facts["total"]) == (50, 60)
    assert facts["jobs"][0]["request_id"] == f"{FAST_02}/r-59"


# --- clips ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model_id", [FAST_02, AIMLAPI])
async def test_a_video_is_the_saved_file_byte_for_byte(model_id: str, form: str, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        request_id, _ = await saved_clip(session, model_id)
        result = await resources.read(session, FORMS[form](uri_of("videos", request_id), request_id))
        assert await bytes_at(session, uri_of("videos", request_id)) == CLIP
    assert (result.ttl_ms, result.cache_scope) == (resources.FILE_TTL_MS, "private")
    assert not wire.requests


async def test_a_video_can_be_read_only_after_download_video_saved_it(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, **NO_DOWNLOAD))
    async with opened as session:
        request_id = (await session.generate(arguments_for(AIMLAPI))).job.request_id
        assert (await session.status(request_id, 10)).video_url
        requests_before = len(wire.requests)
        refused = await refusal(session, uri_of("videos", request_id))
        assert (refused.code, refused.data["error"]["code"]) == (INVALID_PARAMS, "not_ready")
        assert "Call download_video first" in refused.message
        assert len(wire.requests) == requests_before
        assert not jobs_in(tmp_path)
        _, path = await session.download(request_id)
        clip = await bytes_at(session, uri_of("videos", request_id))
    assert clip == path.read_bytes()
    assert clip[4:8] == b"ftyp"


async def test_a_clip_over_the_size_limit_is_refused_with_its_path(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        request_id, path = await saved_clip(session)
        uri = uri_of("videos", request_id)
        os.truncate(path, CAP)
        assert len(await bytes_at(session, uri)) == CAP
        os.truncate(path, CAP + 1)
        refused = await refusal(session, uri)
    assert refused.code == INTERNAL_ERROR
    assert "25 MB" in refused.message
    assert str(path) in refused.message
    assert refused.data == {"uri": uri, "video_path": str(path), "bytes": CAP + 1}


async def test_a_clip_whose_file_is_gone_says_how_to_get_it_back(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        request_id, path = await saved_clip(session)
        path.unlink()
        refused = await refusal(session, uri_of("videos", request_id))
    assert refused.code == INVALID_PARAMS
    assert "Call download_video" in refused.message


@pytest.mark.parametrize(
    ("trigger", "code", "message"),
    [
        ("sandbox:never", "not_ready", "has no clip yet"),
        ("sandbox:fail", "not_ready", "failed; it has no clip"),
    ],
)
async def test_a_job_without_a_clip_has_no_video_and_says_why(
    trigger: str, code: str, message: str, tmp_path: Path
) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        job = (await session.generate(arguments_for(FAST_02, prompt=f"a kite {trigger}"))).job
        refused = await refusal(session, uri_of("videos", job.request_id))
    assert (refused.code, refused.data["error"]["code"]) == (INVALID_PARAMS, code)
    assert message in refused.message


async def test_an_expired_job_has_no_video(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        job = await stored_job(session, remote_id="old", state=State.EXPIRED)
        refused = await refusal(session, uri_of("videos", job.request_id))
    assert (refused.code, refused.data["error"]["code"]) == (INVALID_PARAMS, "expired")


# --- unknown addresses ----------------------------------------------------------------------------------------------

UNKNOWN = [
    "",
    "models",
    "hailuo://",
    "hailuo://clips",
    "hailuo://models/",
    "hailuo://models/sora",
    "hailuo://models/segmind%252Fhailuo-02-fast",
    "hailuo://jobs/",
    "hailuo://jobs/x",
    f"hailuo://jobs/{FAST_02}",
    f"hailuo://jobs/{FAST_02}/..",
    f"hailuo://jobs/{FAST_02}/%00",
    f"hailuo://jobs/{FAST_02}/%ff",
    f"hailuo://jobs/{FAST_02}/{'x' * 300}",
    f"hailuo://jobs/{FAST_02}/never-was",
    f"hailuo://jobs/{FAST_02}/unconfirmed-never-was",
    "hailuo://jobs/openai/sora/1",
    "hailuo://videos",
    f"hailuo://videos/{FAST_02}/never-was",
    "hailuo://videos/..%2F..%2F..%2Fetc%2Fpasswd",
    "file:///etc/passwd",
    "https://example.com/hailuo://models",
]


@pytest.mark.parametrize("uri", UNKNOWN)
async def test_an_unknown_address_is_refused_as_invalid_params(uri: str, tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, uri)
    assert refused.code == INVALID_PARAMS
    assert len(refused.message) < 300 + len(", ".join(MODEL_IDS)), "the address is truncated, and each id listed once"


async def test_a_disabled_model_is_refused_with_the_variable_to_set(tmp_path: Path) -> None:
    only_segmind = {"SEGMIND_API_KEY": KEYS["SEGMIND_API_KEY"]}
    async with open_session(settings_for(tmp_path, **only_segmind)) as session:
        refused = await refusal(session, uri_of("models", AIMLAPI))
    assert refused.code == INVALID_PARAMS
    assert "AIMLAPI_API_KEY" in refused.message


async def test_a_gateway_error_is_an_internal_error_and_leaks_no_key(tmp_path: Path) -> None:
    secret = KEYS["SEGMIND_API_KEY"]
    opened, _ = wired(settings_for(tmp_path, **KEYS), segmind(status=says(401, {"error": f"bad key {secret}"})))
    async with opened as session:
        request_id = (await session.generate(arguments_for(FAST_02))).job.request_id
        refused = await refusal(session, uri_of("jobs", request_id))
    assert (refused.code, refused.data["error"]["code"]) == (INTERNAL_ERROR, "unauthorized")
    assert secret not in f"{refused.message}{refused.data}"


# --- over the protocol ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_client_of_either_era_finds_and_reads_everything(era: Era, tmp_path: Path) -> None:
    async with (
        open_session(settings_for(tmp_path)) as session,
        Client(build_server(session.services, "0"), mode=era) as client,
    ):
        request_id, path = await saved_clip(session, AIMLAPI)
        assert [r.uri for r in (await client.list_resources()).resources] == ["hailuo://models", "hailuo://jobs"]
        listed = (await client.list_resource_templates()).resource_templates
        assert [t.uri_template for t in listed] == [t.uri_template for t in resources.templates()]
        (clip,) = (await client.read_resource(uri_of("videos", request_id))).contents
        assert isinstance(clip, BlobResourceContents)
        assert base64.b64decode(clip.blob) == path.read_bytes()
        for uri in ("hailuo://clips", f"hailuo://jobs/{FAST_02}/never-was"):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            assert (refused.value.code, refused.value.data["uri"]) == (INVALID_PARAMS, uri)
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        assert names == [prompt.name for prompt in prompts.definitions(session.catalog)]
        assert (await client.get_prompt("rescue_clips")).messages
        ref = ResourceTemplateReference(uri=resources.VIDEO_TEMPLATE)
        offered = await client.complete(ref, {"name": "request_id", "value": "aiml"})
        assert offered.completion.values == [request_id]
        model = await client.complete(
            PromptReference(name="animate_picture"), {"name": "resolution", "value": ""}, {"model": FAST_02}
        )
        assert model.completion.values == []

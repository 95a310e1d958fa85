"""The schema that `list_models` shows for a model accepts a call if and only if a dry run does."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio.from_thread
import hypothesis.strategies as st
import jsonschema
import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import given, settings
from mcp_types import CallToolResult

from hailuo_mcp.core.arguments import is_neutral, present
from hailuo_mcp.core.parameters import CANONICAL, IMAGE_PARAMETERS
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.mcp import tools
from hailuo_mcp.service.session import Session
from tests.core.models import CHOICES
from tests.properties import with_examples
from tests.support import PICTURE, catalog_for, open_session, settings_for

ALL = catalog_for(HAILUO_MCP_SANDBOX="1")


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with anyio.from_thread.start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def session(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    directory: Path = tmp_path_factory.mktemp("catalog")
    settings = settings_for(directory, HAILUO_MCP_SANDBOX="1", HAILUO_MCP_CALLBACK_HOSTS="*")
    with portal.wrap_async_context_manager(open_session(settings)) as session:
        yield session


async def _no_progress(_done: float, _total: float | None, _message: str) -> None: ...


def _call(portal: BlockingPortal, session: Session, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    return portal.call(tools.call, tool, tools.Call(session, arguments, _no_progress))


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", " ", "8.5", "auto!", 0, 7, 6.5, True, [], {}, -1, 10**30, "x" * 2001]
)
URLS = st.sampled_from([PICTURE, "http://127.0.0.1:80/a?b=c#d", "HTTPS://Pictures.example/ä.png"])
INVALID_URLS = st.sampled_from(
    [f"{PICTURE} ", "https://h/a b", "ftp://h/x", "https:///x", "data:image/png;base64,AA", "/home/x.png", "https://"]
)
CALLBACKS = st.sampled_from(
    [
        *("https://hooks.example/x", "https://hooks.example:8443", "http://hooks.example", "https://a@b.example/x"),
        *("https://hooks.example:port/x", "https:///x", "https://h/\nx", "https://h\\x"),
        "https://hooks.example/" + "x" * 2048,
    ]
)
VALID: Mapping[str, st.SearchStrategy[Any]] = {
    "prompt": st.sampled_from(["a cat", "a", "x" * 2000, "\u3000", "🪁" * 2000, "\n a"]),
    "first_frame_image": URLS,
    "last_frame_image": URLS,
    "subject_reference": URLS,
    "reference_images": st.lists(URLS, min_size=1, max_size=9),
    "reference_videos": st.lists(URLS, min_size=1, max_size=3),
    "reference_audios": st.lists(URLS, min_size=1, max_size=3),
    **{name: st.sampled_from(values) for name, values in CHOICES.items()},
    "duration": st.sampled_from([6, 10, 6.0]),
    "callback_url": CALLBACKS,
}


@st.composite
def _arguments(draw: st.DrawFn, model: type[ModelSpec]) -> dict[str, Any]:
    """Mostly valid arguments, with an occasional mistake. Images never need a file: if any string may be a path, only
    URLs are drawn."""
    needed = {name: PICTURE for name in IMAGE_PARAMETERS if model.is_required(name)}
    arguments: dict[str, Any] = {"prompt": "a cat", **needed}
    names = draw(st.lists(st.sampled_from([*list(model.model_fields) * 12, *CANONICAL, "fps"]), max_size=5))
    for name in names:
        urls_only = "pattern" in model.property_schemas().get(name, {})
        if name in IMAGE_PARAMETERS:
            junk = INVALID_URLS if urls_only else st.sampled_from([None, "", 7, True, []])
        else:
            junk = JUNK
        valid = VALID.get(name, JUNK)
        if offered := model.property_schemas().get(name, {}).get("enum"):
            valid = st.one_of(valid, *[st.sampled_from(offered)] * 3)
        arguments[name] = draw(st.one_of(valid, valid, valid, junk))
    if draw(st.integers(0, 9)) == 5:  # not 0, which hypothesis draws most often
        arguments.pop(draw(st.sampled_from(sorted(arguments))))
    return arguments


@pytest.mark.parametrize("model", ALL.usable, ids=lambda model: model.id)
@with_examples(few=20, many=60)
def test_the_listed_schema_accepts_exactly_what_a_dry_run_accepts(
    model: type[ModelSpec], portal: BlockingPortal, session: Session, examples: int
) -> None:
    listed = _call(portal, session, "list_models", {"model": model.id})
    assert listed.structured_content
    schema = jsonschema.Draft202012Validator(listed.structured_content["models"][0]["schema"])
    counts = {True: 0, False: 0}

    @settings(max_examples=examples)
    @given(arguments=_arguments(model))
    def agree(arguments: dict[str, Any]) -> None:
        answer = _call(portal, session, "generate_video", {**arguments, "model": model.id, "dry_run": True})
        plain = {n: v for n, v in present(arguments).items() if model.accepts(n) or not is_neutral(n, v)}
        valid = schema.is_valid(plain)  # pyright: ignore[reportUnknownMemberType]  jsonschema leaves it untyped
        counts[valid] += 1
        assert answer.is_error is not valid, answer.structured_content
        if not valid:
            assert answer.structured_content
            assert answer.structured_content["error"]["code"] in ("invalid_input", "invalid_image")
            assert answer.structured_content["error"]["charged"] == "no"

    agree()
    assert min(counts.values()) > examples // 20, counts

"""The real server behind the view: a job from its submission to the moving picture."""

from pathlib import Path

import pytest

from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Real
from tests.mcp.player.jobs import Result
from tests.support import sandbox_on_a_port, server

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


class Hurried(Real):
    """The real server, which asks for polls at a pace for minutes, hurried for a job of seconds."""

    async def call_tool(self, name: str, arguments: Result) -> Result:
        answer = await super().call_tool(name, arguments)
        facts = answer["structuredContent"]
        return {**answer, "structuredContent": {**facts, "poll_after_seconds": facts.get("poll_after_seconds") and 2}}


ARGUMENTS = {"prompt": "a red kite rises [Push in]", "model": "segmind/minimax-hailuo-2"}


async def test_a_job_is_followed_from_the_queue_to_the_playing_clip(open_view: OpenView, tmp_path: Path) -> None:
    with sandbox_on_a_port(tmp_path, seconds=15) as variables:
        origin = variables["SEGMIND_BASE_URL"]
        async with server(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0", **variables) as client:
            real = Hurried(client)
            submitted = await real.call_tool("generate_video", ARGUMENTS)
            view = await open_view(submitted, real, origins=(origin,), arguments=ARGUMENTS)
            assert await view.is_playing() == "link"
            assert await view.states() == ["submitting", "queued", "processing", "completed"]
            await view.shows("minimax-hailuo-2", ARGUMENTS["prompt"], "Sandbox preview")
            await view.press("Save")
            await view.shows(str(tmp_path / "clips"))


async def test_a_clip_of_the_sandbox_in_the_process_is_read_through_the_server(
    open_view: OpenView, tmp_path: Path
) -> None:
    async with server(tmp_path, HAILUO_MCP_SANDBOX="1") as client:
        real = Real(client)
        submitted = await real.call_tool("generate_video", ARGUMENTS)
        view = await open_view(submitted, real, arguments=ARGUMENTS)
        assert await view.is_playing() == "data"
        await view.shows("Saved", str(tmp_path / "clips"))


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("fail", ("The job failed", "For a real job: not charged", "Safe to try again", "Ask to try again")),
        ("content_violation", ("The job failed", "Content violates", "Change the prompt")),
        ("no_credits", ("The call failed", "Top up the account")),
    ],
)
async def test_a_failing_job_says_so(open_view: OpenView, tmp_path: Path, word: str, words: tuple[str, ...]) -> None:
    async with server(tmp_path, HAILUO_MCP_SANDBOX="1") as client:
        real = Real(client)
        arguments = {**ARGUMENTS, "prompt": f"a red kite sandbox:{word}"}
        view = await open_view(await real.call_tool("generate_video", arguments), real, arguments=arguments)
        await view.shows(*words)


async def test_a_submission_whose_answer_was_lost_is_found_again(open_view: OpenView, tmp_path: Path) -> None:
    async with server(tmp_path, HAILUO_MCP_SANDBOX="1", HAILUO_MCP_SANDBOX_SECONDS="3") as client:
        real = Real(client)
        arguments = {**ARGUMENTS, "prompt": "a red kite sandbox:lost_answer"}
        view = await open_view(await real.call_tool("generate_video", arguments), real, arguments=arguments)
        await view.shows("Sent, but no response arrived", "Do not submit it again")
        await view.is_playing()

"""The real server behind the view: a job from its submission to the playing clip."""

from pathlib import Path

import pytest

from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Real
from tests.mcp.player.jobs import Result
from tests.support import sandbox_on_a_port, server

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


class FastPolling(Real):
    """The real server with a shorter polling interval, for jobs that take seconds instead of minutes."""

    async def call_tool(self, name: str, arguments: Result) -> Result:
        answer = await super().call_tool(name, arguments)
        facts = answer["structuredContent"]
        return {**answer, "structuredContent": {**facts, "poll_after_seconds": facts.get("poll_after_seconds") and 2}}


ARGUMENTS = {"prompt": "a red kite rises [Push in]", "model": "segmind/minimax-hailuo-2"}


async def test_a_job_is_followed_from_the_queue_to_the_playing_clip(open_view: OpenView, tmp_path: Path) -> None:
    with sandbox_on_a_port(tmp_path, seconds=15) as variables:
        origin = variables["SEGMIND_BASE_URL"]
        async with server(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0", **variables) as client:
            real = FastPolling(client)
            submitted = await real.call_tool("generate_video", ARGUMENTS)
            view = await open_view(submitted, real, origins=(origin,), arguments=ARGUMENTS)
            assert await view.is_playing() == "link"
            assert await view.states() == ["submitting", "queued", "processing", "completed"]
            await view.shows("minimax-hailuo-2", ARGUMENTS["prompt"], "Sandbox preview")
            await view.press("Save")
            await view.shows(str(tmp_path / "clips"))


async def test_a_clip_of_the_in_process_sandbox_is_read_through_the_server(open_view: OpenView, tmp_path: Path) -> None:
    async with server(tmp_path, HAILUO_MCP_SANDBOX="1") as client:
        real = Real(client)
        submitted = await real.call_tool("generate_video", ARGUMENTS)
        view = await open_view(submitted, real, arguments=ARGUMENTS)
        assert await view.is_playing() == "data"
        await view.shows("Saved", str(tmp_path / "clips"))


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("fail", ("The job failed", "For a real job: not charged", "Safe to try again", "Ask to try again")),
        ("content_violation", ("The job failed", "Content violates", "Change the prompt")),
        ("no_credits", ("The call failed", "Top up the account")),
    ],
)
async def test_a_failure_is_shown_with_what_to_do(
    open_view: OpenView, tmp_path: Path, trigger: str, words: tuple[str, ...]
) -> None:
    async with server(tmp_path, HAILUO_MCP_SANDBOX="1") as client:
        real = Real(client)
        arguments = {**ARGUMENTS, "prompt": f"a red kite sandbox:{trigger}"}
        view = await open_view(await real.call_tool("generate_video", arguments), real, arguments=arguments)
        await view.shows(*words)


async def test_a_submission_with_a_lost_response_is_found(open_view: OpenView, tmp_path: Path) -> None:
    async with server(tmp_path, HAILUO_MCP_SANDBOX="1", HAILUO_MCP_SANDBOX_SECONDS="3") as client:
        real = Real(client)
        arguments = {**ARGUMENTS, "prompt": "a red kite sandbox:lost_answer"}
        view = await open_view(await real.call_tool("generate_video", arguments), real, arguments=arguments)
        await view.shows("Sent, but no response arrived", "Do not submit it again")
        await view.is_playing()

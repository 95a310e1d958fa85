"""How the view talks to the host: the handshake, its size, the polling interval, and the teardown."""

import time

import pytest

from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Scripted

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_the_view_introduces_itself_once(open_view: OpenView) -> None:
    view = await open_view(jobs.failed())
    await view.shows("The job failed")
    (hello,) = view.params_of("ui/initialize")
    assert hello["protocolVersion"] == "2026-01-26"
    assert hello["appInfo"]["name"] == "hailuo-player"
    assert hello["appCapabilities"] == {"availableDisplayModes": ["inline"]}
    assert view.sent.count("ui/notifications/initialized") == 1


async def test_the_size_follows_the_content(open_view: OpenView) -> None:
    view = await open_view(jobs.failed())
    await view.shows("The job failed")
    before = view.params_of("ui/notifications/size-changed")[-1]["height"]
    await view.frame.get_by_text("Details").click()
    await view.until("document.querySelector('details').open && document.documentElement.scrollHeight <= innerHeight")
    sizes = view.params_of("ui/notifications/size-changed")
    assert sizes[-1]["height"] > before
    assert sizes[-1]["width"] == await view.frame.evaluate("innerWidth")


async def test_the_view_polls_at_most_every_two_seconds(open_view: OpenView) -> None:
    times: list[float] = []

    class Timed(Scripted):
        async def call_tool(self, name: str, arguments: jobs.Result) -> jobs.Result:
            times.append(time.monotonic())
            return await super().call_tool(name, arguments)

    server = Timed(
        jobs.job("processing", poll_after_seconds=0), jobs.job("processing", poll_after_seconds=0), jobs.failed()
    )
    began = time.monotonic()
    view = await open_view(jobs.job("queued", poll_after_seconds=0), server)
    await view.shows("The job failed")
    assert all(later - earlier >= 1.9 for earlier, later in zip([began, *times], times, strict=False))
    assert server.calls == [("get_status", {"request_id": jobs.REQUEST_ID, "wait_seconds": 3})] * 3


async def test_the_view_stops_polling_when_the_job_has_ended(open_view: OpenView) -> None:
    server = Scripted(jobs.failed())
    view = await open_view(jobs.job("processing"), server)
    await view.shows("The job failed")
    await view.frame.evaluate("new Promise((later) => setTimeout(later, 2500))")
    assert len(server.calls) == 1


async def test_the_view_stops_polling_when_the_host_closes_it(open_view: OpenView) -> None:
    server = Scripted(jobs.failed())
    view = await open_view(jobs.job("processing"), server)
    await view.shows("Making the clip")
    await view.send("ui/resource-teardown", {"reason": "closed"}, id="t1")
    await view.frame.evaluate("new Promise((later) => setTimeout(later, 2500))")
    assert (await view.answers.get())["result"] == {}
    assert server.calls == []


async def test_the_view_does_not_poll_while_it_is_not_visible(open_view: OpenView) -> None:
    server = Scripted(jobs.failed())
    view = await open_view(jobs.job("processing"), server)
    await view.shows("Making the clip")
    await view.page.evaluate("document.querySelector('iframe').style.marginTop = '5000px'")
    await view.frame.evaluate("new Promise((later) => setTimeout(later, 2500))")
    assert server.calls == []
    await view.page.evaluate("document.querySelector('iframe').style.marginTop = '0'")
    await view.shows("The job failed")


async def test_the_view_answers_a_ping_and_refuses_unknown_methods(open_view: OpenView) -> None:
    view = await open_view(jobs.failed())
    await view.send("ping", {}, id=71)
    await view.send("tools/list", {}, id=72)
    pong, refusal = await view.answers.get(), await view.answers.get()
    assert (pong["id"], pong["result"]) == (71, {})
    assert (refusal["id"], refusal["error"]["code"]) == (72, -32601)


async def test_messages_that_do_not_come_from_the_host_are_ignored(open_view: OpenView) -> None:
    view = await open_view(jobs.job("processing"))
    await view.shows("Making the clip")
    forged = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": jobs.failed()}
    await view.frame.evaluate("(message) => window.postMessage(message, '*')", forged)
    await view.frame.evaluate("new Promise((later) => setTimeout(later, 200))")
    assert "The job failed" not in await view.text()


async def test_the_theme_of_the_host_is_followed(open_view: OpenView) -> None:
    view = await open_view(jobs.failed(), theme="dark")
    await view.shows("The job failed")
    dark = await view.frame.evaluate("getComputedStyle(document.body).backgroundColor")
    await view.send("ui/notifications/host-context-changed", {"theme": "light"})
    await view.until("getComputedStyle(document.body).backgroundColor !== arg", dark)
    assert (dark, await view.frame.evaluate("getComputedStyle(document.body).backgroundColor")) == (
        "rgb(27, 28, 27)",
        "rgb(255, 255, 255)",
    )


async def test_the_hosts_background_is_used_only_with_its_text_color(open_view: OpenView) -> None:
    incomplete = {"variables": {"--color-background-primary": "rgb(1, 2, 3)", "--font-sans": "serif"}}
    view = await open_view(jobs.failed(), styles=incomplete)
    await view.shows("The job failed")
    assert await view.frame.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert await view.frame.evaluate("getComputedStyle(document.body).fontFamily") == "serif"
    complete = {"variables": {**incomplete["variables"], "--color-text-primary": "rgb(250, 250, 250)"}}
    await view.send("ui/notifications/host-context-changed", {"styles": complete})
    await view.until("getComputedStyle(document.body).backgroundColor === arg", "rgb(1, 2, 3)")

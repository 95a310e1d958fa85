"""The clip really plays: from its link if the host allows that, else read through the server."""

from datetime import timedelta

import pytest

from hailuo_mcp.core.job import utc_now
from hailuo_mcp.mcp.views import timestamp
from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import CAPABILITIES, Refused, Scripted, Website

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

CLIP_URI = "hailuo://videos/segmind%2Fhailuo-02-fast%2F4f0c%3A9a%2F7d21"
PATH = "/home/ada/Videos/hailuo/lantern.mp4"


async def test_a_clip_plays_from_its_link(open_view: OpenView, clips: str) -> None:
    server = Scripted()
    view = await open_view(jobs.completed(f"{clips}/clip.mp4"), server, origins=(clips,))
    assert await view.is_playing() == "link"
    assert await view.frame.evaluate("document.querySelector('video').muted")
    assert server.reads == []


async def test_a_clip_whose_link_the_policy_blocks_is_read_through_the_server(
    open_view: OpenView, website: Website
) -> None:
    server = Scripted()
    blocked = website.origin("elsewhere")
    view = await open_view(jobs.completed(f"{blocked}/clip.mp4"), server, expected_errors="Content Security Policy")
    assert await view.is_playing() == "data"
    assert server.reads == [CLIP_URI]
    assert len(view.errors) == 1
    assert not [request for request in website.requests if request.startswith("elsewhere")]


async def test_a_link_that_the_host_is_known_to_block_is_not_tried(open_view: OpenView, website: Website) -> None:
    approved = {**CAPABILITIES, "sandbox": {"csp": {"resourceDomains": ["https://*.clips.example"]}}}
    answer = jobs.completed(f"{website.origin('elsewhere')}/clip.mp4")
    view = await open_view(answer, Scripted(), capabilities=approved)
    assert await view.is_playing() == "data"


async def test_a_clip_with_a_dead_link_is_read_through_the_server(open_view: OpenView, clips: str) -> None:
    answer = jobs.completed(f"{clips}/gone.mp4")
    view = await open_view(answer, Scripted(), origins=(clips,), expected_errors="404")
    assert await view.is_playing() == "data"


async def test_an_expired_link_is_not_tried(open_view: OpenView, clips: str) -> None:
    past = timestamp(utc_now() - timedelta(minutes=1))
    view = await open_view(jobs.completed(f"{clips}/clip.mp4", expires_at=past), Scripted(), origins=(clips,))
    assert await view.is_playing() == "data"
    await view.shows("Link has expired")
    assert "Open link" not in await view.buttons()


async def test_a_link_about_to_expire_is_highlighted_until_the_clip_is_saved(open_view: OpenView, clips: str) -> None:
    soon = timestamp(utc_now() + timedelta(minutes=2))
    view = await open_view(jobs.completed(f"{clips}/clip.mp4", expires_at=soon), Scripted(), origins=(clips,))
    await view.is_playing()
    assert await view.frame.locator("#expiry").get_attribute("class") == "loud"
    saved = jobs.completed(f"{clips}/clip.mp4", expires_at=soon, video_path=PATH)
    await view.send("ui/notifications/tool-result", saved)
    await view.until("!document.querySelector('#expiry').className")


async def test_a_saved_clip_without_a_link_plays(open_view: OpenView) -> None:
    view = await open_view(jobs.completed(None, video_path=PATH), Scripted())
    assert await view.is_playing() == "data"
    await view.shows("Saved", PATH)


async def test_the_path_is_shown_for_a_clip_that_cannot_be_loaded(open_view: OpenView) -> None:
    view = await open_view(jobs.completed(None, video_path=PATH), Scripted(readable=False))
    await view.shows("The clip cannot be played here", "Resource not found", "open the file below", PATH)


async def test_a_clip_that_only_the_server_can_fetch_plays_once_it_is_saved(
    open_view: OpenView, website: Website
) -> None:
    class Unsaved(Scripted):
        """Reads only what is saved, as the server does."""

        async def read_resource(self, uri: str) -> jobs.Result:
            if not self.calls:
                raise Refused(-32602, "The clip is not saved yet.")
            return await super().read_resource(uri)

    saved = {"request_id": jobs.REQUEST_ID, "video_path": PATH, "bytes": 2_400_000, "media_type": "video/mp4"}
    none: list[str] = []
    approved = {**CAPABILITIES, "sandbox": {"csp": {"resourceDomains": none}}}
    answer = jobs.completed(f"{website.origin('elsewhere')}/clip.mp4")
    view = await open_view(answer, Unsaved(saved=jobs.result(saved)), capabilities=approved)
    await view.shows("The clip cannot be played here", "The clip is not saved yet.", "Save it")
    await view.press("Save")
    assert await view.is_playing() == "data"
    assert "cannot be played here" not in await view.text()


async def test_the_view_says_if_the_host_cannot_read_resources(open_view: OpenView) -> None:
    view = await open_view(jobs.completed(None, video_path=PATH), Scripted(), capabilities={"serverTools": {}})
    await view.shows("This host allows neither the link nor reading the file.", PATH)
    assert "resources/read" not in view.sent


async def test_a_completed_job_without_a_link_is_polled_again(open_view: OpenView, clips: str) -> None:
    server = Scripted(jobs.completed(f"{clips}/clip.mp4"))
    answer = jobs.completed(None, poll_after_seconds=2, expires_at=None)
    view = await open_view(answer, server, origins=(clips,))
    await view.shows("Finished, waiting for the link")
    assert await view.is_playing() == "link"


async def test_the_clip_does_not_start_automatically_with_reduced_motion(open_view: OpenView, clips: str) -> None:
    view = await open_view(jobs.completed(f"{clips}/clip.mp4"), Scripted(), origins=(clips,), reduced_motion=True)
    await view.until("document.querySelector('video:not([hidden])')?.readyState >= 2")
    await view.frame.evaluate("new Promise((later) => setTimeout(later, 400))")
    assert await view.frame.evaluate("document.querySelector('video').paused")

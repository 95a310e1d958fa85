"""The buttons: what each sends to the host, that none can spend money twice, and that all can be used by keyboard."""

import pytest

from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import CAPABILITIES, Refused, Scripted, View

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PATH = "/home/ada/Videos/hailuo/lantern.mp4"
SAVED = jobs.result({"request_id": jobs.REQUEST_ID, "video_path": PATH, "bytes": 2_400_000, "media_type": "video/mp4"})


async def playing(open_view: OpenView, clips: str, server: Scripted | None = None, **more: object) -> View:
    view = await open_view(jobs.completed(f"{clips}/clip.mp4"), server, origins=(clips,), **more)  # pyright: ignore[reportArgumentType]  # passed on
    await view.is_playing()
    return view


async def test_save_saves_the_clip_and_shows_its_path(open_view: OpenView, clips: str) -> None:
    server = Scripted(saved=SAVED)
    view = await playing(open_view, clips, server)
    assert await view.buttons() == ["Save", "Open link", "Make another"]
    await view.press("Save")
    await view.shows("Saved (2.4 MB).", PATH)
    assert server.calls == [("download_video", {"request_id": jobs.REQUEST_ID})]
    assert await view.buttons() == ["Open link", "Make another"]


async def test_continue_requests_the_next_shot_and_shows_the_last_frame(open_view: OpenView, clips: str) -> None:
    answer = jobs.offering(jobs.completed(f"{clips}/clip.mp4", video_path=PATH), "can_continue")
    view = await open_view(answer, Scripted(), origins=(clips,))
    await view.is_playing()
    assert await view.buttons() == ["Continue from here", "Open link", "Make another"]
    await view.press("Continue from here")
    await view.shows("Asked in the chat.")
    (message,) = view.params_of("ui/message")
    assert f'first_frame_image "last-frame:{jobs.REQUEST_ID}"' in message["content"][0]["text"]
    await view.until("(({ ended, paused }) => ended || paused)(document.querySelector('video'))")
    await view.until("(({ currentTime, duration }) => duration - currentTime < 0.05)(document.querySelector('video'))")


async def test_continue_saves_the_clip_first(open_view: OpenView, clips: str) -> None:
    server = Scripted(saved=SAVED)
    answer = jobs.offering(jobs.completed(f"{clips}/clip.mp4"), "can_continue")
    view = await open_view(answer, server, origins=(clips,))
    await view.is_playing()
    await view.press("Continue from here")
    await view.shows("Asked in the chat.", PATH)
    assert server.calls == [("download_video", {"request_id": jobs.REQUEST_ID})]


async def test_cancel_is_offered_for_a_queued_job_and_cancels_it(open_view: OpenView) -> None:
    server = Scripted(cancelled=jobs.result({"state": "cancelled", "cancelled": True, "warnings": []}))
    view = await open_view(jobs.cancellable(), server)
    assert await view.buttons() == ["Cancel"]
    await view.press("Cancel")
    await view.shows("Cancelled", "It was still in the queue.", "Not charged")
    assert server.calls == [("cancel_job", {"request_id": jobs.REQUEST_ID})]
    assert await view.buttons() == ["Make another"]


async def test_a_job_that_could_not_be_cancelled_continues_and_says_why(open_view: OpenView) -> None:
    reason = "Nothing was cancelled: the job had begun."
    facts = {"request_id": jobs.REQUEST_ID, "state": "processing", "cancelled": False, "warnings": [reason]}
    view = await open_view(jobs.cancellable(), Scripted(cancelled=jobs.result(facts)))
    await view.press("Cancel")
    await view.shows(reason, "Making the clip")
    assert await view.buttons() == []


async def test_cancel_is_not_offered_once_the_job_has_begun(open_view: OpenView) -> None:
    assert await (await open_view(jobs.cancellable("processing"), Scripted())).buttons() == []


async def test_an_error_while_saving_is_shown(open_view: OpenView, clips: str) -> None:
    error = jobs.problem("expired", "The link is dead.", "Generate it again.")
    view = await playing(open_view, clips, Scripted(saved=jobs.result({"error": error}, is_error=True)))
    await view.press("Save")
    await view.shows("The link is dead. Generate it again.")
    assert "Save" in await view.buttons()


async def test_make_another_asks_in_the_chat_only_once(open_view: OpenView, clips: str) -> None:
    view = await playing(open_view, clips)
    await view.press("Make another")
    await view.shows("Asked in the chat.")
    (message,) = view.params_of("ui/message")
    assert message["role"] == "user"
    (block,) = message["content"]
    assert block["type"] == "text"
    for words in (
        "call generate_video",
        "segmind/hailuo-02-fast",
        "force_new true",
        jobs.REQUEST_ID,
        jobs.PROMPT,
        '"duration":6',
    ):
        assert words in block["text"]
    assert await view.frame.get_by_role("button", name="Asked in the chat").is_disabled()


async def test_a_host_that_accepts_only_single_blocks_is_sent_one(open_view: OpenView, clips: str) -> None:
    class SingleBlockOnly(dict[str, Refused]):
        """Refuses lists of blocks."""

        def __contains__(self, method: object) -> bool:
            return method == "ui/message" and isinstance(view.params_of("ui/message")[-1]["content"], list)

    view = await playing(open_view, clips, refusals=SingleBlockOnly({"ui/message": Refused(-32602, "Invalid params")}))
    await view.press("Make another")
    await view.shows("Asked in the chat.")
    as_list, client_with_token = view.params_of("ui/message")
    assert [client_with_token["content"]] == as_list["content"]


async def test_a_denied_message_is_not_sent_again_automatically(open_view: OpenView, clips: str) -> None:
    refusals = {"ui/message": Refused(-32000, "Message sending denied")}
    view = await playing(open_view, clips, refusals=refusals)
    await view.press("Make another")
    await view.shows("Message sending denied")
    assert view.sent.count("ui/message") == 1
    assert "Make another" in await view.buttons()


async def test_the_button_disappears_if_the_host_accepts_no_messages(open_view: OpenView, clips: str) -> None:
    view = await playing(open_view, clips, refusals={"ui/message": Refused(-32601, "Method not found")})
    await view.press("Make another")
    await view.shows("ask for another one in the chat")
    assert await view.buttons() == ["Save", "Open link"]


async def test_open_link_opens_the_link_of_the_clip(open_view: OpenView, clips: str) -> None:
    view = await playing(open_view, clips)
    await view.press("Open link")
    await view.until("![...document.querySelectorAll('#actions button')].some((b) => b.ariaDisabled === 'true')")
    assert view.params_of("ui/open-link") == [{"url": f"{clips}/clip.mp4"}]


async def test_download_is_offered_if_the_host_accepts_files(open_view: OpenView, clips: str) -> None:
    view = await playing(open_view, clips, capabilities={**CAPABILITIES, "downloadFile": {}})
    await view.press("Download")
    await view.until("document.querySelector('[data-act=download]').textContent === 'Download'")
    (download,) = view.params_of("ui/download-file")
    (content,) = download["contents"]
    assert content["resource"] | {"blob": ""} == {
        "uri": "hailuo://videos/segmind%2Fhailuo-02-fast%2F4f0c%3A9a%2F7d21",
        "mimeType": "video/mp4",
        "blob": "",
    }
    assert len(content["resource"]["blob"]) > jobs.CLIP.stat().st_size


async def test_actions_that_the_host_does_not_support_are_not_offered(open_view: OpenView, clips: str) -> None:
    view = await playing(open_view, clips, capabilities={})
    assert await view.buttons() == ["Make another"]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "https://hailuo-sandbox.invalid/x.mp4", "x"]
)
async def test_only_http_links_are_opened_or_loaded(open_view: OpenView, url: str) -> None:
    view = await open_view(jobs.completed(url), Scripted())
    assert await view.is_playing() == "data"
    assert await view.buttons() == ["Save", "Make another"]


async def test_copy_puts_the_path_on_the_clipboard(open_view: OpenView) -> None:
    view = await open_view(jobs.completed(None, video_path=PATH), Scripted())
    await view.shows(PATH)
    await view.frame.evaluate("document.addEventListener('copy', () => { window.copied = String(getSelection()); })")
    await view.frame.get_by_role("button", name="Copy the path").click()
    await view.shows("Copied")
    assert await view.frame.evaluate("window.copied") == PATH


async def test_everything_can_be_reached_and_pressed_by_keyboard(open_view: OpenView, clips: str) -> None:
    server = Scripted(saved=SAVED)
    view = await playing(open_view, clips, server, width=320)
    await view.frame.locator("body").focus()
    reached: list[str] = []
    for _ in range(20):
        await view.page.keyboard.press("Tab")
        name = await view.frame.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
        )
        if name not in reached:
            reached.append(name)
            ring = await view.frame.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e.closest('#frame') ?? e);"
                " return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 })()"
            )
            assert ring, f"{name} does not show that it has the focus"
        if name == "Details":
            break
    assert reached == ["The generated video", "Show all", "Save", "Open link", "Make another", "Details"]
    await view.page.keyboard.press("Enter")
    await view.shows("Request id")
    await view.page.keyboard.press("Tab")
    assert await view.frame.evaluate("document.activeElement.ariaLabel") == "Copy the request id"
    await view.frame.locator("[data-act=save]").focus()
    await view.page.keyboard.press("Enter")
    await view.shows("Saved (2.4 MB).")
    assert await view.frame.evaluate("document.activeElement.textContent") == "Open link"

"""The gallery: a card for each job of list_jobs, from which a job can be opened, cancelled, saved and continued."""

import re

import pytest

from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Scripted, View

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

QUEUED = jobs.row("queued", "A kite over the bay", "can_cancel", "has_poster")
PROCESSING = jobs.row("processing", "A paper boat in the rain")
SAVED = jobs.row(
    "completed", "A lantern at dusk", "can_continue", "has_poster", video_path="/clips/a.mp4", cost_usd=0.2
)
FAILED = jobs.row("failed", "A fox in the snow", not_charged=True)
ENDED = (SAVED, FAILED)


async def card_of(view: View, state: str) -> str:
    """The card's text, without the changing times."""
    text = " ".join((await view.frame.locator(f".card[data-state={state}]").inner_text()).split())
    return re.sub(r"\d+ (min ago|s of)", r"… \1", text)


async def press(view: View, state: str, label: str) -> None:
    await view.frame.locator(f".card[data-state={state}]").get_by_text(label, exact=True).click()


async def test_each_job_has_its_state_prompt_price_and_image(open_view: OpenView) -> None:
    server = Scripted()
    view = await open_view(jobs.listing(QUEUED, PROCESSING, SAVED, FAILED), server)
    await view.shows("Recent jobs", "4 jobs, newest first · spent $0.45")
    assert await card_of(view, "queued") == (
        "Queued A kite over the bay hailuo-02-fast … min ago About $0.15 … s of about 1 min 35 s Open Cancel"
    )
    assert await card_of(view, "completed") == (
        "Completed A lantern at dusk hailuo-02-fast … min ago Cost $0.20 Play Continue from here"
    )
    assert await card_of(view, "failed") == "Failed A fox in the snow hailuo-02-fast … min ago Open"
    await view.until("document.querySelectorAll('.thumb img:not([hidden])').length === 2")
    posters = "hailuo://posters/segmind%2Fhailuo-02-fast%2F"
    assert server.reads == [f"{posters}queued-1", f"{posters}completed-1"]


async def test_a_list_without_jobs_says_what_to_do(open_view: OpenView) -> None:
    view = await open_view(jobs.listing(spent_usd=0))
    await view.shows("No jobs yet. Ask the assistant for a clip.")


async def test_a_job_can_be_opened_and_closed(open_view: OpenView, clips: str) -> None:
    server = Scripted(jobs.completed(f"{clips}/clip.mp4"), lists=[jobs.listing(*ENDED)])
    view = await open_view(jobs.listing(*ENDED), server, origins=(clips,))
    await press(view, "completed", "Play")
    await view.is_playing()
    assert server.calls == [("get_status", {"request_id": "segmind/hailuo-02-fast/completed-1"})]
    assert await view.frame.evaluate("document.activeElement.id") == "back"
    await view.page.keyboard.press("Enter")
    await view.shows("Recent jobs")
    assert await view.frame.locator("video").count() == 0
    assert await view.frame.evaluate("document.activeElement.textContent") == "Play"


async def test_the_shape_of_an_opened_job_does_not_stay_for_the_next(open_view: OpenView) -> None:
    portrait = jobs.job("processing", parameters={"prompt": "A kite", "aspect_ratio": "9:16"}, poll_after_seconds=60)
    server = Scripted(portrait, jobs.job("processing", poll_after_seconds=60), lists=[jobs.listing(PROCESSING)])
    view = await open_view(jobs.listing(PROCESSING), server)
    for shape in ("9 / 16", ""):
        await press(view, "processing", "Open")
        await view.shows("All jobs")  # the way back, which the list does not have
        assert await view.frame.evaluate("document.querySelector('#blank').style.getPropertyValue('--shape')") == shape
        await view.frame.locator("#back").click()
        await view.shows("Recent jobs")


async def test_a_list_with_a_running_job_is_refreshed_with_the_same_arguments(open_view: OpenView) -> None:
    now_saved = jobs.listing(jobs.row("completed", PROCESSING[0]["prompt"], request_id=PROCESSING[0]["request_id"]))
    server = Scripted(lists=[now_saved])
    view = await open_view(jobs.listing(PROCESSING), server, arguments={"limit": 5})
    await view.shows("Completed")
    assert server.calls == [("list_jobs", {"limit": 5})]
    live = await view.frame.locator("[aria-live=polite]").inner_text()
    assert live == "A paper boat in the rain: Completed."


async def test_a_queued_job_is_cancelled_from_its_card(open_view: OpenView) -> None:
    cancelled = jobs.result({"state": "cancelled", "cancelled": True, "warnings": []})
    server = Scripted(cancelled=cancelled, lists=[jobs.listing(jobs.row("cancelled", "A kite over the bay"))])
    view = await open_view(jobs.listing(QUEUED), server)
    await press(view, "queued", "Cancel")
    await view.shows("Cancelled")
    assert server.calls[0] == ("cancel_job", {"request_id": "segmind/hailuo-02-fast/queued-1"})


async def test_an_unsaved_clip_is_saved_from_its_card(open_view: OpenView) -> None:
    unsaved = jobs.row("completed", "A lantern at dusk", "can_continue", video_url="https://clips.example/a.mp4")
    saved = jobs.result({"video_path": "/clips/a.mp4", "bytes": 2_400_000})
    server = Scripted(saved=saved, lists=[jobs.listing(SAVED)])
    view = await open_view(jobs.listing(unsaved), server)
    await press(view, "completed", "Save")
    await view.shows("Continue from here")
    assert [name for name, _ in server.calls] == ["download_video", "list_jobs"]


async def test_the_next_shot_can_be_requested_from_a_card(open_view: OpenView) -> None:
    view = await open_view(jobs.listing(SAVED), Scripted())
    await press(view, "completed", "Continue from here")
    await view.shows("Asked in the chat")
    (message,) = view.params_of("ui/message")
    assert "last-frame:segmind/hailuo-02-fast/completed-1" in message["content"][0]["text"]


async def test_an_error_is_shown_and_the_list_stays(open_view: OpenView) -> None:
    error = jobs.problem("unknown_request", "There is no such job.", "Look again.")
    refused = jobs.result({"error": error}, is_error=True)
    view = await open_view(jobs.listing(FAILED), Scripted(refused))
    await press(view, "failed", "Open")
    await view.shows("There is no such job. Look again.", "A fox in the snow")


async def test_the_gallery_works_by_keyboard_and_shows_the_focus(open_view: OpenView) -> None:
    view = await open_view(jobs.listing(QUEUED, SAVED), Scripted(), width=320)
    await view.shows("Recent jobs")
    reached: list[str] = []
    await view.frame.locator("body").focus()
    for _ in range(4):
        await view.page.keyboard.press("Tab")
        reached.append(await view.frame.evaluate("document.activeElement.ariaLabel"))
        assert await view.frame.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2")
    assert reached == [
        "Open: A kite over the bay",
        "Cancel: A kite over the bay",
        "Play: A lantern at dusk",
        "Continue from here: A lantern at dusk",
    ]
    await view.page.keyboard.press("Enter")
    await view.shows("Asked in the chat")


async def test_prompts_in_the_gallery_are_text_and_never_markup(open_view: OpenView) -> None:
    hostile = "<img src=x onerror=\"document.title='owned'\">"
    view = await open_view(jobs.listing(jobs.row("failed", hostile, model=f"segmind/{hostile}")))
    await view.shows(hostile)
    assert await view.frame.title() == "Hailuo video"

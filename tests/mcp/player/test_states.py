"""What the view shows in each state, and when it does not know the state."""

import pytest

from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Refused, Scripted

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
RIBBON = "Sandbox preview — not made by Hailuo, nothing charged"


async def test_the_prompt_is_shown_before_the_answer(open_view: OpenView) -> None:
    view = await open_view(None, arguments={"prompt": "A paper lantern"})
    await view.shows("Sending the request…", "A paper lantern")


async def test_a_queued_job_is_shown_as_waiting(open_view: OpenView) -> None:
    view = await open_view(jobs.job("queued", elapsed_seconds=4))
    await view.shows(
        "hailuo-02-fast", "via segmind", "Queued", "Waiting in the queue", "of about 1 min 35 s", "About $0.15"
    )
    assert RIBBON not in await view.text()
    assert await view.buttons() == []


async def test_the_elapsed_time_advances_between_two_answers(open_view: OpenView) -> None:
    view = await open_view(jobs.job("processing", elapsed_seconds=38, poll_after_seconds=60))
    await view.shows("Making the clip", "38 s of about 1 min 35 s")
    await view.shows("40 s of about 1 min 35 s")
    assert "tools/call" not in view.sent


@pytest.mark.parametrize(
    ("elapsed", "at_least", "at_most"), [(38, 32, 42), (95, 85, 90), (600, 90, 97), (7200, 90, 97)]
)
async def test_the_bar_is_never_full_before_the_job_ends(
    open_view: OpenView, elapsed: float, at_least: int, at_most: int
) -> None:
    view = await open_view(jobs.job("processing", elapsed_seconds=elapsed, poll_after_seconds=60))
    await view.shows("Making the clip", "longer than the usual 1 min 35 s" if elapsed >= 95 else "of about")
    bar = view.frame.get_by_role("progressbar")
    assert at_least <= int(await bar.get_attribute("aria-valuenow") or 0) <= at_most
    assert "1 min 35 s" in (await bar.get_attribute("aria-valuetext") or "")


async def test_the_bar_has_no_value_without_an_estimate(open_view: OpenView) -> None:
    view = await open_view(jobs.job("processing", estimated_seconds=None))
    await view.shows("so far")
    assert await view.frame.get_by_role("progressbar").get_attribute("aria-valuenow") is None


async def test_a_completed_job_shows_its_cost_and_when_the_link_expires(open_view: OpenView, clips: str) -> None:
    view = await open_view(jobs.completed(f"{clips}/clip.mp4"), origins=(clips,))
    await view.shows("Completed", "6 s", "768p", "Cost $0.149", "Took 1 min 11 s", "Link expires in 42 min")
    await view.frame.get_by_text("Details").click()
    await view.shows(
        "Request id", jobs.REQUEST_ID, "First frame", "https://pictures.example/harbour.png", "Estimate $0.15"
    )


async def test_the_first_frame_is_shown_immediately(open_view: OpenView) -> None:
    server = Scripted()
    view = await open_view(jobs.offering(jobs.job("queued"), "has_poster"), server)
    await view.until("document.querySelector('#poster:not([hidden])')?.naturalWidth === 320")
    assert server.reads == ["hailuo://posters/segmind%2Fhailuo-02-fast%2F4f0c%3A9a%2F7d21"]
    assert await view.frame.get_by_role("img", name="First frame of the clip").count() == 1


async def test_an_image_in_the_call_itself_is_shown_before_the_answer(open_view: OpenView) -> None:
    blob = jobs.poster("")["contents"][0]["blob"]
    arguments = {"prompt": "A lantern", "first_frame_image": f"data:image/jpeg;base64,{blob}"}
    view = await open_view(None, arguments=arguments)
    await view.until("document.querySelector('#poster:not([hidden])')?.naturalWidth === 320")


async def test_a_job_that_takes_longer_than_usual_says_so_once(open_view: OpenView) -> None:
    view = await open_view(jobs.job("processing", elapsed_seconds=94, poll_after_seconds=60))
    await view.shows("Making the clip", "longer than the usual 1 min 35 s")
    await view.until("document.querySelector('[aria-live=polite]').textContent === 'This is taking longer than usual.'")


async def test_the_balance_is_shown_if_it_is_known(open_view: OpenView) -> None:
    answer = {**jobs.job("processing"), "_meta": {"hailuo-mcp/balance": 12.4}}
    view = await open_view(answer)
    await view.shows("About $0.15", "Balance 12.40")


async def test_a_long_prompt_is_shown_in_full_on_demand(open_view: OpenView) -> None:
    view = await open_view(jobs.job("queued"), width=320)
    more = view.frame.get_by_role("button", name="Show all")
    assert await more.get_attribute("aria-expanded") == "false"
    await more.click()
    await view.shows("fades into blue.", "Show less")


async def test_a_cancelled_job_says_that_it_is_not_charged(open_view: OpenView) -> None:
    view = await open_view(jobs.job("cancelled"))
    await view.shows("Cancelled", "Not charged")
    assert "About $" not in await view.text()


async def test_a_failed_job_says_why_and_that_nothing_was_charged(open_view: OpenView) -> None:
    view = await open_view(jobs.failed())
    await view.shows("The job failed", "Content violates safety guidelines", "Change the prompt", "Not charged")
    assert await view.buttons() == []


async def test_a_temporary_failure_offers_to_try_again(open_view: OpenView) -> None:
    error = jobs.problem("gateway_error", "It stopped.", "Calling again makes a new job.", safe_to_retry=True)
    view = await open_view(jobs.failed(error=error))
    await view.shows("It stopped.", "Safe to try again")
    assert await view.buttons() == ["Ask to try again"]


async def test_an_expired_job_says_that_the_clip_has_expired(open_view: OpenView) -> None:
    view = await open_view(jobs.expired())
    await view.shows("Expired", "The clip has expired", "results are kept for an hour", "Charged")
    assert await view.buttons() == ["Make another"]


async def test_an_unconfirmed_job_warns_of_a_charge_and_offers_no_resubmission(open_view: OpenView) -> None:
    view = await open_view(jobs.unconfirmed())
    await view.shows(
        "Unconfirmed", "Sent, but no response arrived", "The job may exist and may be charged", "May have been charged"
    )
    await view.shows("Do not submit it again", "This view keeps looking for it.")
    assert await view.buttons() == []


async def test_an_unconfirmed_job_that_is_found_continues_under_its_new_id(open_view: OpenView, clips: str) -> None:
    server = Scripted(jobs.job("processing"), jobs.completed(f"{clips}/clip.mp4"))
    view = await open_view(jobs.unconfirmed(), server, origins=(clips,))
    await view.is_playing()
    polled_ids = [arguments["request_id"] for _, arguments in server.calls]
    assert polled_ids == ["segmind/hailuo-02-fast/unconfirmed-0a1b", jobs.REQUEST_ID]
    assert "Sent, but no response arrived" not in await view.text()


async def test_a_dry_run_shows_the_request_and_the_price(open_view: OpenView) -> None:
    view = await open_view(jobs.dry_run())
    await view.shows(
        "Dry run", "Nothing was sent", "https://api.segmind.com/v2/hailuo-02-fast", "Would cost about $0.15"
    )
    assert await view.buttons() == []
    assert "tools/call" not in view.sent


async def test_a_refused_call_says_what_to_do(open_view: OpenView) -> None:
    view = await open_view(jobs.refused(), arguments={"prompt": "A paper lantern"})
    await view.shows("The call failed", "Insufficient credits", "Top up the account", "Not charged")
    await view.shows("Do not retry unchanged", "A paper lantern")


async def test_a_cancelled_call_says_that_a_job_may_exist(open_view: OpenView) -> None:
    view = await open_view(None)
    await view.send("ui/notifications/tool-cancelled", {"reason": "by the user"})
    await view.shows("The call was cancelled", "list_jobs shows it")


async def test_the_text_is_shown_if_the_host_passes_nothing_else(open_view: OpenView) -> None:
    view = await open_view({"content": [{"type": "text", "text": "segmind/hailuo-02-fast/1: queued."}]})
    await view.shows("segmind/hailuo-02-fast/1: queued.")


@pytest.mark.parametrize("state", ["queued", "processing", "completed", "failed", "unconfirmed", "dry_run"])
async def test_the_sandbox_is_announced_in_every_state(open_view: OpenView, state: str) -> None:
    view = await open_view(jobs.job(state, sandbox=True, poll_after_seconds=None))
    await view.shows(RIBBON)


async def test_the_sandbox_ribbon_is_hidden_while_a_preview_clip_is_shown(open_view: OpenView, clips: str) -> None:
    view = await open_view(jobs.completed(f"{clips}/clip.mp4", sandbox=True), origins=(clips,))
    await view.is_playing()
    ribbon = await view.frame.locator("#ribbon").bounding_box()
    assert ribbon
    assert ribbon["height"] < 20  # for screen readers only
    assert await view.frame.locator("#ribbon").text_content() == RIBBON


async def test_a_duplicate_says_that_nothing_new_was_sent(open_view: OpenView) -> None:
    view = await open_view(jobs.job("processing", duplicate=True))
    await view.shows("submitted earlier; nothing new was sent")


async def test_the_note_on_the_chosen_model_stays_when_later_answers_omit_it(open_view: OpenView) -> None:
    chosen = "No model was named: segmind/hailuo-02-fast was chosen."
    view = await open_view(jobs.job("queued", warnings=[chosen]), Scripted(jobs.job("processing")))
    await view.shows("Processing", chosen)


async def test_facts_of_a_job_are_text_and_never_markup(open_view: OpenView) -> None:
    error = jobs.problem("gateway_error", HOSTILE, HOSTILE)
    facts = {"error": error, "warnings": [HOSTILE], "model": f"segmind/{HOSTILE}", "video_path": HOSTILE}
    parameters = {"prompt": HOSTILE, "mode": HOSTILE, HOSTILE: HOSTILE}
    view = await open_view(jobs.job("failed", parameters=parameters, request_id=f"segmind/x/{HOSTILE}", **facts))
    await view.shows("The job failed", HOSTILE)
    await view.frame.get_by_text("Details").click()
    await view.frame.evaluate("new Promise((later) => setTimeout(later, 200))")
    assert await view.frame.title() == "Hailuo video"
    assert await view.frame.locator("main img:not(#poster), main script").count() == 0


async def test_every_state_is_announced_once(open_view: OpenView) -> None:
    view = await open_view(jobs.job("queued"), Scripted(jobs.job("processing"), jobs.failed()))
    live = view.frame.locator("[aria-live=polite]")
    for words in ("Queued. Waiting in the queue", "Processing. Making the clip", "Failed. Segmind failed the job"):
        await view.until("document.querySelector('[aria-live=polite]').textContent.startsWith(arg)", words)
    assert await live.count() == 1
    assert await view.states() == ["submitting", "queued", "processing", "failed"]


async def test_a_failed_poll_is_shown_and_repeated(open_view: OpenView) -> None:
    error = jobs.problem("network_error", "Segmind could not be reached.", "Try again.", safe_to_retry=True)
    server = Scripted(jobs.result({"error": error}, is_error=True), jobs.failed())
    view = await open_view(jobs.job("processing"), server)
    await view.shows("Segmind could not be reached.", "Retrying.", "Making the clip")
    await view.shows("The job failed")
    assert "could not be reached" not in await view.text()


async def test_a_poll_that_cannot_succeed_is_repeated_only_manually(open_view: OpenView) -> None:
    error = jobs.problem("unauthorized", "Segmind refused the key.", "Set SEGMIND_API_KEY.")
    server = Scripted(jobs.result({"error": error}, is_error=True), jobs.failed())
    view = await open_view(jobs.job("processing"), server)
    await view.shows("Segmind refused the key.", "Set SEGMIND_API_KEY.", "Not charged")
    assert await view.buttons() == ["Check again"]
    await view.press("Check again")
    await view.shows("The job failed")
    assert len(server.calls) == 2


async def test_a_poll_that_the_host_fails_to_forward_is_repeated(open_view: OpenView) -> None:
    refusals = {"tools/call": Refused(-32603, "The server is gone.")}
    view = await open_view(jobs.job("processing"), Scripted(jobs.failed()), refusals=refusals)
    await view.shows("The server is gone. Retrying.")
    refusals.clear()
    await view.shows("The job failed")


async def test_the_view_says_if_the_host_does_not_update_it(open_view: OpenView) -> None:
    view = await open_view(jobs.job("processing"), capabilities={})
    await view.shows("This host does not update the view")
    assert "tools/call" not in view.sent

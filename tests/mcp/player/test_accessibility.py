"""axe-core finds no violation in any state and theme; contrast, width and motion follow the user's settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import npm
from tests.mcp.player import jobs
from tests.mcp.player.conftest import OpenView
from tests.mcp.player.host import Scripted, View

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WIDTHS = (320, 768, 1200)
TARGET_MIN = 24
"""WCAG 2.2, level AA: the minimum width and height of controls, in CSS pixels."""
AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'] });
  const describe = ({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`);
  return violations.flatMap(describe);
}"""
LIST = jobs.listing(
    jobs.row("queued", "A kite over the bay", "can_cancel", "has_poster"),
    jobs.row("processing", "A paper boat in the rain", elapsed_seconds=141.0),
    jobs.row("completed", "A lantern at dusk", "can_continue", "has_poster", video_path="/clips/a.mp4"),
    jobs.row("failed", "A fox in the snow", not_charged=True),
    jobs.row("cancelled", "A storm"),
    jobs.row("expired", "A wave"),
    jobs.row("unconfirmed", "A lost answer"),
)

STATES: dict[str, Callable[[str], jobs.Result | None]] = {
    "submitting": lambda _: None,
    "queued": lambda _: jobs.offering(jobs.job("queued", sandbox=True), "can_cancel", "has_poster"),
    "processing": lambda _: jobs.job("processing", elapsed_seconds=141),
    "completed": lambda url: jobs.offering(jobs.completed(url, video_path="/clips/a.mp4"), "can_continue"),
    "failed": lambda _: jobs.offering(jobs.failed(), "has_poster"),
    "cancelled": lambda _: jobs.job("cancelled"),
    "expired": lambda _: jobs.expired(),
    "unconfirmed": lambda _: jobs.unconfirmed(),
    "dry_run": lambda _: jobs.dry_run(),
    "refused": lambda _: jobs.refused(),
    "gallery": lambda _: LIST,
}


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, installed once per run."""
    directory = tmp_path_factory.mktemp("axe")
    npm.install(Path(__file__).parent, directory)
    return (directory / "node_modules/axe-core/axe.min.js").read_text()


async def open_in_state(open_view: OpenView, clips: str, state: str, **more: Any) -> View:
    answer = STATES[state](f"{clips}/clip.mp4")
    view = await open_view(
        answer,
        Scripted(answer or jobs.failed(), lists=[LIST]),
        origins=(clips,),
        arguments={"prompt": jobs.PROMPT},
        **more,
    )
    if answer:
        await view.until("document.querySelector('main').dataset.state !== 'submitting'")
    if state == "completed":
        await view.until("document.querySelector('video:not([hidden])')?.readyState >= 2")
    return view


@pytest.mark.parametrize("state", STATES)
async def test_axe_finds_no_violations(open_view: OpenView, clips: str, axe: str, state: str) -> None:
    view = await open_in_state(open_view, clips, state)
    await view.frame.evaluate(axe)
    if await view.frame.locator("summary").is_visible():
        await view.frame.get_by_text("Details").click()
    for theme in ("light", "dark"):
        await view.set_theme(theme)
        assert await view.frame.evaluate(AXE) == [], theme


@pytest.mark.parametrize("state", ["queued", "completed", "gallery"])
async def test_the_view_fits_every_width_without_horizontal_scrolling(
    open_view: OpenView, clips: str, state: str
) -> None:
    view = await open_in_state(open_view, clips, state)
    for width in WIDTHS:
        await view.set_width(width)
        assert await view.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        small = await view.frame.evaluate(
            "(least) => [...document.querySelectorAll('button, summary')].filter((e) => e.checkVisibility())"
            ".map((e) => [e.textContent, e.getBoundingClientRect()])"
            ".filter(([, box]) => box.width < least || box.height < least).map(([text]) => text)",
            TARGET_MIN,
        )
        assert small == []


async def test_clip_and_text_are_side_by_side_if_there_is_room(open_view: OpenView, clips: str) -> None:
    view = await open_in_state(open_view, clips, "completed")
    for width, side_by_side in ((768, False), (1200, True)):
        await view.set_width(width)
        frame, side = [await view.frame.locator(part).bounding_box() for part in ("#frame", "#side")]
        assert frame
        assert side
        assert (side["x"] >= frame["x"] + frame["width"]) is side_by_side


async def test_the_contrast_is_higher_if_the_user_prefers_it(open_view: OpenView, clips: str, axe: str) -> None:
    view = await open_in_state(open_view, clips, "queued")
    await view.frame.evaluate(axe)
    plain = await view.frame.evaluate("getComputedStyle(document.querySelector('#gateway')).color")
    await view.page.emulate_media(contrast="more")
    await view.until("getComputedStyle(document.querySelector('#gateway')).color !== arg", plain)
    assert await view.frame.evaluate("getComputedStyle(document.querySelector('#gateway')).color") == "rgb(0, 0, 0)"
    assert await view.frame.evaluate(AXE) == []


async def test_the_bar_and_the_state_are_visible_with_forced_colors(open_view: OpenView, clips: str) -> None:
    view = await open_in_state(open_view, clips, "processing")
    await view.page.emulate_media(forced_colors="active")
    await view.until("matchMedia('(forced-colors: active)').matches")
    borders = "['bar', 'pill'].map((id) => getComputedStyle(document.getElementById(id)).borderTopWidth)"
    assert await view.frame.evaluate(borders) == ["1px", "1px"]
    fill, background = await view.frame.evaluate(
        "[bar.firstChild, document.body].map((element) => getComputedStyle(element).backgroundColor)"
    )
    assert fill != background


async def test_nothing_is_animated_with_reduced_motion(open_view: OpenView, clips: str) -> None:
    for state in ("submitting", "processing", "gallery"):
        view = await open_in_state(open_view, clips, state, reduced_motion=True)
        assert await view.frame.evaluate("document.getAnimations().length") == 0

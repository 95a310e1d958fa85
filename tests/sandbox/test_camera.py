from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hailuo_mcp.sandbox.camera import COMMANDS, commands, path, without_commands

FRAMES = 48


def center(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def test_commands_in_one_bracket_form_a_group_and_brackets_form_a_sequence() -> None:
    assert commands("A cat [Pan left, Tilt up] sits. [PUSH  IN]") == [["pan left", "tilt up"], ["push in"]]
    assert commands("[Pan left + Zoom in][Truck right and Shake]") == [
        ["pan left", "zoom in"],
        ["truck right", "shake"],
    ]


def test_a_bracket_without_a_known_command_is_left_in_the_text() -> None:
    assert commands("She said [something] [Push in, Sparkle]") == [["push in"]]
    assert without_commands("She said [something] [Push in, Sparkle]") == "She said [something]"
    assert without_commands("A cat [Shake], asleep [Static shot].") == "A cat, asleep."


@pytest.mark.parametrize(
    ("command", "right", "down"),
    [
        ("pan left", -1, 0),
        ("pan right", 1, 0),
        ("truck left", -1, 0),
        ("truck right", 1, 0),
        ("tilt up", 0, -1),
        ("tilt down", 0, 1),
        ("pedestal up", 0, -1),
        ("pedestal down", 0, 1),
        ("tracking shot", 1, 0),
        ("static shot", 0, 0),
        ("push in", 0, 0),
    ],
)
def test_a_command_moves_the_camera_in_its_direction(command: str, right: int, down: int) -> None:
    boxes = path([[command]], FRAMES)
    (x0, y0), (x1, y1) = center(boxes[0]), center(boxes[-1])
    assert math.copysign(1, x1 - x0) * (abs(x1 - x0) > 0.05) == right
    assert math.copysign(1, y1 - y0) * (abs(y1 - y0) > 0.05) == down


@pytest.mark.parametrize(("command", "closer"), [("push in", 1), ("zoom in", 1), ("pull out", -1), ("zoom out", -1)])
def test_zooming_in_shows_less_and_zooming_out_shows_more(command: str, closer: int) -> None:
    boxes = path([[command]], FRAMES)
    narrowed = (boxes[0][2] - boxes[0][0]) - (boxes[-1][2] - boxes[-1][0])
    assert narrowed * closer > 0.2


def test_a_static_shot_shows_the_whole_image_throughout() -> None:
    assert set(path([["static shot"]], FRAMES)) == {(0.0, 0.0, 1.0, 1.0)}


def test_without_a_command_the_camera_pushes_in_slowly_from_the_whole_image() -> None:
    boxes = path([], FRAMES)
    assert boxes[0] == pytest.approx((0, 0, 1, 1))
    assert 0.8 < boxes[-1][2] - boxes[-1][0] < 0.9


def test_a_shake_goes_back_and_forth() -> None:
    steps = [center(box)[0] for box in path([["shake"]], FRAMES)]
    turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(steps, steps[1:], steps[2:], strict=False))
    assert turns > 10


def test_brackets_are_applied_one_after_another() -> None:
    boxes = path([["pan right"], ["tilt down"]], FRAMES)
    start, middle, end = (center(boxes[frame]) for frame in (0, FRAMES // 2, FRAMES - 1))
    assert middle[0] > start[0] + 0.1
    assert middle[1] == pytest.approx(start[1], abs=0.01)
    assert end[1] > middle[1] + 0.1
    assert end[0] == pytest.approx(middle[0], abs=0.01)


@given(some.lists(some.lists(some.sampled_from(sorted(COMMANDS)), min_size=1, max_size=4), max_size=6))
def test_camera_never_leaves_the_image_or_comes_too_close(brackets: list[list[str]]) -> None:
    for left, top, right, bottom in path(brackets, FRAMES):
        assert -1e-6 <= left < right <= 1 + 1e-6
        assert -1e-6 <= top < bottom <= 1 + 1e-6
        assert right - left > 0.3

"""The camera commands in a prompt, and the path they move the camera along.

The commands in one bracket run at the same time, brackets run one after another: `[Pan left, Tilt up] … [Push in]`.
A bracket without a known command is ordinary text.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Move(NamedTuple):
    """What a command does in total. `x`, `y`, `shake`: fractions of the image's sides; `zoom`: a logarithm."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 0.0
    shake: float = 0.0


COMMANDS: Mapping[str, Move] = {
    "truck left": Move(x=-0.15),
    "truck right": Move(x=0.15),
    "pan left": Move(x=-0.22),
    "pan right": Move(x=0.22),
    "push in": Move(zoom=0.30),
    "pull out": Move(zoom=-0.30),
    "pedestal up": Move(y=-0.14),
    "pedestal down": Move(y=0.14),
    "tilt up": Move(y=-0.20),
    "tilt down": Move(y=0.20),
    "zoom in": Move(zoom=0.42),
    "zoom out": Move(zoom=-0.42),
    "shake": Move(shake=0.012),
    "tracking shot": Move(x=0.10, zoom=0.12),
    "static shot": Move(),
}
DEFAULT_MOVE = Move(zoom=0.14)
"""A slow push in, so that a clip without commands still moves."""

_SHIFT_MAX, _ZOOM_MAX = 0.34, 0.55
_BRACKET = re.compile(r"\[([^\[\]]{1,200})\]")

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of the visible part, in fractions of the image's sides."""


def commands(prompt: str) -> list[list[str]]:
    """The known commands by bracket, in the order in which they run."""
    brackets = (_known(inside) for inside in _BRACKET.findall(prompt))
    return [known for known in brackets if known]


def without_commands(prompt: str) -> str:
    text = _BRACKET.sub(lambda match: " " if _known(match[1]) else match[0], prompt)
    return re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.split()))


def path(brackets: Sequence[Sequence[str]], frames: int) -> list[Box]:
    """What the camera sees in each frame: as much as the moves allow, always inside the image."""
    moves = [Move(*map(sum, zip(*(COMMANDS[name] for name in bracket), strict=True))) for bracket in brackets]
    poses = [_pose(moves or [DEFAULT_MOVE], frame / max(1, frames - 1)) for frame in range(frames)]
    xs, ys, zooms = zip(*poses, strict=True)
    xs, ys, zooms = _limit(xs, _SHIFT_MAX), _limit(ys, _SHIFT_MAX), _limit(zooms, _ZOOM_MAX)
    widest = 1 - max(max(xs) - min(xs), max(ys) - min(ys))
    sides = [widest * math.exp(min(zooms) - zoom) for zoom in zooms]
    return [
        (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        for x, y, side in zip(_centered(xs), _centered(ys), sides, strict=True)
    ]


def _known(inside: str) -> list[str]:
    names = (" ".join(part.lower().split()) for part in re.split(r"[,+&;]|\band\b", inside))
    return [name for name in names if name in COMMANDS]


def _pose(moves: Sequence[Move], time: float) -> tuple[float, float, float]:
    """x, y and zoom at a time from 0 to 1: the completed moves and part of the current one."""
    x = y = zoom = 0.0
    for number, move in enumerate(moves):
        done = min(1.0, max(0.0, time * len(moves) - number))
        shake = move.shake if 0 < done < 1 else 0.0
        x += move.x * done + shake * math.sin(time * 46 * math.pi)
        y += move.y * done + shake * math.cos(time * 58 * math.pi)
        zoom += move.zoom * done
    return x, y, zoom


def _limit(values: Sequence[float], limit: float) -> list[float]:
    """The values, scaled down if they span more than `limit`."""
    span = max(values) - min(values)
    return [value * min(1.0, limit / span) if span else value for value in values]


def _centered(values: Sequence[float]) -> list[float]:
    """The values, shifted so that the middle of their range is the middle of the image."""
    middle = (min(values) + max(values)) / 2
    return [value - middle + 0.5 for value in values]

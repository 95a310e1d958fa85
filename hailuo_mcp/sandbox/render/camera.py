"""Camera commands in a prompt, and the path on which they move the camera over a picture.

Commands in one bracket happen at once, brackets one after another: `[Pan left, Tilt up] … [Push in]`. A bracket without
any known command is part of the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Move:
    """What a command does over its whole stretch. `x`, `y`: shares of the picture's sides; `zoom`: a logarithm."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 0.0
    shake: float = 0.0


COMMANDS: Mapping[str, Move] = MappingProxyType(
    {
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
        "tracking shot": Move(x=0.10, zoom=0.12, shake=0.002),
        "static shot": Move(),
    }
)
_UNASKED = Move(zoom=0.14)
"""A slow push in, so that a clip without commands is seen to be a clip."""

_LARGEST_SHIFT = 0.34
_LARGEST_ZOOM = 0.55
_BRACKET = re.compile(r"\[([^\[\]]{1,200})\]")

Box = tuple[float, float, float, float]
"""Left, top, right, bottom of what the camera sees, in shares of the picture's sides."""


def commands(prompt: str) -> list[list[str]]:
    """The known commands by bracket, in the order in which they are carried out."""
    brackets = (_known(inside) for inside in _BRACKET.findall(prompt))
    return [known for known in brackets if known]


def without_commands(prompt: str) -> str:
    text = _BRACKET.sub(lambda match: " " if _known(match[1]) else match[0], prompt)
    return re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.split()))


def path(brackets: Sequence[Sequence[str]], frames: int) -> list[Box]:
    """What the camera sees in each frame. It starts as wide as the moves allow, and never leaves the picture."""
    moves = [_together([COMMANDS[name] for name in bracket]) for bracket in brackets] or [_UNASKED]
    poses = [_pose(moves, frame / max(1, frames - 1)) for frame in range(frames)]
    xs, ys, zooms = (_limited([pose[axis] for pose in poses], limit) for axis, limit in enumerate(_LIMITS))
    closeness = 0.0
    while not all(_fits(along, _sides(zooms, closeness)) for along in (xs, ys)):
        closeness += 0.005
    sides = _sides(zooms, closeness)
    return [
        (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        for x, y, side in zip(_placed(xs, sides), _placed(ys, sides), sides, strict=True)
    ]


_LIMITS = (_LARGEST_SHIFT, _LARGEST_SHIFT, _LARGEST_ZOOM)


def _known(inside: str) -> list[str]:
    names = (" ".join(part.lower().split()) for part in re.split(r"[,+&;]|\band\b", inside))
    return [name for name in names if name in COMMANDS]


def _together(moves: Sequence[Move]) -> Move:
    return Move(
        sum(move.x for move in moves),
        sum(move.y for move in moves),
        sum(move.zoom for move in moves),
        max((move.shake for move in moves), default=0.0),
    )


def _pose(moves: Sequence[Move], moment: float) -> tuple[float, float, float]:
    """Where the camera is after a share of the clip: the stretches done, and an eased part of the one under way."""
    x = y = zoom = 0.0
    for number, move in enumerate(moves):
        local = min(1.0, max(0.0, moment * len(moves) - number))
        # A single move runs evenly, as a camera on rails; several in a row start and stop gently.
        eased = local * local * (3 - 2 * local) if len(moves) > 1 else local
        jolt = move.shake * math.sin(math.pi * local) ** 0.5 if 0 < local < 1 else 0.0
        turn = moment * 2 * math.pi
        x += move.x * eased + jolt * (math.sin(turn * 23) + 0.6 * math.sin(turn * 37 + 1))
        y += move.y * eased + jolt * (math.sin(turn * 29 + 2) + 0.6 * math.sin(turn * 41))
        zoom += move.zoom * eased
    return x, y, zoom


def _limited(values: Sequence[float], limit: float) -> list[float]:
    """The same course, made smaller when it reaches further than a picture can bear."""
    reach = max(values) - min(values)
    return [value * min(1.0, limit / reach) if reach else value for value in values]


def _sides(zooms: Sequence[float], closeness: float) -> list[float]:
    """The share of the picture's sides that is seen, the whole of it where the camera is farthest away."""
    farthest = min(zooms)
    return [math.exp(farthest - zoom - closeness) for zoom in zooms]


def _room(along: Sequence[float], sides: Sequence[float]) -> tuple[float, float]:
    """Between which offsets the whole course stays within the picture."""
    low = max(side / 2 - value for value, side in zip(along, sides, strict=True))
    high = min(1 - side / 2 - value for value, side in zip(along, sides, strict=True))
    return low, high


def _fits(along: Sequence[float], sides: Sequence[float]) -> bool:
    low, high = _room(along, sides)
    return low <= high + 1e-9


def _placed(along: Sequence[float], sides: Sequence[float]) -> list[float]:
    low, high = _room(along, sides)
    return [value + (low + high) / 2 for value in along]

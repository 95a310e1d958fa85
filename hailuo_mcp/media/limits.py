"""Compares measured values with a model's rules, and describes what does not fit."""

from collections.abc import Iterator

from hailuo_mcp.core.parameters import MediaRule


def within(value: float, pair: tuple[float, float], slack: float = 0.0) -> bool:
    return pair[0] - slack <= value <= pair[1] + slack


def span(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}–{pair[1]:g}"


def broken_shape(width: int, height: int, rule: MediaRule) -> Iterator[tuple[str, str]]:
    """What is wrong with these dimensions, and the fix."""
    size = f"is {width} x {height} px"
    if rule.pixels and not rule.pixels[0] <= min(width, height) <= max(width, height) <= rule.pixels[1]:
        yield f"{size}; {span(rule.pixels)} px a side are accepted", "Scale it to that size."
    if rule.ratio and not within(width / height, rule.ratio):
        yield f"{size}, a width/height of {width / height:.3g}; {span(rule.ratio)} is accepted", "Crop it."

"""Pictures made up for a clip: a landscape that depends on its text, for want of a picture the sandbox may see."""

# Some of Pillow's signatures mention NumPy, which is no dependency here, so that they are only partly known.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
import math
import random
from urllib.parse import unquote, urlsplit

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from hailuo_mcp.sandbox.render.captions import fitted, font, printable

_Colour = tuple[int, int, int]

# Sky from the top to the horizon, the sun or moon, the farthest and the nearest hills.
_PALETTES: dict[str, tuple[_Colour, _Colour, _Colour, _Colour, _Colour]] = {
    "dawn": ((58, 74, 128), (250, 176, 142), (255, 236, 200), (150, 118, 150), (34, 34, 66)),
    "day": ((64, 138, 206), (206, 232, 240), (255, 252, 234), (120, 164, 178), (26, 70, 76)),
    "dusk": ((44, 28, 84), (246, 120, 88), (255, 214, 150), (140, 66, 106), (28, 16, 46)),
    "night": ((8, 12, 34), (54, 74, 124), (236, 240, 255), (44, 58, 98), (6, 9, 22)),
    "desert": ((92, 142, 190), (250, 214, 164), (255, 246, 220), (214, 150, 104), (112, 56, 34)),
    "forest": ((96, 152, 160), (222, 232, 198), (255, 250, 222), (110, 152, 128), (14, 46, 38)),
}
_HINTS = {
    "night": ("night", "moon", "star", "space", "neon", "dark"),
    "desert": ("desert", "canyon", "sand", "dune", "mars"),
    "forest": ("forest", "jungle", "garden", "tree", "green"),
    "dusk": ("sunset", "dusk", "evening", "fire", "golden"),
    "dawn": ("dawn", "sunrise", "morning", "soft"),
    "day": ("sea", "ocean", "beach", "snow", "sky", "mountain", "winter"),
}

_HORIZON = 0.6
"""How far down the sky reaches, as a share of the height."""


def scene(text: str, size: tuple[int, int]) -> Image.Image:
    """A landscape, always the same for the same text."""
    dice = random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311  a picture, not a secret
    palette = next((name for name, words in _HINTS.items() if any(word in text.lower() for word in words)), None)
    top, horizon, light, far, near = _PALETTES[palette or dice.choice(sorted(_PALETTES))]
    width, height = size
    picture = Image.new("RGB", size, horizon)
    picture.paste(_gradient((width, round(height * _HORIZON)), top, horizon, bend=1.25))
    if palette == "night" or sum(top) < 80:
        _stars(picture, dice)
    _glow(picture, light, (width * dice.uniform(0.24, 0.76), height * dice.uniform(0.28, 0.44)), height * 0.075)
    layers = 5
    for layer in range(layers):
        depth = layer / (layers - 1)
        colours = _mix(far, near, depth), _mix(far, horizon, 0.55)
        _hills(picture, dice, *colours, level=0.54 + 0.30 * depth, roughness=0.05 + 0.025 * depth)
    return picture


def stand_in(url: str, size: tuple[int, int]) -> Image.Image:
    """In place of a picture on another host, which the sandbox never fetches: a scene that names it."""
    picture = scene(url, size).filter(ImageFilter.GaussianBlur(size[1] / 220))
    parts = urlsplit(url)
    lines = ["Picture not fetched", printable(parts.hostname or url), printable(unquote(parts.path.rpartition("/")[2]))]
    unit = min(size) / 100
    fonts = [font(unit * 3.4), font(unit * 5.4), font(unit * 3.8)]
    lines = [fitted(line, face, size[0] * 0.62) for line, face in zip(lines, fonts, strict=True)]
    heights = [unit * 6, unit * 9, unit * 6]
    panel_width = max(face.getlength(line) for line, face in zip(lines, fonts, strict=True)) + unit * 12
    left, top = (size[0] - panel_width) / 2, size[1] * 0.36
    sheet = Image.new("RGBA", size)
    draw = ImageDraw.Draw(sheet)
    panel = (left, top, left + panel_width, top + sum(heights) + unit * 5)
    draw.rounded_rectangle(panel, unit * 2, fill=(10, 14, 24, 150), outline=(255, 255, 255, 90), width=2)
    y = top + unit * 2.5
    colours = [(255, 196, 92, 255), (255, 255, 255, 255), (214, 222, 236, 255)]
    for line, face, tall, colour in zip(lines, fonts, heights, colours, strict=True):
        draw.text((size[0] / 2, y + tall / 2), line, font=face, fill=colour, anchor="mm")
        y += tall
    picture.paste(sheet, mask=sheet)
    return picture


def _gradient(size: tuple[int, int], top: _Colour, bottom: _Colour, bend: float = 1.0) -> Image.Image:
    column = Image.new("RGB", (1, 256))
    for row in range(256):
        column.putpixel((0, row), _mix(top, bottom, (row / 255) ** bend))
    picture = column.resize(size, Image.Resampling.BICUBIC)
    # A little grain, or the eight bits of a smooth sky show as bands.
    grain = Image.effect_noise(size, 5).point([round(value / 2) for value in range(256)])
    return ImageChops.add(picture, Image.merge("RGB", (grain,) * 3), offset=-64)


def _stars(picture: Image.Image, dice: random.Random) -> None:
    width, height = picture.size
    draw = ImageDraw.Draw(picture)
    for _ in range(160):
        x, y, radius = dice.uniform(0, width), height * 0.55 * dice.random(), dice.uniform(0.4, 1.5) * height / 720
        shine = dice.randint(120, 250)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(shine, shine, min(255, shine + 12)))


def _glow(picture: Image.Image, light: _Colour, centre: tuple[float, float], radius: float) -> None:
    # Drawn small and enlarged: a blur this wide costs nothing at a quarter of the size.
    small = (picture.width // 4, picture.height // 4)
    x, y = centre[0] / 4, centre[1] / 4
    halo = Image.new("L", small)
    for share, strength in ((5.0, 26), (3.2, 52), (2.0, 96)):
        reach = radius / 4 * share
        ImageDraw.Draw(halo).ellipse((x - reach, y - reach, x + reach, y + reach), fill=strength)
        halo = halo.filter(ImageFilter.GaussianBlur(reach * 0.35))
    picture.paste(light, mask=halo.resize(picture.size, Image.Resampling.BICUBIC))
    disc = Image.new("L", (round(radius * 4), round(radius * 4)))
    ImageDraw.Draw(disc).ellipse((0, 0, disc.width - 1, disc.height - 1), fill=255)
    disc = disc.resize((round(radius * 2), round(radius * 2)), Image.Resampling.LANCZOS)
    picture.paste(light, (round(centre[0] - radius), round(centre[1] - radius)), disc)


def _hills(
    picture: Image.Image, dice: random.Random, colour: _Colour, mist: _Colour, level: float, roughness: float
) -> None:
    """One ridge, darker than the one behind it, and fading into mist at its foot."""
    width, height = picture.size
    waves = [(dice.uniform(0.6, 1.6), dice.uniform(0, 7), 1.0)]
    waves += [(dice.uniform(2, 4) * 2**octave, dice.uniform(0, 7), 0.42 / 2**octave) for octave in range(4)]
    step = max(2, width // 400)
    ridge: list[tuple[float, float]] = []
    for x in range(-step, width + 2 * step, step):
        rise = sum(high * math.sin(x / width * math.tau * often + start) for often, start, high in waves)
        ridge.append((x, height * (level - roughness * rise)))
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).polygon([*ridge, (width + step, height), (-step, height)], fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(0.8))
    top = max(0, round(min(y for _, y in ridge)))
    body = Image.new("RGB", (width, height), colour)
    body.paste(_gradient((width, height - top), colour, _mix(colour, mist, 0.45)), (0, top))
    picture.paste(body, mask=mask)


def _mix(one: _Colour, other: _Colour, share: float) -> _Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue

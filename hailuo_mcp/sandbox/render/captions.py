"""What is written over every frame: that it is no real clip, and what was asked for."""

# Some of Pillow's signatures mention NumPy, which is no dependency here, so that they are only partly known.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

MARK = ("SANDBOX PREVIEW", "not made by Hailuo")
"""Joined by a dash that is drawn, since Pillow's own font has none."""

_MAX_LINES = 4
_REPLACEMENTS = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "×": "x", "ß": "ss", "ø": "o", "æ": "ae"}
)
# Where a system keeps a font with many scripts. Pillow searches its font directories for the bare names.
_WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "msyh.ttc", "PingFang.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font(size: float) -> Font:
    return ImageFont.load_default(size)


def printable(text: str) -> str:
    """The text in the letters that Pillow's own font has: ASCII, accents dropped."""
    plain = unicodedata.normalize("NFKD", text.translate(_REPLACEMENTS))
    return " ".join("".join(letter for letter in plain if " " <= letter <= "~").split())


def fitted(text: str, face: Font, width: float) -> str:
    """The text, shortened until it fits."""
    if face.getlength(text) <= width:
        return text
    fits = bisect_right(range(1, len(text)), width, key=lambda length: face.getlength(text[:length] + "..."))
    return text[:fits].rstrip() + "..."


def wrapped(text: str, face: Font, width: float) -> list[str]:
    """The text in lines of at most `width` pixels, at most four; what does not fit ends in an ellipsis."""
    # Chinese and Japanese have no spaces to break at: there every letter is a word.
    spaced = " " in text
    words, joint = (text.split(), " ") if spaced else (list(text), "")
    lines: list[str] = []
    while words and len(lines) < _MAX_LINES:
        line = words.pop(0)
        while words and face.getlength(line + joint + words[0]) <= width:
            line += joint + words.pop(0)
        lines.append(line)
    if words:
        lines[-1] += joint + joint.join(words)
    return [fitted(line, face, width) for line in lines]


def overlay(size: tuple[int, int], prompt: str, moves: Sequence[str]) -> Image.Image:
    """A transparent sheet with the mark at the top and the prompt, wrapped, at the bottom."""
    sheet = Image.new("RGBA", size)
    unit = min(size) / 100
    _draw_mark(sheet, unit)
    _draw_caption(sheet, unit, prompt, moves)
    return sheet


def _draw_mark(sheet: Image.Image, unit: float) -> None:
    # As large as the narrowest clip (2:5) can carry.
    scale = min(unit, sheet.width / 78)
    loud, soft = font(scale * 3.4), font(scale * 3.4)
    gap, dash, dot = scale * 1.4, scale * 3.0, scale * 1.7
    widths = loud.getlength(MARK[0]), soft.getlength(MARK[1])
    left, top, tall = scale * 3, scale * 3, scale * 6.6
    right = left + scale * 2.4 + dot + gap + widths[0] + gap + dash + gap + widths[1] + scale * 2.6
    draw = ImageDraw.Draw(sheet)
    draw.rounded_rectangle((left, top, right, top + tall), tall / 2, fill=(12, 14, 20, 205))
    middle, x = top + tall / 2, left + scale * 2.4
    draw.ellipse((x, middle - dot / 2, x + dot, middle + dot / 2), fill=(255, 176, 46, 255))
    x += dot + gap
    draw.text((x, middle), MARK[0], font=loud, fill=(255, 196, 92, 255), anchor="lm", stroke_width=scale / 18)
    x += widths[0] + gap
    draw.line((x, middle, x + dash, middle), fill=(200, 206, 218, 255), width=max(1, round(scale * 0.35)))
    x += dash + gap
    draw.text((x, middle), MARK[1], font=soft, fill=(240, 243, 250, 255), anchor="lm")


def _draw_caption(sheet: Image.Image, unit: float, prompt: str, moves: Sequence[str]) -> None:
    text, face = _readable(prompt, unit * 4.2)
    margin = unit * 5
    lines = wrapped(text, face, sheet.width - 2 * margin) if text else []
    label = printable(", then ".join(moves))
    line_tall, label_tall = unit * 5.8, unit * 5.4 if label else 0.0
    tall = len(lines) * line_tall + label_tall + margin
    scrim = Image.new("L", (1, 256))
    scrim.putdata([round(200 * (row / 255) ** 1.1) for row in range(256)])
    reach = round(min(sheet.height * 0.6, tall + unit * 14))
    shade = Image.new("RGBA", (sheet.width, reach), (6, 8, 14, 255))
    shade.putalpha(scrim.resize((sheet.width, reach), Image.Resampling.BICUBIC))
    sheet.paste(shade, (0, sheet.height - reach))
    draw = ImageDraw.Draw(sheet)
    y = sheet.height - tall
    if label:
        small = font(unit * 3.0)
        draw.text((margin, y), fitted(label, small, sheet.width - 2 * margin), font=small, fill=(255, 196, 92, 255))
        y += label_tall
    for line in lines:
        draw.text((margin + unit * 0.2, y + unit * 0.25), line, font=face, fill=(0, 0, 0, 150))
        draw.text((margin, y), line, font=face, fill=(255, 255, 255, 255))
        y += line_tall


def _readable(prompt: str, size: float) -> tuple[str, Font]:
    """The prompt with a font that has its letters, or what is left of it in Pillow's own."""
    plain, written = printable(prompt), " ".join(prompt.split())
    if len(plain) >= len(written) * 0.8:
        return plain, font(size)
    for name in _WIDE_FONTS:
        try:
            face = ImageFont.truetype(name, size)
        except OSError:
            continue
        if _has_letters(face, written):
            return written, face
    return "(The prompt is in a script that no font here has.)", font(size)


def _has_letters(face: ImageFont.FreeTypeFont, text: str) -> bool:
    missing = _drawn(face, "\uffff")
    return all(_drawn(face, letter) != missing for letter in set(text) if not letter.isspace())


def _drawn(face: ImageFont.FreeTypeFont, letter: str) -> bytes:
    sheet = Image.new("L", (round(face.size * 2), round(face.size * 2)))
    ImageDraw.Draw(sheet).text((0, 0), letter, font=face, fill=255)
    return sheet.tobytes()

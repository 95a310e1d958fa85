"""Removes an image's metadata (place, time, camera, author, comments, previews) without re-encoding it. What determines
its appearance is kept: orientation, color profile, resolution, transparency, animation.
"""

import re
import zlib
from collections.abc import Iterator

from hailuo_mcp.media.formats import png_chunks

UPRIGHT = 1

# --- EXIF ---------------------------------------------------------------------------------------------------------


def _exif(orientation: int) -> bytes:
    """EXIF data with only an orientation: a TIFF header, and a directory with one entry."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2) + b"\x00\x00"
    return b"MM\x00*\x00\x00\x00\x08" + b"\x00\x01" + entry + b"\x00\x00\x00\x00"


def without_metadata(kind: str, content: bytes, orientation: int) -> bytes:
    """The image without metadata except this EXIF orientation. `kind`: JPEG, PNG or WebP.

    Raises:
        ValueError: its structure cannot be parsed.
    """
    exif = _exif(orientation) if orientation != UPRIGHT else b""
    strip = {"JPEG": _strip_jpeg, "PNG": _strip_png, "WebP": _strip_webp}[kind]
    return strip(content, exif)


# --- JPEG ---------------------------------------------------------------------------------------------------------

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_JFIF, _EXIF, _ICC, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_APPLICATION = range(0xE0, 0xF0)
_WITHOUT_LENGTH = frozenset({0x01, _SOI, *range(0xD0, 0xD8)})
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""Within a scan, 0xFF is followed by 0 or a restart marker, unless the scan is over."""


def _strip_jpeg(content: bytes, exif: bytes) -> bytes:
    kept = [content[:2]]
    body = b"Exif\x00\x00" + exif
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body if exif else b""
    for marker, part in _jpeg_segments(content):
        if segment and marker != _JFIF:  # JFIF must come first, then EXIF
            kept.append(segment)
            segment = b""
        if _is_needed(marker, part[4:]):
            kept.append(part)
    return b"".join(kept)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with its segment, including the data of a scan; nothing after the end of the image."""
    position = 2
    while found := _MARKER.search(content, position):
        marker, begin = found[1][0], found.end() - 2
        end = begin + 2
        if marker not in _WITHOUT_LENGTH and marker != _EOI:
            end += int.from_bytes(content[end : end + 2])
        if marker == _SOS:
            after = _MARKER.search(content, end)
            end = after.start() if after else len(content)
        yield marker, content[begin:end]
        if marker == _EOI:
            return
        position = end


def _is_needed(marker: int, body: bytes) -> bool:
    if marker in _APPLICATION:
        return (
            (marker == _JFIF and body.startswith(b"JFIF\x00"))
            or (marker == _ICC and body.startswith(b"ICC_PROFILE\x00"))
            or (marker == _ADOBE and body.startswith(b"Adobe"))
        )
    return marker != _COM


# --- PNG ----------------------------------------------------------------------------------------------------------

_PNG_KEPT = frozenset(b"acTL bKGD cHRM cICP cLLI fcTL fdAT gAMA hIST iCCP mDCV pHYs sBIT sPLT sRGB tRNS".split())
"""The optional chunks that affect the appearance."""


def _strip_png(content: bytes, exif: bytes) -> bytes:
    kept = [content[:8]]
    for kind, begin, end in png_chunks(content):
        if kind[:1].isupper() or kind in _PNG_KEPT:
            kept.append(content[begin:end])
        if kind == b"IHDR" and exif:
            kept.append(len(exif).to_bytes(4) + b"eXIf" + exif + zlib.crc32(b"eXIf" + exif).to_bytes(4))
        if kind == b"IEND":
            return b"".join(kept)
    raise ValueError("no IEND")


# --- WebP ---------------------------------------------------------------------------------------------------------

_WEBP_KEPT = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_HAS_EXIF, _WEBP_HAS_XMP = 0x08, 0x04


def _strip_webp(content: bytes, exif: bytes) -> bytes:
    kept: list[bytes] = []
    position = 12
    while position + 8 <= len(content):
        kind, length = content[position : position + 4], int.from_bytes(content[position + 4 : position + 8], "little")
        end = position + 8 + length + length % 2
        if kind == b"VP8X":
            flags = content[position + 8] & ~(_WEBP_HAS_EXIF | _WEBP_HAS_XMP) | (_WEBP_HAS_EXIF if exif else 0)
            kept.append(content[position : position + 8] + bytes([flags]) + content[position + 9 : end])
        elif kind in _WEBP_KEPT:
            kept.append(content[position:end])
        position = end
    if exif:
        kept.append(b"EXIF" + len(exif).to_bytes(4, "little") + exif + b"\x00" * (len(exif) % 2))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body

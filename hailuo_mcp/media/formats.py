"""Detects the format of a file from its first bytes, regardless of its name, and whether it is truncated."""

import re
from collections.abc import Iterator
from pathlib import Path

from hailuo_mcp.core.errors import InvalidImage

HEADER_BYTES = 32
"""How much is read of a file in the wrong format."""
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "MP4": "video/mp4",
    "MOV": "video/quicktime",
    "WAV": "audio/wav",
    "MP3": "audio/mpeg",
}
"""The media types of all formats that some gateway accepts."""
WANTED = "Give a JPG or PNG with a shorter side over 300 px and an aspect ratio between 2:5 and 5:2, at most 20 MB."

_IMAGES = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP"),
    # Many texts start with "BM", but without the reserved zeros and the size of a known header.
    (re.compile(rb"BM....\x00{4}....[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL), "BMP"),
    (re.compile(rb"(II\*\x00|MM\x00\*)"), "TIFF"),
    (re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", re.DOTALL), "HEIC"),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), "AVIF"),
)
_RECORDINGS = (
    (re.compile(rb"....ftypqt  ", re.DOTALL), "MOV"),
    (re.compile(rb"....(moov|mdat|wide|skip|free)", re.DOTALL), "MOV"),  # QuickTime's older files name no type
    (re.compile(rb"....ftyp(M4A|M4B)", re.DOTALL), "M4A"),
    (re.compile(rb"....ftyp", re.DOTALL), "MP4"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "WAV"),
    (re.compile(rb"RIFF....AVI ", re.DOTALL), "AVI"),
    # Either tags or the header of the first frame: layer III, without reserved values.
    (re.compile(rb"ID3[\x02-\x04]|\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]", re.DOTALL), "MP3"),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]", re.DOTALL), "AAC"),
    (re.compile(rb"\x1aE\xdf\xa3"), "WebM or Matroska"),
    (re.compile(rb"OggS"), "Ogg"),
    (re.compile(rb"fLaC"), "FLAC"),
)
_VOWELS = frozenset({"AVIF", "MP4", "M4A", "AVI", "MP3", "AAC", "Ogg"})
_WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!DOCTYPE html|html|head|body)", re.IGNORECASE)
_OTHERS = (
    (re.compile(rb"(\xef\xbb\xbf)?\s*<(\?xml|svg|!DOCTYPE svg)", re.IGNORECASE), "an SVG or other XML file"),
    (_WEB_PAGE, "a web page"),
    (re.compile(rb"%PDF-"), "a PDF"),
    (re.compile(rb"....ftyp", re.DOTALL), "a video"),
    (re.compile(rb"(\xff\x0a|\x00\x00\x00\x0cJXL )"), "a JPEG XL file"),
    (re.compile(rb"(\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  )"), "a JPEG 2000 file"),
    (re.compile(rb"8BPS"), "a Photoshop file"),
    (re.compile(rb"\x00\x00[\x01\x02]\x00"), "an icon"),
)


def image_format(header: bytes) -> str | None:
    """The image format, None if it is not one that Pillow may read."""
    return next((name for pattern, name in _IMAGES if pattern.match(header)), None)


def recording_format(header: bytes) -> str | None:
    """The format of a video or audio file, None if it is neither."""
    if image_format(header):
        return None
    return next((name for pattern, name in _RECORDINGS if pattern.match(header)), None)


def describe_format(header: bytes) -> str | None:
    """What a file is, as a noun phrase; None if unknown. Never quotes its content."""
    if name := image_format(header) or recording_format(header):
        return f"{'an' if name in _VOWELS else 'a'} {name} file"
    return next((name for pattern, name in _OTHERS if pattern.match(header)), None)


def is_web_page(header: bytes) -> bool:
    return _WEB_PAGE.match(header) is not None


def not_an_image(parameter: str, label: str, header: bytes) -> InvalidImage:
    """The error for a file that is not an image. Never quotes its content."""
    if not header:
        return InvalidImage(f"{parameter} ({label}) is empty: 0 bytes.", WANTED)
    name = next((name for pattern, name in _OTHERS if pattern.match(header)), None)
    return InvalidImage(
        f"{parameter} ({label}) is not an image that can be sent{f', but {name}' if name else ''}.", WANTED
    )


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's type, and where it begins and ends, which can be beyond a truncated file. None after the last."""
    begin, kind = 8, b""
    while begin + 12 <= len(content) and kind != b"IEND":
        kind = content[begin + 4 : begin + 8]
        end = begin + 12 + int.from_bytes(content[begin : begin + 4])
        yield kind, begin, end
        begin = end


def png_end(content: bytes) -> int | None:
    """The offset at which a PNG ends according to its chunks; None if the last one is missing or truncated."""
    return next((end for kind, _, end in png_chunks(content) if kind == b"IEND" and end <= len(content)), None)


def looks_truncated(path: Path) -> bool:
    """Whether an MP4 ends before its own boxes do. False for any other file."""
    size, position, boxes = path.stat().st_size, 0, set[bytes]()
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            if position == 0 and header[4:8] != b"ftyp":
                return False
            boxes.add(header[4:8])
            length = int.from_bytes(header[:4])
            if length == 1:
                length = int.from_bytes(header[8:16])
            # A length of 0: the last box, which extends to the end of the file.
            position = position + max(length, 8) if length else size
    return position > size or b"moov" not in boxes

"""Files for H3, uploaded or inline: their formats by content, and the documented rules that they break. Measuring
lengths needs PyAV.
"""

# PyAV's streams have type parameters that nothing sets.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import hashlib
import io
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hailuo_mcp.sandbox.assets import STORED, Assets, read_data_url
from hailuo_mcp.sandbox.body import Invalid

Medium = Literal["image", "video", "audio"]
FILE = "mm_file://"
UNMEASURED_SECONDS = 5
"""The assumed length of a video at a URL, which is never fetched."""
_MB = 1024 * 1024
_MEGABYTES: dict[Medium, int] = {"image": 30, "video": 50, "audio": 15}
_SIDES, _RATIOS, _SECONDS, _RATES = (256, 5760), (0.4, 2.5), (2, 15), (23.976, 60)
_SLACK = 0.2
"""A file ends with whole frames."""
_KINDS: tuple[tuple[re.Pattern[bytes], Medium, str, str], ...] = (
    (re.compile(rb"\x89PNG"), "image", ".png", "PNG"),
    (re.compile(rb"\xff\xd8\xff"), "image", ".jpg", "JPEG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image", ".webp", "WEBP"),
    (re.compile(rb"....ftypqt  ", re.DOTALL), "video", ".mov", "mp4"),
    (re.compile(rb"....ftyp", re.DOTALL), "video", ".mp4", "mp4"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio", ".wav", "wav"),
    (re.compile(rb"ID3|\xff[\xe2-\xfb]"), "audio", ".mp3", "mp3"),
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A file of a request: `source` is a stored name (`store:<name>`) or a URL, which is never fetched."""

    source: str
    seconds: int = UNMEASURED_SECONDS
    """The length of a video, rounded up."""


def keep_upload(assets: Assets, owner: str, data: bytes) -> str:
    """Store an uploaded file; returns its id. Only its owner can use it.

    Raises:
        Invalid: its format is not documented, or it breaks a rule.
    """
    _, suffix, _ = _read(data)
    file_id = str(uuid.uuid4().int % 10**18)
    assets.keep(data, suffix, _stem(owner, file_id))
    return file_id


def read_references(
    assets: Assets, owner: str, inputs: Mapping[str, Sequence[str]]
) -> Mapping[str, Sequence[Reference]]:
    """The files of a request, by role.

    Raises:
        Invalid: one is missing or breaks a rule.
    """
    return {role: [_reference(assets, owner, role, url) for url in urls] for role, urls in inputs.items()}


def _reference(assets: Assets, owner: str, role: str, url: str) -> Reference:
    medium = {"reference_video": "video", "reference_audio": "audio"}.get(role, "image")
    if url.startswith(FILE):
        name = assets.with_stem(_stem(owner, url.removeprefix(FILE)))
        data = assets.read(STORED + name) if name else None
        if name is None or data is None:
            raise Invalid(f"{role}: file {url} not found")
    elif url.startswith("data:"):
        data, suffix = read_data_url(url)
        if suffix == ".mov":
            raise Invalid(f"{role}: a video as a data URL must be MP4")
        name = assets.keep(data, suffix)
    else:
        return Reference(url)
    is_now, _, seconds = _read(data)
    if is_now != medium:
        raise Invalid(f"{role}: the file is of the kind {is_now}")
    return Reference(STORED + name, seconds or UNMEASURED_SECONDS)


def _stem(owner: str, file_id: str) -> str:
    return hashlib.sha256(f"{owner}/{file_id}".encode()).hexdigest()


def _read(data: bytes) -> tuple[Medium, str, int]:
    """The medium and suffix of a file, and its length in seconds, rounded up; 0 if unknown."""
    found = next((kind for kind in _KINDS if kind[0].match(data)), None)
    if found is None:
        raise Invalid("the file is in no supported format")
    _, medium, suffix, name = found
    if len(data) > _MEGABYTES[medium] * _MB:
        raise Invalid(f"file size must not exceed {_MEGABYTES[medium]}MB")
    if medium == "image":
        _check_image(data, name)
        return medium, suffix, 0
    return medium, suffix, _seconds(data, medium, name)


def _check_image(data: bytes, name: str) -> None:
    from PIL import Image  # start-up time: loaded with the first image

    try:
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            width, height = image.size
            if not _SIDES[0] <= min(width, height) <= max(width, height) <= _SIDES[1]:
                raise Invalid(f"width and height must be from {_SIDES[0]} to {_SIDES[1]} pixels, not {width}x{height}")
            if not _RATIOS[0] <= width / height <= _RATIOS[1]:
                raise Invalid(f"aspect ratio must be from {_RATIOS[0]} to {_RATIOS[1]}, not {width}x{height}")
            image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise Invalid("the file is not a readable image") from None


def _seconds(data: bytes, medium: Medium, name: str) -> int:
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        return 0
    try:
        with av.open(io.BytesIO(data), "r", format=name) as container:
            streams = container.streams.video if medium == "video" else container.streams.audio
            stream = streams[0]
            seconds = float((stream.duration or 0) * (stream.time_base or 0))
            rate = float(stream.average_rate or 0) if isinstance(stream, av.VideoStream) else _RATES[0]
    except (FFmpegError, IndexError, ValueError):
        raise Invalid(f"the file is not a readable {medium}") from None
    if not _SECONDS[0] <= seconds <= _SECONDS[1] + _SLACK:
        raise Invalid(f"duration must be from {_SECONDS[0]} to {_SECONDS[1]} seconds, not {seconds:.1f}")
    if not _RATES[0] - 0.01 <= rate <= _RATES[1]:
        raise Invalid(f"frame rate must be from {_RATES[0]} to {_RATES[1]}, not {rate:.3g}")
    return math.ceil(seconds - _SLACK)

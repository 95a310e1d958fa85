"""Joining clips into one video, which is then decoded."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# PyAV and numpy are only partly typed.

import resource
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import anyio
import av
import pytest
from PIL import Image

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.media.concat import check_joinable, join
from tests.media.samples import video

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def render(
    path: Path,
    colour: tuple[int, int, int],
    frames: int = 24,
    size: tuple[int, int] = (480, 360),
    rate: int = 24,
    **options: str,
) -> Path:
    """A clip of one colour, with frames that depend on later ones."""
    encoder = {"bf": "2", "g": "12", "crf": "20", **options}
    return video(path, [Image.new("RGB", size, colour)] * frames, rate=rate, encoder=encoder)


@dataclass(frozen=True)
class Decoded:
    """A decoded video."""

    size: tuple[int, int]
    times: list[Fraction]
    colours: list[tuple[int, int, int]]
    """At the center of each frame."""
    corners: list[tuple[int, int, int]]
    seconds: Fraction

    @property
    def order(self) -> str:
        """The colours in order, without repetitions."""
        names = ["RGB"[colour.index(max(colour))] for colour in self.colours]
        return "".join(name for at, name in enumerate(names) if at == 0 or names[at - 1] != name)


def decode(path: Path) -> Decoded:
    times: list[Fraction] = []
    colours: list[tuple[int, int, int]] = []
    corners: list[tuple[int, int, int]] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            assert frame.pts is not None
            assert frame.time_base is not None
            times.append(frame.pts * frame.time_base)
            image: Image.Image = frame.to_image()
            colours.append(image.getpixel((image.width // 2, image.height // 2)))  # pyright: ignore[reportArgumentType]
            corners.append(image.getpixel((2, 2)))  # pyright: ignore[reportArgumentType]
        assert stream.duration is not None
        assert stream.time_base is not None
        return Decoded((stream.width, stream.height), times, colours, corners, stream.duration * stream.time_base)


def decode_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.dts for packet in container.demux(video=0) if packet.dts is not None]


def assert_continuous(video: Decoded, frames: int, seconds: float, frame_seconds: float = 1 / 24) -> None:
    assert len(video.times) == frames
    assert video.times[0] == 0
    assert all(earlier < later for earlier, later in zip(video.times, video.times[1:], strict=False))
    assert float(video.seconds) == pytest.approx(seconds, abs=frame_seconds)
    gaps = [float(later - earlier) for earlier, later in zip(video.times, video.times[1:], strict=False)]
    assert max(gaps) < 1.6 * frame_seconds, "no gap between two clips"


async def test_clips_with_the_same_encoding_are_copied_unchanged(tmp_path: Path) -> None:
    clips = [render(tmp_path / f"{n}.mp4", colour, 24 + n) for n, colour in enumerate((RED, GREEN, BLUE))]
    joined = await join(clips, tmp_path / "film.mp4")
    film = decode(joined.path)
    assert_continuous(film, 24 + 25 + 26, 75 / 24)
    assert film.order == "RGB"
    assert joined.notes == ()
    assert joined.seconds == pytest.approx(75 / 24, abs=1e-6)
    assert decode_times(joined.path) == sorted(set(decode_times(joined.path)))
    # Every packet of the video is identical to that of its clip.
    assert [bytes(p) for p in _packets(joined.path)] == [bytes(p) for clip in clips for p in _packets(clip)]


def _packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


async def test_a_clip_may_occur_twice_and_the_video_may_be_one_clip(tmp_path: Path) -> None:
    clip = render(tmp_path / "a.mp4", RED)
    assert len(decode((await join([clip, clip], tmp_path / "two.mp4")).path).times) == 48
    assert len(decode((await join([clip], tmp_path / "one.mp4")).path).times) == 24


@pytest.mark.parametrize(
    ("other", "note"),
    [
        ({"size": (640, 360)}, "bars where the shape differs"),
        ({"size": (360, 480)}, "Clips of 360 x 480 were scaled to fit"),
        ({"rate": 30}, "re-encoded at 480 x 360"),
        ({"profile": "baseline", "bf": "0"}, "re-encoded"),
    ],
)
async def test_clips_with_different_encodings_are_re_encoded_at_the_size_of_the_first(
    tmp_path: Path, other: dict[str, str], note: str
) -> None:
    first = render(tmp_path / "a.mp4", RED)
    second = render(tmp_path / "b.mp4", GREEN, **other)  # pyright: ignore[reportArgumentType]
    joined = await join([first, second, first], tmp_path / "film.mp4")
    film = decode(joined.path)
    rate = int(other.get("rate", 24))
    assert film.size == (480, 360)
    assert_continuous(film, 72, 2 + 24 / rate)
    assert film.order == "RGR"
    assert note in " ".join(joined.notes)
    bars = "size" in other
    assert (max(film.corners[36]) < 40) is bars, "bars are black"
    assert max(film.corners[0]) > 100


async def test_an_odd_size_is_rounded_down_to_an_even_one(tmp_path: Path) -> None:
    odd = video(tmp_path / "odd.mp4", [Image.new("RGB", (481, 361), RED)] * 5, pixels="yuv444p")
    joined = await join([odd, render(tmp_path / "b.mp4", GREEN, 5)], tmp_path / "film.mp4")
    assert decode(joined.path).size == (480, 360)
    assert decode(joined.path).order == "RG"


async def test_an_earlier_video_is_replaced_only_by_a_complete_one(tmp_path: Path) -> None:
    clip, target = render(tmp_path / "a.mp4", RED), tmp_path / "film.mp4"
    target.write_bytes(b"the earlier film")
    (tmp_path / "broken.mp4").write_bytes(clip.read_bytes()[:300])
    with pytest.raises(InvalidInput, match=r"broken.mp4 cannot be read"):
        await join([clip, tmp_path / "broken.mp4"], target)
    assert target.read_bytes() == b"the earlier film"
    await join([clip], target)
    assert len(decode(target).times) == 24
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "broken.mp4", "film.mp4"]


@pytest.mark.slow
async def test_a_cancelled_join_leaves_no_files(tmp_path: Path) -> None:
    large = render(tmp_path / "b.mp4", GREEN, 300, size=(1280, 720), preset="ultrafast")
    clips = [render(tmp_path / "a.mp4", RED, 10), large]
    with anyio.move_on_after(0.3) as scope:
        await join(clips, tmp_path / "film.mp4")
    assert scope.cancelled_caught
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_an_unwritable_target_is_refused_before_joining(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'film\.mkv' is not a name"):
        check_joinable(tmp_path / "film.mkv")
    with pytest.raises(InvalidInput, match="is not writable"):
        check_joinable(tmp_path / "missing" / "film.mp4")
    (tmp_path / "dir.mp4").mkdir()
    with pytest.raises(InvalidInput, match="is a directory"):
        check_joinable(tmp_path / "dir.mp4")


async def test_a_file_that_is_not_a_clip_is_named_in_the_error(tmp_path: Path) -> None:
    for name, content in {"text": b"nothing", "empty": b"", "list": b"#EXTM3U\n/etc/passwd\n"}.items():
        (tmp_path / f"{name}.mp4").write_bytes(content)
        with pytest.raises(InvalidInput, match=f"{name}.mp4 cannot be read"):
            await join([tmp_path / f"{name}.mp4"], tmp_path / "film.mp4")
    with pytest.raises(InvalidInput, match=r"missing\.mp4 cannot be read"):
        await join([tmp_path / "missing.mp4"], tmp_path / "film.mp4")


async def test_a_write_error_is_reported_with_the_systems_message(tmp_path: Path) -> None:
    clip = render(tmp_path / "a.mp4", RED)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(InvalidInput, match="could not be written: File too large"):
            await join([clip], tmp_path / "film.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_without_the_media_extra_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
sys.modules["av"] = None
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.media.concat import check_joinable
try:
    check_joinable(Path(sys.argv[1]) / "film.mp4")
except InvalidInput as error:
    print(error.problem.message, error.problem.hint)
"""
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=30)
    assert ran.stdout == "Joining clips needs the media extra. Install it: pip install 'hailuo-mcp[media]'.\n", ran

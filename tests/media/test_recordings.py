"""Videos and audio files: their format by content, and whether a model's rules accept them."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import MediaRule, Medium
from hailuo_mcp.gateways.minimax_h3 import H3
from hailuo_mcp.media.given import LoadedFile
from hailuo_mcp.media.measuring import measure
from hailuo_mcp.media.recordings import check_recording, check_together
from tests.media.samples import BOX, clip, film, png, tone

Make = Callable[[Path], bytes]
VIDEO, AUDIO = H3.media["video"], H3.media["audio"]


def check(content: bytes, medium: Medium = "video", rule: MediaRule | None = None) -> LoadedFile:
    rule = rule or H3.media[medium]
    return check_recording(f"reference_{medium}s[0]", "x", content, medium, rule)


GOOD: list[tuple[str, Make, str]] = [
    ("a.mp4", film, "video/mp4"),
    ("mislabelled.mp3", lambda path: film(path, kind="mp4"), "video/mp4"),
    ("a.mov", film, "video/quicktime"),
    ("hevc.mp4", lambda path: film(path, codec="libx265"), "video/mp4"),
    ("fragments.mp4", lambda path: film(path, movflags="frag_keyframe+empty_moov"), "video/mp4"),
    ("index-first.mp4", lambda path: film(path, movflags="faststart"), "video/mp4"),
    ("film.mp4", lambda path: film(path, rate=60), "video/mp4"),
]


@pytest.mark.parametrize(("name", "make", "media_type"), GOOD)
def test_a_good_video_is_measured(name: str, make: Make, media_type: str, tmp_path: Path) -> None:
    loaded = check(content := make(tmp_path / name))
    assert (loaded.content, loaded.media_type, loaded.warnings) == (content, media_type, ())
    assert loaded.seconds == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize(("name", "media_type"), [("a.mp3", "audio/mpeg"), ("a.wav", "audio/wav")])
def test_good_audio_is_measured(name: str, media_type: str, tmp_path: Path) -> None:
    loaded = check(tone(tmp_path / name), "audio")
    assert (loaded.media_type, loaded.warnings) == (media_type, ())
    assert loaded.seconds == pytest.approx(3, abs=0.06)


BAD_VIDEOS: list[tuple[str, Make, str]] = [
    ("a.mp4", lambda path: film(path, seconds=1), "lasts 1.0 s; 2–15 s are accepted"),
    ("a.mp4", lambda path: film(path, seconds=16), "lasts 16.0 s"),
    ("a.mp4", lambda path: film(path, rate=12), "has 12 frames a second; 23.976–60 are accepted"),
    ("a.mp4", lambda path: film(path, codec="mpeg4"), "is encoded as mpeg4; only H.264 or H.265 is accepted"),
    ("a.webm", lambda path: film(path, codec="libvpx"), "is a WebM or Matroska file; only MP4 or MOV is accepted"),
    ("a.avi", lambda path: film(path, codec="mpeg4"), "is an AVI file"),
    ("a.mp4", lambda path: film(path)[:3000], "broken or truncated MP4 file of 3000 bytes"),
    ("a.mp4", lambda path: film(path, movflags="faststart")[:-400], "broken or truncated MP4"),
    ("a.mp4", lambda _: clip(5000), "broken or truncated MP4"),
    ("a.m4a", tone, "is an M4A file"),
    ("a.mp3", tone, "is an MP3 file"),
    ("a.mp4", lambda _: png(), "is a PNG file"),
    ("a.mp4", lambda _: b"<!DOCTYPE html><p>secret</p>", "is a web page"),
    ("a.mp4", lambda _: b"secret", "is in a format that is not known"),
    ("a.mp4", lambda _: b"", "is empty: 0 bytes"),
]


@pytest.mark.parametrize(("name", "make", "reason"), BAD_VIDEOS)
def test_a_video_that_the_model_does_not_accept_is_refused(name: str, make: Make, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(make(tmp_path / name))
    problem = refused.value.problem
    assert reason in problem.message
    assert problem.message.startswith("reference_videos[0] (x) ")
    assert problem.hint
    assert "secret" not in problem.message
    assert problem.charged == "no"


BAD_AUDIOS: list[tuple[str, Make, str]] = [
    ("a.wav", lambda path: tone(path, seconds=1), "lasts 1.0 s; 2–15 s are accepted"),
    ("a.mp3", lambda path: tone(path, seconds=17), "lasts 17.0 s"),
    ("a.ogg", lambda _: b"OggS" + bytes(100), "is an Ogg file; only WAV or MP3 is accepted"),
    ("a.flac", tone, "is a FLAC file"),
    ("a.m4a", tone, "is an M4A file"),
    ("a.mp4", film, "is an MP4 file"),
    ("a.mp3", lambda _: b"ID3\x04" + bytes(5000), "broken or truncated MP3"),
    ("a.wav", lambda _: b"RIFF\x00\x00\x00\x00WAVE" + bytes(4000), "broken or truncated WAV"),
]


@pytest.mark.parametrize(("name", "make", "reason"), BAD_AUDIOS)
def test_audio_that_the_model_does_not_accept_is_refused(name: str, make: Make, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="reference_audios") as refused:
        check(make(tmp_path / name), "audio")
    assert reason in refused.value.problem.message


def test_a_file_over_the_size_limit_is_refused_before_it_is_measured(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"has 50\.0 MB; at most 50 MB are accepted"):
        check(film(tmp_path / "a.mp4") + bytes(50 * 1024 * 1024))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pixels": (256, 5760)}, "is 320 x 240 px; 256–5760 px a side"),
        ({"ratio": (1.5, 2)}, "a width/height of 1.33; 1.5–2 is accepted"),
    ],
)
def test_rules_on_pixels_and_ratio_apply_to_videos_too(
    change: dict[str, tuple[float, float]], reason: str, tmp_path: Path
) -> None:
    rule = MediaRule(VIDEO.source, ("MP4",), 50, **change)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidInput, match=reason):
        check(film(tmp_path / "a.mp4"), rule=rule)


def test_without_pyav_format_and_size_are_checked_and_the_rest_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, sound = film(tmp_path / "a.mp4", seconds=1), tone(tmp_path / "a.mp3")
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    loaded = check(content)
    assert loaded.seconds is None
    assert loaded.warnings == (
        "reference_videos[0] (x): its length, encoding and frame rate could not be checked without the media extra "
        "(pip install 'hailuo-mcp[media]').",
    )
    for wrong in (sound, content + bytes(51 * 1024 * 1024)):
        with pytest.raises(InvalidInput):
            check(wrong)


def test_the_total_length_is_limited(tmp_path: Path) -> None:
    files = [check(film(tmp_path / f"{n}.mp4", seconds=n)) for n in (7, 8)]
    check_together("reference_videos", files, VIDEO)
    check_together("reference_audios", [*files, files[0]], MediaRule(AUDIO.source, ("WAV",), 15))
    with pytest.raises(InvalidInput, match=r"reference_videos last 22\.0 s in total; at most 15 s"):
        check_together("reference_videos", [*files, files[0]], VIDEO)


def _claiming(count: int, where: str) -> bytes:
    """A small MP4 whose index claims this many samples."""

    def box(kind: bytes, content: bytes) -> bytes:
        return BOX.pack(len(content) + 8, kind) + content

    ends = {
        "stsz": (b"stsz", struct.pack(">III", 0, 1, count)),
        "trun": (b"trun", struct.pack(">II", 0, count)),
        "cmov": (b"cmov", struct.pack(">I", count)),
    }
    inner = box(*ends[where])
    outer = [b"moov"] if where == "cmov" else [b"traf", b"moof"] if where == "trun" else []
    for kind in outer or [b"stbl", b"minf", b"mdia", b"trak", b"moov"]:
        inner = box(kind, inner)
    return box(b"ftyp", b"isom\x00\x00\x02\x00isommp41") + inner


@pytest.mark.parametrize("where", ["stsz", "trun", "cmov"])
def test_an_index_that_claims_billions_of_samples_is_not_read(where: str) -> None:
    with pytest.raises(ValueError, match="too many samples"):
        measure(_claiming(2**31, where), "MP4", "video")

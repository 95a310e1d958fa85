"""Single frames of a real clip."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# PyAV and numpy are only partly typed.

import subprocess
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.frames import last_frame
from tests.media.samples import clip, opened, video

FRAMES = 40


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames from black to white, some of which depend on later ones."""
    return _render(tmp_path_factory.mktemp("film") / "film.mp4")


def _render(path: Path, **options: str) -> Path:
    frames = [Image.new("RGB", (480, 360), (round(255 * number / (FRAMES - 1)),) * 3) for number in range(FRAMES)]
    return video(path, frames, rate=25, encoder={"bf": "3", "g": "12", "crf": "10"}, container=options)


def _shade(content: bytes) -> float:
    found = opened(content).convert("L").resize((1, 1)).getpixel((0, 0))
    assert isinstance(found, (int, float))
    return found


async def test_the_last_frame_is_returned_at_full_size(film: Path) -> None:
    still = await last_frame(film)
    assert opened(still).size == (480, 360)
    assert opened(still).format == "PNG"
    assert _shade(still) > 250


@pytest.mark.parametrize("flags", ["frag_keyframe+empty_moov", "faststart"])
async def test_the_last_frame_is_found_whatever_the_layout_of_the_clip(flags: str, tmp_path: Path) -> None:
    assert _shade(await last_frame(_render(tmp_path / "film.mp4", movflags=flags))) > 250


async def test_the_last_frame_is_found_if_the_stated_duration_is_too_short(film: Path, tmp_path: Path) -> None:
    content = bytearray(film.read_bytes())
    offset = content.index(b"mdhd") + 20
    content[offset : offset + 4] = (int.from_bytes(content[offset : offset + 4]) // 2).to_bytes(4)
    (tmp_path / "film.mp4").write_bytes(content)
    assert _shade(await last_frame(tmp_path / "film.mp4")) > 250


@pytest.mark.parametrize("name", ["cut", "not-a-clip", "text", "empty", "missing", "directory", "playlist", "sound"])
async def test_a_clip_that_cannot_be_read_is_reported(name: str, film: Path, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.mp4"
    contents = {
        "cut": film.read_bytes()[:200],
        "not-a-clip": clip(5000),
        "text": b"nothing that moves",
        "empty": b"",
        "playlist": f"#EXTM3U\n#EXTINF:10,\n{film}\n#EXT-X-ENDLIST\n".encode(),
    }
    if name == "directory":
        path.mkdir()
    elif name == "sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=8000)
            container.mux(stream.encode())
    elif name in contents:
        path.write_bytes(contents[name])
    with pytest.raises(InvalidImage, match=f"{name}.mp4 cannot be read"):
        await last_frame(path)


def test_without_the_media_extra_the_error_says_how_to_install_it(film: Path) -> None:
    code = """
import sys, anyio
from pathlib import Path
sys.modules["av"] = None
from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.frames import last_frame
async def main():
    try:
        await last_frame(Path(sys.argv[1]))
    except InvalidImage as error:
        print(error.problem.message, error.problem.hint)
anyio.run(main)
"""
    ran = subprocess.run([sys.executable, "-c", code, str(film)], capture_output=True, text=True, timeout=30)
    assert ran.stdout.splitlines() == [
        "Taking a clip's last frame needs the media extra. Install it: pip install 'hailuo-mcp[media]'.",
    ]

"""Where local images may come from, and how much of a file that is not an image is read."""

import os
from pathlib import Path

import pytest

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.files import check_image, read_local
from hailuo_mcp.media.formats import HEADER_BYTES
from hailuo_mcp.media.given import FileRules
from hailuo_mcp.media.images import read_image
from tests.media.samples import content_of, png, refusal_of, rules_for, without_privileges

COUNTERS = Path("/proc/thread-self/io")


def _bytes_read() -> int:
    return int(COUNTERS.read_text().split()[1])


@pytest.mark.skipif(not COUNTERS.exists(), reason="this system does not count what a thread reads")
@pytest.mark.parametrize("size", [10, 31, 32, 33, 8192, 100 * 1024 * 1024])
def test_only_the_header_of_a_file_that_is_not_an_image_is_read(size: int, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_bytes(b"not a pict")
    os.truncate(path, size)
    idle = -_bytes_read() + _bytes_read()
    before = _bytes_read()
    with pytest.raises(InvalidImage):
        read_local("first_frame_image", str(path), [tmp_path], None, check_image)
    assert _bytes_read() - before - idle <= HEADER_BYTES


async def test_an_image_is_detected_by_its_content_not_its_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(png())
    assert await content_of(path, rules_for(tmp_path)) == png()


async def test_by_default_images_come_from_the_home_directory_except_hidden_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for name in ("Pictures/a.png", ".ssh/x.png", "Pictures/.cache/a.png", ".a.png"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(png())
    (tmp_path / "a.png").write_bytes(png())
    for given in (home / "Pictures/a.png", "~/Pictures/a.png", "file://~/Pictures/a.png", "~/.ssh/../Pictures/a.png"):
        assert await content_of(given, FileRules())
    for given in ("~/.ssh/x.png", home / "Pictures/.cache/a.png", "~/.a.png", "~/../a.png", "~/Pictures/../.ssh/x.png"):
        assert "outside the directories" in await refusal_of(given, FileRules())


@pytest.mark.parametrize("home", ["/", ""])
async def test_an_account_without_a_home_directory_can_open_no_files(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home or "/")
    assert "outside the directories" in await refusal_of("/etc/hostname", FileRules())


async def test_the_output_directory_is_always_allowed(tmp_path: Path) -> None:
    for name in ("clips", "pictures", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(png())
    rules = FileRules(directories=[tmp_path / "pictures"], output_dir=tmp_path / "clips")
    assert await content_of(tmp_path / "clips/a.png", rules)
    assert await content_of(tmp_path / "pictures/a.png", rules)
    assert "outside" in await refusal_of(tmp_path / "other/a.png", rules)


async def test_a_directory_whose_name_only_starts_the_same_is_outside(tmp_path: Path) -> None:
    (tmp_path / "pictures-of-others").mkdir()
    (tmp_path / "pictures-of-others/a.png").write_bytes(png())
    assert "outside" in await refusal_of(tmp_path / "pictures-of-others/a.png", rules_for(tmp_path / "pictures"))


async def test_links_are_resolved_before_the_directory_is_checked(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for directory in (inside, outside):
        directory.mkdir()
        (directory / "a.png").write_bytes(png())
    (inside / "to-passwd.png").symlink_to("/etc/passwd")
    (inside / "to-outside.png").symlink_to(outside / "a.png")
    (inside / "folder").symlink_to(outside)
    (outside / "to-inside.png").symlink_to(inside / "a.png")
    (inside / "round.png").symlink_to(inside / "round.png")
    rules = rules_for(inside)
    for name in ("to-passwd.png", "to-outside.png", "folder/a.png"):
        assert "outside" in await refusal_of(inside / name, rules)
    assert "round.png" in await refusal_of(inside / "round.png", rules)  # the reason depends on the Python version
    assert await content_of(outside / "to-inside.png", rules) == png()


async def test_an_allowed_directory_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.png").write_bytes(png())
    (tmp_path / "pictures").symlink_to(tmp_path / "real")
    assert await content_of(tmp_path / "pictures/a.png", rules_for(tmp_path / "pictures")) == png()


async def test_a_refusal_does_not_reveal_whether_a_file_outside_exists(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "there.png").write_bytes(png())
    (outside / "text.png").write_text("text")
    os.mkfifo(outside / "pipe.png")
    messages = {
        (await refusal_of(outside / name, rules_for(inside))).replace(name, "NAME")
        for name in ("there.png", "text.png", "pipe.png", "missing.png", "no/such/folder.png", "there.png/below.png")
    }
    assert len(messages) == 1


@pytest.mark.parametrize("where", ["~root/a.png", "~nobody-of-that-name/a.png"])
async def test_a_refusal_does_not_reveal_which_users_exist(where: str, tmp_path: Path) -> None:
    assert "outside the directories" in await refusal_of(where, rules_for(tmp_path))


async def test_an_unreadable_file_is_distinguished_from_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "locked.png"
    path.write_bytes(png())
    path.chmod(0)
    with without_privileges(), pytest.raises(InvalidImage, match="cannot be read"):
        read_local("first_frame_image", str(path), [tmp_path], None, check_image)
    assert "does not exist" in await refusal_of(tmp_path / "missing.png", rules_for(tmp_path))


async def test_over_http_a_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    rules = FileRules(directories=[tmp_path], local_files=False)
    for given in (tmp_path / "a.png", f"file://{tmp_path}/a.png", "a.png", ""):
        assert "cannot read" in await refusal_of(given, rules)


async def test_unprintable_characters_in_a_name_are_replaced(tmp_path: Path) -> None:
    target = os.fsencode(tmp_path) + b"/odd\xff\nname.png"
    Path(os.fsdecode(target)).write_bytes(png())
    (tmp_path / "plain.png").symlink_to(os.fsdecode(target))
    picture = await read_image("first_frame_image", str(tmp_path / "plain.png"), rules_for(tmp_path))
    assert picture.shown.startswith("odd??name.png (sha256:")
    picture.shown.encode()

"""Local images given as pasted paths, and base64 without its `data:` prefix. No file outside the
allowed directories may be opened."""

import base64
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from hailuo_mcp.media.given import FileRules
from hailuo_mcp.media.images import read_image
from tests.media.samples import content_of, jpeg, png, refusal_of, rules_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
SCREENSHOT = "Screenshot 2026-11-25 at 3.04.05\u202fPM.png"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with an image in it and a hidden one; the default rules allow it."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for name in ("Pictures/my kite.png", ".ssh/key.png"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(png())
    return home


@pytest.mark.parametrize(
    "form",
    [
        *("{}", " {}\n", '"{}"', "'{}'", "`{}`", "<{}>", "“{}”", ' "{}"\n', "'\"{}\"'"),
        *("file://{}", "FILE://{}", '"file://{}"', "<file://localhost{}>", "file:{}"),
    ],
)
async def test_quotes_brackets_and_file_urls_around_a_path_are_removed(form: str, home: Path) -> None:
    path = f"{home}/Pictures/my kite.png"
    assert await content_of(form.format(path), FileRules()) == png()
    if "file:" in form.lower():
        assert await content_of(form.format(path.replace(" ", "%20")), FileRules()) == png()


@pytest.mark.parametrize(
    "start", ["~", "$HOME", "${HOME}", "file://~", "file://$HOME", "file:///~", "file:~", '"$HOME']
)
async def test_every_notation_of_the_home_directory_is_expanded(start: str, home: Path) -> None:
    end = '"' if start.startswith('"') else ""
    assert await content_of(f"{start}/Pictures/my kite.png{end}", FileRules()) == png()
    assert "outside the directories" in await refusal_of(f"{start}/.ssh/key.png{end}", FileRules())


async def test_no_other_variable_is_expanded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", str(home / "Pictures"))
    assert "outside the directories" in await refusal_of("$PLACE/my kite.png", FileRules())
    assert "outside the directories" in await refusal_of("$HOMEWORK/my kite.png", FileRules())


async def test_a_url_may_be_quoted_too() -> None:
    for given in ("<https://example.com/a.png>", '"https://example.com/a.png"'):
        image = await read_image("first_frame_image", given, FileRules())
        assert image.url == "https://example.com/a.png"


@pytest.mark.parametrize(
    ("on_disk", "given"),
    [
        (SCREENSHOT, SCREENSHOT.replace("\u202f", " ")),
        ("a\u00a0b.png", "a b.png"),
        ("a b.png", "a\u202fb.png"),
        (unicodedata.normalize("NFD", "Café à la mer.png"), unicodedata.normalize("NFC", "Café à la mer.png")),
        (unicodedata.normalize("NFC", "한글.png"), unicodedata.normalize("NFD", "한글.png")),
        ("my kite (1).png", "my\\ kite (1).png"),
    ],
)
async def test_a_name_is_found_despite_other_spaces_or_normalization(on_disk: str, given: str, home: Path) -> None:
    folder = home / "Pictures" / unicodedata.normalize("NFD", "été")
    folder.mkdir()
    (folder / on_disk).write_bytes(jpeg())
    assert await content_of(home / "Pictures/été" / given, FileRules()) == jpeg()


async def test_an_ambiguous_name_is_not_found(home: Path) -> None:
    for name in ("a\u202fb.png", "a\u00a0b.png"):
        (home / name).write_bytes(png())
    assert "does not exist" in await refusal_of(home / "a b.png", FileRules())
    assert await content_of(home / "a\u202fb.png", FileRules()) == png()


async def test_an_equivalent_name_opens_no_file_outside_the_directories(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "out\u00a0side"
    for directory in (inside, outside):
        directory.mkdir()
        (directory / "a\u202fb.png").write_bytes(png())
    (inside / "to\u00a0outside.png").symlink_to(outside / "a\u202fb.png")
    (inside / "fol\u00a0der").symlink_to(outside)
    (inside / ".hid\u00a0den").mkdir()
    rules = rules_for(inside)
    for given in ("to outside.png", "fol der/a b.png"):
        assert "outside the directories" in await refusal_of(inside / given, rules)
    assert "outside the directories" in await refusal_of(tmp_path / "out side/a b.png", rules)
    assert "does not exist" in await refusal_of(inside / "nothing.png", rules)


async def test_an_equivalent_name_opens_no_file_in_a_hidden_folder(home: Path) -> None:
    (home / ".my\u00a0keys").mkdir()
    (home / ".my\u00a0keys/a.png").write_bytes(png())
    (home / "open\u00a0link").symlink_to(home / ".my\u00a0keys")
    for given in (".my keys/a.png", "open link/a.png"):
        assert "outside the directories" in await refusal_of(home / given, FileRules())


async def test_a_windows_path_is_mapped_to_its_drive_under_wsl(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = "C:\\Users\\me\\a.png"
    monkeypatch.delenv("WSL_DISTRO_NAME", raising=False)
    assert "Windows path" in await refusal_of(given, FileRules())
    monkeypatch.setenv("WSL_DISTRO_NAME", "Ubuntu")
    drive = FileRules(directories=[Path("/mnt/c")])
    for form in (given, f'"{given}"', "c:/Users/me/a.png", "file:///C:/Users/me/a.png", "file:///C:\\Users\\me\\a.png"):
        assert "'a.png' does not exist" in await refusal_of(form, drive)
        assert "outside the directories" in await refusal_of(form, FileRules())
    for share in ("\\\\wsl$\\Ubuntu", "\\\\wsl.localhost\\Ubuntu", "//wsl.localhost/Ubuntu"):
        assert await content_of(f"{share}{home}/Pictures/my kite.png", FileRules()) == png()


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("content", [png(), jpeg()], ids=["png", "jpeg"])
@pytest.mark.parametrize("start", ["data:image/png;base64,", "base64,", "image/jpeg;base64,", ""])
async def test_base64_of_an_image_is_accepted_in_every_form(
    encode: Callable[[bytes], bytes], content: bytes, start: str
) -> None:
    text = encode(content).decode()
    rules = FileRules(local_files=False)
    wrapped = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    for payload in (text, text.rstrip("="), wrapped, f'"{text}"' if not start else text):
        assert await content_of(f"{start}{payload}", rules) == content


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("sandbox:/mnt/data/a.png", "scheme that is not supported"),
        ("blob:https://example.com/1", "scheme that is not supported"),
        ("attachment://1", "scheme that is not supported"),
        ("a red kite\nover the dunes", "a text of 25 characters, not a path"),
        ("x y" * 2000, "a text of 6000 characters, not a path"),
        ("kite.png", "Give the absolute path"),
    ],
)
async def test_a_value_that_is_not_a_path_is_refused_with_its_reason(given: str, reason: str, home: Path) -> None:
    assert reason in await refusal_of(given, FileRules())


async def test_base64_of_something_else_is_refused() -> None:
    text = base64.b64encode(b"no image at all" * 400).decode()
    assert "base64 of 8000 characters, not a path" in await refusal_of(text, FileRules())

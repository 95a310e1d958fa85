"""HAILUO_MCP_FIX_IMAGES=1: an image that would be refused is fixed, with a warning."""

import sys
import zipfile
from io import BytesIO

import pytest
from PIL import Image, features
from pillow_heif import register_heif_opener  # pyright: ignore[reportUnknownVariableType]  its arguments have no types

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.given import FileRules, LoadedFile
from hailuo_mcp.media.images import BYTES_MAX, read_image
from hailuo_mcp.media.normalize import normalize
from tests.media.samples import ORIENTATION, data_uri, encoded, jpeg, opened, picture, png, with_chunk

register_heif_opener()  # so that Pillow can write them


async def _fixed(content: bytes) -> tuple[LoadedFile, str]:
    """The fixed image, which must be accepted without another fix, and the warning."""
    found = await read_image("first_frame_image", data_uri(content), FileRules(fix=True))
    again = await read_image("first_frame_image", found.data_uri, FileRules(fix=False))
    assert again.content == found.content
    assert opened(found.content).format == {"image/jpeg": "JPEG", "image/png": "PNG"}[found.media_type]
    return found, " ".join(found.warnings)


@pytest.mark.parametrize(
    ("kind", "name"), [("WEBP", "WebP"), ("TIFF", "TIFF"), ("GIF", "GIF"), ("BMP", "BMP"), ("AVIF", "AVIF")]
)
async def test_another_format_becomes_jpg(kind: str, name: str) -> None:
    if kind in ("WEBP", "AVIF") and not features.check(kind.lower()):
        pytest.skip(f"this Pillow cannot write {kind}")
    found, warning = await _fixed(encoded(picture(), kind))
    assert found.media_type == "image/jpeg"
    assert warning == f"first_frame_image was fixed before sending: {name} became JPEG."
    assert opened(found.content).size == (400, 320)


async def test_a_webp_is_kept_if_the_gateway_accepts_it() -> None:
    content = encoded(picture(), "WEBP")
    for fix in (False, True):
        rules = FileRules(fix=fix, formats=("JPEG", "PNG", "WebP"))
        found = await read_image("first_frame_image", data_uri(content), rules)
        assert (found.content, found.media_type, found.warnings) == (content, "image/webp", ())


async def test_an_animated_webp_is_sent_with_a_warning() -> None:
    content = encoded(picture(), "WEBP", save_all=True, append_images=[picture().rotate(90)])
    rules = FileRules(formats=("JPEG", "PNG", "WebP"))
    found = await read_image("first_frame_image", data_uri(content), rules)
    assert found.warnings == ("first_frame_image is animated; only its first frame is used.",)


async def test_a_truncated_webp_is_refused() -> None:
    content = encoded(picture(), "WEBP")
    with pytest.raises(InvalidImage, match="broken or truncated WebP file"):
        await read_image(
            "first_frame_image", data_uri(content[: len(content) // 2]), FileRules(formats=("PNG", "WebP"))
        )


async def test_only_the_first_of_several_frames_is_used() -> None:
    pictures = [picture().rotate(turn) for turn in (90, 180)]
    for kind in ("GIF", "WEBP", "TIFF"):
        found, warning = await _fixed(encoded(picture(), kind, save_all=True, append_images=pictures))
        assert "the first of its 3 frames was used" in warning
        assert _top_is_darker(opened(found.content))


@pytest.mark.parametrize("orientation", range(2, 9))
async def test_an_image_is_rotated_as_its_exif_data_says(orientation: int) -> None:
    found, warning = await _fixed(jpeg(800, 400, orientation=orientation))
    image = opened(found.content)
    assert image.size == ((400, 800) if orientation >= 5 else (800, 400))
    assert image.getexif().get(ORIENTATION) is None
    assert warning == "first_frame_image was fixed before sending: rotated as its EXIF data says."


async def test_an_image_that_is_too_tall_once_rotated_is_refused() -> None:
    with pytest.raises(InvalidImage, match="400 x 1001"):
        await _fixed(jpeg(1001, 400, orientation=6))


async def test_transparency_is_kept_if_the_png_is_small_enough() -> None:
    found, _ = await _fixed(encoded(picture(mode="RGBA"), "WEBP"))
    assert found.media_type == "image/png"
    assert opened(found.content).mode == "RGBA"


async def test_an_opaque_alpha_channel_is_not_transparency() -> None:
    found, _ = await _fixed(encoded(picture().convert("RGBA"), "WEBP", lossless=True))
    assert found.media_type == "image/jpeg"


def test_transparency_becomes_white_if_the_png_is_too_large() -> None:
    content, kind, done = normalize(picture(mode="RGBA"), rotated=False, bytes_max=20_000, side_over=300)
    assert (kind, done) == ("JPEG", ["transparency became white"])
    assert len(content) <= 20_000
    assert opened(content).getpixel((200, 160)) == pytest.approx((255, 255, 255), abs=60)


def test_a_large_image_is_resized_as_little_as_possible_within_the_limits() -> None:
    noise = Image.effect_noise((1600, 1300), 80)
    content, _, done = normalize(noise, rotated=False, bytes_max=900_000, side_over=300)
    assert (opened(content).size, done) == ((800, 650), ["resized from 1600 x 1300 to 800 x 650 px"])
    content, _, _ = normalize(noise, rotated=False, bytes_max=1000, side_over=300)
    assert opened(content).size == (400, 325)  # half of it would be too small


async def test_a_file_over_20_mb_is_re_encoded() -> None:
    found, _ = await _fixed(with_chunk(png(), b"juNk", bytes(BYTES_MAX)))
    assert len(found.content) < 1_000_000


async def test_data_after_the_end_of_a_png_is_removed() -> None:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("secret.txt", "x")
    found, warning = await _fixed(png() + archive.getvalue())
    assert found.content == png()
    assert warning == (
        f"first_frame_image was fixed before sending: {len(archive.getvalue())} bytes after the image's end were "
        "removed."
    )


async def test_cmyk_colors_become_rgb() -> None:
    found, warning = await _fixed(jpeg(mode="CMYK"))
    assert opened(found.content).mode == "RGB"
    assert "CMYK became RGB" in warning


async def test_16_bit_grayscale_keeps_its_contrast() -> None:
    found, _ = await _fixed(encoded(picture(mode="I;16"), "TIFF"))
    assert _top_is_darker(opened(found.content))


async def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(InvalidImage, match="could not be converted"):
        await _fixed(encoded(picture(mode="F"), "TIFF"))


async def test_a_colour_profile_is_kept() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  Pillow leaves it untyped
    found, _ = await _fixed(encoded(picture(), "WEBP", icc_profile=profile))
    assert opened(found.content).info["icc_profile"] == profile


async def test_fixing_a_heic_is_suggested_only_if_it_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    given = data_uri(encoded(picture(), "HEIF"))
    with pytest.raises(InvalidImage) as refused:
        await read_image("first_frame_image", given, FileRules())
    assert "HAILUO_MCP_FIX_IMAGES=1" in refused.value.problem.hint
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    for fix in (False, True):
        with pytest.raises(InvalidImage) as refused:
            await read_image("first_frame_image", given, FileRules(fix=fix))
        assert refused.value.problem.hint == "Save it as JPG or PNG first."


async def test_a_rotated_heic_becomes_an_upright_jpg() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    found, warning = await _fixed(encoded(picture(800, 400), "HEIF", exif=exif.tobytes()))
    assert warning.startswith("first_frame_image was fixed before sending: HEIC became JPEG")
    assert opened(found.content).size == (400, 800)
    assert opened(found.content).getexif().get(ORIENTATION) is None


@pytest.mark.parametrize(
    "content", [png(300, 300), png(400, 1000), png()[:-500], b"", encoded(picture(200, 200), "WEBP")]
)
async def test_an_image_that_cannot_be_fixed_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidImage):
        await _fixed(content)


async def test_a_valid_image_is_unchanged() -> None:
    for content in (png(), jpeg(), png(mode="RGBA"), png(mode="P")):
        found, warning = await _fixed(content)
        assert (found.content, warning) == (content, "")


async def test_the_same_image_is_fixed_to_the_same_bytes() -> None:
    content = encoded(picture(mode="RGBA"), "WEBP")
    assert (await _fixed(content))[0].digest == (await _fixed(content))[0].digest


def _top_is_darker(image: Image.Image) -> bool:
    grey = image.convert("L")
    top, bottom = grey.getpixel((200, 10)), grey.getpixel((200, 310))
    assert isinstance(top, (int, float))
    assert isinstance(bottom, (int, float))
    return top < 60 and bottom > 190

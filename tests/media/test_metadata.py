"""An image's metadata is never sent, and its pixels are not changed."""

import io
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from hailuo_mcp.media.given import FileRules
from hailuo_mcp.media.images import read_image
from hailuo_mcp.media.metadata import UPRIGHT, without_metadata
from tests.media.samples import ORIENTATION, chunk, data_uri, encoded, opened, picture, png

SECRET = b"52.5200 N, 13.4050 E, Alice"
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + SECRET + b"</x:xmpmeta>"


def exif(orientation: int = UPRIGHT) -> bytes:
    """What a phone writes: the location, the camera, a preview."""
    data = Image.Exif()
    data[ExifTags.Base.Artist] = SECRET.decode()
    data[ExifTags.Base.Make] = "Phone"
    if orientation != UPRIGHT:
        data[ORIENTATION] = orientation
    data.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSMapDatum] = SECRET.decode()
    return data.tobytes()


def profile() -> bytes:
    from PIL import ImageCms

    srgb = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  untyped
    return ImageCms.ImageCmsProfile(srgb).tobytes()  # pyright: ignore[reportUnknownArgumentType]  as above


def photo(orientation: int = UPRIGHT, **options: object) -> bytes:
    plain = encoded(
        picture(), "JPEG", exif=exif(orientation), xmp=XMP, comment=SECRET, icc_profile=profile(), **options
    )
    photoshop = b"Photoshop 3.0\x008BIM\x04\x04" + SECRET
    segment = b"\xff\xed" + (len(photoshop) + 2).to_bytes(2) + photoshop
    return plain[:2] + segment + plain[2:] + b"a moving picture that a phone appended: " + SECRET


def screenshot(orientation: int = UPRIGHT) -> bytes:
    info = PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    plain = encoded(picture(mode="RGBA"), "PNG", exif=exif(orientation), pnginfo=info, icc_profile=profile())
    return plain[:33] + chunk(b"caBX", SECRET) + chunk(b"tIME", bytes(7)) + plain[33:]


def web_picture(orientation: int = UPRIGHT, **options: object) -> bytes:
    content = encoded(picture(mode="RGBA"), "WEBP", exif=exif(orientation), xmp=XMP, icc_profile=profile(), **options)
    return content + b"junk" + len(SECRET).to_bytes(4, "little") + SECRET + b"\x00"


Sample = Callable[[int], bytes]
SAMPLES: dict[str, tuple[str, Sample]] = {
    "baseline JPEG": ("JPEG", photo),
    "progressive JPEG": ("JPEG", lambda o: photo(o, progressive=True)),
    "JPEG with restarts": ("JPEG", lambda o: photo(o, restart_marker_rows=1)),
    "CMYK JPEG": ("JPEG", lambda o: encoded(picture(mode="CMYK"), "JPEG", exif=exif(o), comment=SECRET)),
    "several pictures": (
        "JPEG",
        lambda o: encoded(picture(), "MPO", exif=exif(o), save_all=True, append_images=[picture()]) + SECRET,
    ),
    "PNG": ("PNG", screenshot),
    "WebP": ("WebP", web_picture),
    "lossless WebP": ("WebP", lambda o: web_picture(o, lossless=True)),
    "animated WebP": ("WebP", lambda o: web_picture(o, save_all=True, append_images=[picture(mode="RGBA")])),
}


@pytest.mark.parametrize("orientation", [UPRIGHT, 3, 6])
@pytest.mark.parametrize("name", SAMPLES)
def test_everything_but_the_image_and_its_orientation_is_removed(name: str, orientation: int) -> None:
    kind, sample = SAMPLES[name]
    before = sample(orientation)
    assert SECRET in before
    after = without_metadata(kind, before, orientation)
    for trace in (SECRET, b"Phone", b"xmpmeta", b"GPS", b"Photoshop"):
        assert trace not in after
    original, stripped = opened(before), opened(after)
    assert stripped.tobytes() == original.tobytes()
    assert (stripped.size, stripped.mode) == (original.size, original.mode)
    assert stripped.info.get("icc_profile") == original.info.get("icc_profile")
    assert getattr(stripped, "n_frames", 1) == (1 if kind == "JPEG" else getattr(original, "n_frames", 1))
    assert dict(stripped.getexif()) == ({ORIENTATION: orientation} if orientation != UPRIGHT else {})
    assert without_metadata(kind, after, orientation) == after


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_image_without_metadata_is_unchanged(kind: str) -> None:
    content = encoded(picture(), kind)
    assert without_metadata("WebP" if kind == "WEBP" else kind, content, UPRIGHT) == content


def test_animation_and_palette_transparency_are_kept() -> None:
    frames = [picture(mode="P"), picture(mode="P").rotate(180)]
    content = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], transparency=3)
    assert without_metadata("PNG", content, UPRIGHT) == content


def test_bytes_between_segments_are_skipped_as_decoders_do() -> None:
    content = encoded(picture(), "JPEG")
    first = 2 + 2 + int.from_bytes(content[4:6])
    odd = content[:first] + b"\x00\x00\xff\xff" + content[first:]
    assert opened(without_metadata("JPEG", odd, UPRIGHT)).tobytes() == opened(content).tobytes()


@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WebP"]), st.sampled_from([1, 6]))
def test_arbitrary_content_raises_only_value_and_index_errors(content: bytes, kind: str, orientation: int) -> None:
    head = {"JPEG": b"\xff\xd8", "PNG": b"\x89PNG\r\n\x1a\n", "WebP": b"RIFF\x00\x00\x00\x00WEBPVP8X"}[kind]
    with suppress(ValueError, IndexError):
        without_metadata(kind, head + content, orientation)


@pytest.mark.parametrize("name", ["baseline JPEG", "PNG"])
async def test_a_local_image_is_sent_without_its_metadata_unless_the_user_keeps_it(name: str) -> None:
    sample = SAMPLES[name][1](6).removesuffix(b"a moving picture that a phone appended: " + SECRET)
    sent = await read_image("first_frame_image", data_uri(sample), FileRules())
    assert SECRET not in sent.content
    assert opened(sent.content).getexif().get(ORIENTATION) == 6
    kept = await read_image("first_frame_image", data_uri(sample), FileRules(keep_metadata=True))
    assert kept.content == sample


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
async def test_metadata_is_removed_when_an_image_is_converted(kind: str) -> None:
    options = {} if kind == "GIF" else {"exif": exif(6)}
    content = encoded(picture(), kind, comment=SECRET, **options)
    sent = await read_image("first_frame_image", data_uri(content), FileRules(fix=True))
    assert SECRET not in sent.content
    assert not dict(Image.open(io.BytesIO(sent.content)).getexif())


async def test_images_that_differ_only_in_metadata_have_the_same_digest() -> None:
    one = encoded(picture(), "JPEG", comment=b"one place")
    two = encoded(picture(), "JPEG", comment=b"another place")
    digests = {(await read_image("first_frame_image", data_uri(each), FileRules())).digest for each in (one, two)}
    assert len(digests) == 1
    assert (await read_image("first_frame_image", data_uri(png()), FileRules())).digest not in digests

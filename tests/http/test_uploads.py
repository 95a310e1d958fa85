"""Images on the caller's machine: the upload link that a call returns, what it accepts, and who may use it."""

import io
import json
import os
import re
import subprocess
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from mcp import Client
from PIL import Image
from starlette.applications import Starlette

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.http import routes
from hailuo_mcp.mcp import tools
from hailuo_mcp.media.images import BYTES_MAX
from hailuo_mcp.media.upload_store import KEPT_FOR, PER_OWNER_MAX, WANTED_FOR, UploadStore
from hailuo_mcp.service.image_uploads import AT_ONCE, ImageUploads
from hailuo_mcp.service.session import Session
from tests.http.servers import SANDBOX, serving
from tests.http.test_tokens import ANN, BEN, TOKENS, client_with_token
from tests.support import facts_of, open_session, server, settings_for, text_of

PUBLIC_URL = "https://video.example"
MODEL = "segmind/hailuo-2.3-fast"
Facts = Mapping[str, Any]
WITH_UPLOAD = {"model": MODEL, "first_frame_image": "upload:frame.png"}


def picture(width: int = 640, height: int = 400, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 40)).save(file, kind, **options)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Team:
    """The services of an HTTP server, and a client without a token."""

    session: Session
    web: httpx.AsyncClient

    def session_of(self, tenant: str, *, may_generate: bool = True) -> Session:
        return Session(self.session.services, Caller(tenant, may_generate))

    async def generate(self, tenant: str, may_generate: bool = True, **arguments: Any) -> Facts:
        call = tools.Call(self.session_of(tenant, may_generate=may_generate), {"prompt": "a kite", **arguments}, None)
        return (await tools.call("generate_video", call)).structured_content or {}

    async def link(self, tenant: str = "ann", given: str = "/home/ann/frame.png") -> str:
        facts = await self.generate(tenant, model=MODEL, first_frame_image=given)
        (upload,) = facts["error"]["uploads"]
        return upload["url"]

    @property
    def folder(self) -> Path:
        return self.session.services.clips.directory / ".uploads"


@asynccontextmanager
async def a_team(directory: Path, store_clock: Any = time.time, **variables: str) -> AsyncGenerator[Team]:
    settings = settings_for(directory, HAILUO_MCP_SANDBOX="1", **variables)
    async with open_session(settings, base_url=PUBLIC_URL, local_files=False) as session:
        uploads = session.services.uploads
        assert uploads
        timed = ImageUploads(UploadStore(uploads.store.directory, store_clock), uploads.urls, uploads.rules)
        services = replace(session.services, uploads=timed)
        app = Starlette(routes=routes.routes(services, lambda: False))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as web:
            yield Team(Session(services), web)


async def test_local_path_returns_an_upload_link_and_the_next_call_uses_the_name(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        call = {"prompt": "a kite", "model": MODEL, "first_frame_image": "~/My pictures/red kite.png"}
        refused = await tools.call("generate_video", tools.Call(team.session_of("ann"), call, None))
        assert refused.is_error
        error: Facts = facts_of(refused)["error"]
        (upload,) = error["uploads"]
        assert (error["code"], error["charged"], error["safe_to_retry"]) == ("invalid_image", "no", False)
        assert upload == {
            "parameter": "first_frame_image",
            "image": "upload:red-kite.png",
            "method": "PUT",
            "url": upload["url"],
            "expires_at": upload["expires_at"],
            "bytes_max": BYTES_MAX,
        }
        text = text_of(refused)
        assert "Nothing was sent." in text
        assert f"curl -T ~/'My pictures/red kite.png' '{upload['url']}'" in text
        assert 'generate_video again with first_frame_image "upload:red-kite.png"' in text
        assert (await team.session_of("ann").jobs()).total == 0

        stored = await team.web.put(upload["url"], content=picture())
        assert stored.status_code == 201, stored.text
        assert stored.json()["image"] == "upload:red-kite.png"
        assert "upload:red-kite.png" in stored.json()["next_step"]
        for _ in range(2):  # a name can be used repeatedly until it expires
            job = await team.generate(
                "ann", model=MODEL, first_frame_image="upload:red-kite.png", force_new=True, duration=6
            )
            assert job["state"] == "queued", job
            assert job["parameters"]["first_frame_image"].startswith("upload:red-kite.png (sha256:")


async def test_two_local_frames_get_separate_links_and_names(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        frames = {"first_frame_image": r"C:\shots\a\frame.png", "last_frame_image": r"C:\shots\b\frame.png"}
        links = (await team.generate("ann", True, model="segmind/hailuo-02-fast", **frames))["error"]["uploads"]
        names = [link["image"] for link in links]
        assert names == ["upload:frame.png", "upload:last_frame_image-frame.png"]
        for link in links:
            assert (await team.web.put(link["url"], content=picture())).status_code == 201
        given = {"first_frame_image": names[0], "last_frame_image": names[1]}
        job = await team.generate("ann", True, **given, model="segmind/hailuo-02-fast")
        assert job["state"] == "queued", job


async def test_reference_image_is_uploaded_but_a_video_is_not(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        given = {"model": "minimax/h3", "reference_images": ["https://x.example/a.png", "/home/ann/b.png"]}
        (link,) = (await team.generate("ann", True, **given))["error"]["uploads"]
        assert (link["parameter"], link["image"]) == ("reference_images[1]", "upload:b.png")
        assert (await team.web.put(link["url"], content=picture())).status_code == 201
        job = await team.generate(
            "ann", model="minimax/h3", reference_images=["https://x.example/a.png", "upload:b.png"]
        )
        assert job["state"] == "queued", job
        clip = await team.generate("ann", model="minimax/h3", reference_videos=["/home/ann/clip.mp4"])
        assert (clip["error"]["charged"], clip["error"].get("uploads")) == ("no", None)


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("/a/x.png", "curl -T /a/x.png "),
        ("`/a/x.png`", "curl -T /a/x.png "),
        ("file:///a/my%20x.png", "curl -T '/a/my x.png' "),
        ("/a/$(touch me); x.png", "curl -T '/a/$(touch me); x.png' "),
        ("/a/it's.png", """curl -T '/a/it'"'"'s.png' """),
        ("upload:kite.png", "curl -T kite.png "),
    ],
)
async def test_curl_command_quotes_the_file_name_for_the_shell(given: str, command: str, tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        assert command in (await team.generate("ann", model=MODEL, first_frame_image=given))["error"]["hint"]


async def test_upload_name_may_be_requested_without_a_path(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        url = await team.link(given="upload:kite.jpg")
        assert (await team.web.put(url, content=picture(kind="JPEG"))).status_code == 201
        assert (await team.generate("ann", model=MODEL, first_frame_image="upload:kite.jpg"))["state"] == "queued"


@pytest.mark.parametrize("name", ["upload:", "upload:a/b.png", "upload:../../etc/passwd", f"upload:{'a' * 81}"])
async def test_invalid_upload_name_is_refused(name: str, tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        error = (await team.generate("ann", model=MODEL, first_frame_image=name))["error"]
        assert (error["code"], error["charged"]) == ("invalid_image", "no")
        assert "upload:NAME" in error["hint"]
        assert "uploads" not in error


async def test_another_tenant_cannot_use_the_image_or_its_name(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        assert (await team.web.put(await team.link("ann"), content=picture())).status_code == 201
        bens = await team.generate("ben", model=MODEL, first_frame_image="upload:frame.png")
        assert bens["error"]["code"] == "invalid_image"
        other = picture(kind="JPEG")
        assert (await team.web.put(bens["error"]["uploads"][0]["url"], content=other)).status_code == 201
        jobs = [await team.generate(who, model=MODEL, first_frame_image="upload:frame.png") for who in ("ann", "ben")]
        digests = {job["parameters"]["first_frame_image"] for job in jobs}
        assert len(digests) == 2, "each has its own image of this name"


async def test_only_the_newest_link_of_a_name_works_and_only_once(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        older, url = await team.link(), await team.link()
        assert (await team.web.put(older, content=picture())).status_code == 404
        assert (await team.web.put(url, content=picture())).status_code == 201
        again = await team.web.put(url, content=picture(kind="JPEG"))
        assert again.status_code == 404
        assert "generate_video again" in again.json()["error"]


async def test_one_of_several_simultaneous_uploads_to_a_link_succeeds(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        url = await team.link()
        codes: list[int] = []

        async def upload() -> None:
            codes.append((await team.web.put(url, content=picture())).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(upload)
        assert codes.count(201) == 1
        assert set(codes) <= {201, 404, 409}


async def test_links_and_images_expire(tmp_path: Path) -> None:
    now = time.time()
    async with a_team(tmp_path, lambda: now) as team:
        url = await team.link()
        now += WANTED_FOR.total_seconds() + 1
        assert (await team.web.put(url, content=picture())).status_code == 404
        assert (await team.web.put(await team.link(), content=picture())).status_code == 201
        assert (await team.generate("ann", True, **WITH_UPLOAD, dry_run=True))["state"] == "dry_run"
        now += KEPT_FOR.total_seconds() + 1
        assert "uploads" in (await team.generate("ann", True, **WITH_UPLOAD))["error"]
        now += WANTED_FOR.total_seconds() + 1
        assert team.session.services.uploads
        team.session.services.uploads.store.sweep()
        assert list(team.folder.iterdir()) == []


CHANGES: Mapping[str, Callable[[str], str]] = {
    "signature": lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    "time": lambda url: re.sub(r"until=(\d+)", lambda found: f"until={int(found[1]) + 60}", url),
    "no signature": lambda url: url.partition("?")[0],
    "key": lambda url: url.replace("/uploads/", "/uploads/0"),
    "path": lambda url: url.replace("/uploads/", "/uploads/..%2F"),
    "purpose": lambda url: url.replace("/uploads/", "/clips/"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_tampered_link_is_refused(change: str, tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        url = await team.link()
        assert (await team.web.put(CHANGES[change](url), content=picture())).status_code in (404, 405)
        assert (await team.web.put(url, content=picture())).status_code == 201


@pytest.mark.parametrize(
    ("content", "status", "text"),
    [
        (b"%PDF-1.7 not an image at all", 422, "PDF"),
        (b"", 422, ""),
        (picture()[:200], 422, "truncated"),
        (picture(200, 200), 422, "shorter side"),
        (picture(1200, 310), 422, "ratio"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * BYTES_MAX, 413, "20.0 MB"),
    ],
    ids=["a PDF", "nothing", "truncated", "small", "wide", "large"],
)
async def test_unusable_image_is_refused_and_the_link_remains_valid(
    content: bytes, status: int, text: str, tmp_path: Path
) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:  # without a Content-Length
        for start in range(0, len(content), 1 << 20):
            yield content[start : start + (1 << 20)]

    async with a_team(tmp_path) as team:
        url = await team.link()
        for body in (content, in_pieces()):
            answer = await team.web.put(url, content=body)
            assert (answer.status_code, text in answer.json()["error"]) == (status, True), answer.text
        assert not list(team.folder.glob("*.part"))
        assert (await team.web.put(url, content=picture())).status_code == 201


async def test_image_metadata_is_removed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret garden"
    async with a_team(tmp_path) as team:
        stored = await team.web.put(await team.link(), content=picture(kind="JPEG", exif=exif))
        assert stored.status_code == 201
        (file,) = team.folder.glob("*.image")
        assert b"secret" not in file.read_bytes()
        assert file.stat().st_size == stored.json()["bytes"]
        if os.name == "posix":
            assert (file.stat().st_mode & 0o777, team.folder.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_number_of_images_per_tenant_is_limited(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        for number in range(PER_OWNER_MAX):
            await team.link(given=f"upload:{number}.png")
        error = (await team.generate("ann", model=MODEL, first_frame_image="upload:more.png"))["error"]
        assert "uploads" not in error
        assert f"{PER_OWNER_MAX} images" in error["message"]
        assert await team.link(given="upload:3.png"), "an existing name may be requested again"
        assert await team.link("ben"), "others are not affected"


async def test_number_of_simultaneous_uploads_is_limited(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        urls = [await team.link(given=f"upload:{number}.png") for number in range(AT_ONCE + 1)]
        go_on, all_begun, begun = anyio.Event(), anyio.Event(), 0

        async def slowly() -> AsyncIterator[bytes]:
            nonlocal begun
            begun += 1
            if begun == AT_ONCE:
                all_begun.set()
            await go_on.wait()
            yield picture()

        codes: list[int] = []

        async def upload(url: str) -> None:
            codes.append((await team.web.put(url, content=slowly())).status_code)

        async with anyio.create_task_group() as tasks:
            for url in urls[:-1]:
                tasks.start_soon(upload, url)
            await all_begun.wait()
            assert (await team.web.put(urls[-1], content=picture())).status_code == 409
            go_on.set()
        assert codes == [201] * AT_ONCE
        assert (await team.web.put(urls[-1], content=picture())).status_code == 201


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
async def test_only_put_is_accepted(method: str, tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        answer = await team.web.request(method, await team.link())
        assert answer.status_code == 405
        assert "PUT" in answer.headers["allow"]


async def test_a_view_in_a_chat_may_use_the_link_from_its_own_origin(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        url = await team.link()
        preflight = await team.web.options(url, headers={"Origin": "null", "Access-Control-Request-Method": "PUT"})
        assert (preflight.status_code, preflight.headers["access-control-allow-methods"]) == (204, "PUT")
        answer = await team.web.put(url, content=picture(), headers={"Origin": "null"})
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_read_only_token_gets_no_link(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        facts = await team.generate("ann", False, model=MODEL, first_frame_image="/home/ann/frame.png", dry_run=True)
        assert "uploads" not in facts["error"]
        assert not team.folder.exists()


async def test_gateway_that_accepts_only_urls_gets_no_link(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        error = (await team.generate("ann", model="apixo/hailuo-2.3-fast", first_frame_image="/home/ann/x.png"))[
            "error"
        ]
        assert "uploads" not in error


async def test_stdio_has_no_uploads(tmp_path: Path) -> None:
    async with server(tmp_path, **SANDBOX) as client:
        for given in ("upload:frame.png", "/nowhere/frame.png"):
            answer = await client.call_tool("generate_video", {"prompt": "a kite", "first_frame_image": given})
            assert facts_of(answer)["error"]["code"] == "invalid_image", given
            assert "uploads" not in facts_of(answer)["error"], given
            assert "curl" not in text_of(answer), given


@pytest.mark.slow
async def test_any_server_of_a_team_accepts_the_curl_upload_without_a_token(tmp_path: Path) -> None:
    frame = tmp_path / "frame.png"
    frame.write_bytes(picture())
    team = {**SANDBOX, "HAILUO_MCP_HTTP_TOKENS": TOKENS}
    async with (
        serving(tmp_path, **team) as one,
        serving(tmp_path, **team) as two,
        client_with_token(one.url, ANN) as ann,
        client_with_token(two.url, ANN) as ann_at_two,
        client_with_token(two.url, BEN) as ben,
    ):
        call = {"prompt": "a kite", "model": MODEL, "first_frame_image": str(frame)}
        refused = await ann.call_tool("generate_video", call)
        (upload,) = facts_of(refused)["error"]["uploads"]
        elsewhere = upload["url"].replace(one.url.removesuffix("/mcp"), two.url.removesuffix("/mcp"))
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run(["curl", "-sS", "-T", frame, elsewhere], capture_output=True, check=True)
        )
        assert json.loads(done.stdout)["image"] == "upload:frame.png"
        call["first_frame_image"] = "upload:frame.png"
        assert (await ben.call_tool("generate_video", call)).is_error
        for client in (ann, ann_at_two):
            job = facts_of(await client.call_tool("generate_video", {**call, "force_new": True}))
            assert job["state"] in ("queued", "processing", "completed"), job


@pytest.mark.slow
async def test_local_user_uploads_without_tokens(tmp_path: Path) -> None:
    async with serving(tmp_path, **SANDBOX) as running, httpx.AsyncClient() as web, Client(running.url) as client:
        call = {"prompt": "a kite", "model": MODEL, "first_frame_image": "/somewhere/frame.png"}
        (upload,) = facts_of(await client.call_tool("generate_video", call))["error"]["uploads"]
        assert (await web.put(upload["url"], content=picture())).status_code == 201
        call["first_frame_image"] = upload["image"]
        assert not (await client.call_tool("generate_video", call)).is_error
        proxied = await web.put(upload["url"], content=picture(), headers={"X-Forwarded-For": "203.0.113.9"})
        assert proxied.status_code == 403

"""Files that ChatGPT passes with a call, over HTTP."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from hailuo_mcp.mcp import tools
from hailuo_mcp.mcp.server import build_server
from hailuo_mcp.media.fetch import LinkPolicy
from hailuo_mcp.media.images import BYTES_MAX
from hailuo_mcp.service.session import Session
from tests.http.servers import SANDBOX, over_http
from tests.http.test_uploads import MODEL, Team, a_team, picture
from tests.media.remote_server import Step, redirects, says, serving
from tests.support import open_session, settings_for

FILE = {"file_id": "file_1", "mime_type": "image/png", "file_name": "frame.png"}


def allow_loopback(team: Team) -> Team:
    """The same team, with this machine treated as a public host."""
    services = replace(team.session.services, link_policy=LinkPolicy(frozenset({"127.0.0.1"})))
    return replace(team, session=Session(services))


async def generate_from(team: Team, url: str) -> Mapping[str, Any]:
    return await team.generate("ann", model=MODEL, first_frame_image={**FILE, "download_url": url})


async def test_file_parameters_are_declared_over_http_and_stay_strings(tmp_path: Path) -> None:
    opened = open_session(settings_for(tmp_path, **SANDBOX))
    async with opened as session, Client(build_server(session.services, "0")) as local:
        on_stdio = (await local.list_tools()).tools
    async with over_http(tmp_path, **SANDBOX) as connect, connect() as client:
        listed = (await client.list_tools()).tools
        generate = next(tool for tool in listed if tool.name == "generate_video")
        assert (generate.meta or {})["openai/fileParams"] == ["first_frame_image", "last_frame_image"]
        assert generate.input_schema["properties"]["first_frame_image"]["type"] == "string"
        for tool in (*on_stdio, *(tool for tool in listed if tool is not generate)):
            assert "openai/fileParams" not in (tool.meta or {})


async def test_file_from_the_host_is_downloaded_and_checked_like_any_other(tmp_path: Path) -> None:
    async with serving(redirects("/there"), says(200, picture())) as remote, a_team(tmp_path) as team:
        job = await generate_from(allow_loopback(team), remote.url("/file?sig=secret"))
        assert job["state"] == "queued", job
        assert "secret" not in str(job)
        assert job["parameters"]["first_frame_image"].startswith("data URI (sha256:")
        assert remote.header("authorization") == ["", ""]


REFUSED: Mapping[str, tuple[Step, str]] = {
    "gone": (says(403, b"expired"), "answered 403"),
    "no image": (says(200, b"<html>sign in</html>"), "web page"),
    "large": (says(200, b"\x89PNG\r\n\x1a\n" + b"\0" * BYTES_MAX), "20.0 MB"),
    "around and around": (redirects("/again"), "could not be fetched"),
    "elsewhere": (redirects("https://10.0.0.1/x"), "not a public https address"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_file_that_cannot_be_downloaded_is_refused_and_nothing_is_sent(case: str, tmp_path: Path) -> None:
    step, message = REFUSED[case]
    async with serving(step) as remote, a_team(tmp_path) as team:
        error = (await generate_from(allow_loopback(team), remote.url("/file?sig=secret")))["error"]
        assert (error["code"], error["charged"]) == ("invalid_image", "no")
        assert message in error["message"]
        assert "secret" not in str(error)
        assert (await team.session_of("ann").jobs()).total == 0


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "file:///etc/passwd", "https://[::1]/x", "nonsense", "https://"]
)
async def test_link_into_the_private_network_is_not_followed(url: str, tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        error = (await generate_from(team, url))["error"]
        assert (error["code"], error["charged"]) == ("invalid_image", "no")


async def test_object_without_a_link_is_refused_like_any_invalid_value(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        for value in (FILE, {}, {"download_url": 7}):
            facts = await team.generate("ann", model=MODEL, first_frame_image=value)
            assert facts["error"]["code"] == "invalid_input"


async def test_file_object_is_refused_on_stdio(tmp_path: Path) -> None:
    async with a_team(tmp_path) as team:
        local = Session(replace(team.session.services, uploads=None))

        call = {
            "prompt": "a kite",
            "model": MODEL,
            "first_frame_image": {**FILE, "download_url": "https://x.example/x"},
        }
        answer = await tools.call("generate_video", tools.Call(local, call, None))
        assert (answer.structured_content or {})["error"]["code"] == "invalid_input"

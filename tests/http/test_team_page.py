"""The page at `/`: who can open it, what it shows, and what it rejects."""

import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp.server.auth.provider import AccessToken
from starlette.applications import Starlette
from starlette.responses import Response

from hailuo_mcp.core.job import utc_now
from hailuo_mcp.http.auth import verifier_of
from hailuo_mcp.http.team_page import FAILURES_AT_ONCE, team_page
from hailuo_mcp.http.team_page.sign_in import COOKIE_LIFETIME, SignIns
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.signed_urls import SignedUrls
from tests.http.servers import SANDBOX, serving
from tests.http.test_tokens import ANN, BEN, TOKENS, client_with_token, submitted
from tests.support import open_session, settings_for

PUBLIC_URL = "https://video.example"
SCRIPT = "<script>alert(1)</script> & \"quotes\" 'too'"


@asynccontextmanager
async def browser(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A client that sends forms and keeps cookies as a browser does."""
    base = url.removesuffix("/mcp")
    async with httpx.AsyncClient(base_url=base, headers={"Origin": base}, follow_redirects=True, timeout=30) as web:
        yield web


@pytest.mark.slow
async def test_a_member_signs_in_sees_their_own_jobs_and_signs_out(tmp_path: Path) -> None:
    limits = {"HAILUO_MCP_MAX_JOBS_PER_DAY": "5"}
    async with serving(tmp_path, **SANDBOX, HAILUO_MCP_HTTP_TOKENS=TOKENS, **limits) as running:
        async with client_with_token(running.url, ANN) as ann:
            request_id = await submitted(ann, prompt=SCRIPT)
            await ann.call_tool("get_status", {"request_id": request_id, "wait_seconds": 45})
            await ann.call_tool("download_video", {"request_id": request_id})
        async with browser(running.url) as web, browser(running.url) as bens:
            first = await web.get("/")
            assert first.status_code == 200
            assert "Sign in" in first.text
            assert request_id not in first.text

            page = await web.post("/", data={"token": ANN})
            assert (page.status_code, page.url.path, page.url.query) == (200, "/", b"")
            assert request_id in page.text
            assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot; &#x27;too&#x27;" in page.text
            assert "<script" not in page.text
            assert "<strong>1</strong> of 5" in page.text
            assert "sandbox" in page.text
            assert ANN not in page.text

            policy = page.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "frame-ancestors 'none'" in policy
            clip = re.search(r'<video src="(clips/[^"]+)"', page.text)
            assert clip
            played = await bens.get("/" + clip[1].replace("&amp;", "&"))
            assert (played.status_code, played.headers["content-type"]) == (200, "video/mp4")

            bens_page = await bens.post("/", data={"token": BEN})
            assert request_id not in bens_page.text
            assert "No jobs yet" in bens_page.text

            after = await web.post("/", data={"action": "sign-out"})
            assert "Sign in" in after.text
            assert not web.cookies


@pytest.mark.slow
async def test_without_tokens_there_is_no_page(tmp_path: Path) -> None:
    async with serving(tmp_path, **SANDBOX) as running, browser(running.url) as web:
        assert (await web.get("/")).status_code == 404
        assert (await web.post("/", data={"token": ANN})).status_code == 404


@asynccontextmanager
async def page_of(
    directory: Path, base: str = PUBLIC_URL, tokens: str = TOKENS, failure_seconds: float = 0.0
) -> AsyncGenerator[tuple[Session, httpx.AsyncClient]]:
    async with open_session(settings_for(directory, HAILUO_MCP_HTTP_TOKENS=tokens)) as session:
        settings = session.services.settings
        verifier = verifier_of(settings, f"{base}/mcp")
        assert verifier
        urls = SignedUrls(base, await session.ledger.secret())
        app = Starlette(routes=[team_page(session.services, urls, verifier, failure_seconds=failure_seconds)])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=base, headers={"Origin": base}
        ) as web:
            yield session, web


async def test_cookie_is_limited_to_this_host_and_hidden_from_scripts(tmp_path: Path) -> None:
    async with page_of(tmp_path) as (_, web):
        answer = await web.post("/", data={"token": ANN})
        assert (answer.status_code, answer.headers["location"]) == (303, "./")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-hailuo=")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "secure", "samesite=strict", "path=/", f"max-age={COOKIE_LIFETIME.seconds}"} <= attributes
        assert ANN not in cookie
    async with page_of(tmp_path, base="http://127.0.0.1:8000") as (_, web):
        assert "secure" not in (await web.post("/", data={"token": ANN})).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
    ],
)
async def test_form_of_another_site_cannot_sign_in_or_out(headers: dict[str, str], status: int, tmp_path: Path) -> None:
    async with page_of(tmp_path) as (_, web):
        for form in ({"token": ANN}, {"action": "sign-out"}):
            answer = await web.post("/", data=form, headers=headers)
            assert answer.status_code == status
            assert ("set-cookie" in answer.headers) is (status == 303)


@pytest.mark.parametrize("token", ["wrong", "", f"Bearer {ANN}", ANN + "x" * 20_000])
async def test_wrong_token_is_refused_and_not_shown(token: str, tmp_path: Path) -> None:
    async with page_of(tmp_path) as (_, web):
        answer = await web.post("/", data={"token": token})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert not token or token not in answer.text


async def test_token_guesses_are_delayed_and_limited(tmp_path: Path) -> None:
    async with page_of(tmp_path, failure_seconds=0.5) as (_, web):
        codes: list[int] = []

        async def guess(number: int) -> None:
            codes.append((await web.post("/", data={"token": f"guess-{number}"})).status_code)

        began = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for number in range(FAILURES_AT_ONCE * 3):
                tasks.start_soon(guess, number)
        assert codes.count(401) == FAILURES_AT_ONCE
        assert codes.count(429) == FAILURES_AT_ONCE * 2
        assert time.monotonic() - began >= 0.5


async def test_cookie_ends_when_it_expires_or_its_token_is_replaced(tmp_path: Path) -> None:
    async with page_of(tmp_path) as (_, web):
        await web.post("/", data={"token": ANN})
        (name, value), *_ = web.cookies.items()
        assert "Sign out" in (await web.get("/")).text
    async with page_of(tmp_path, tokens=f"ann:{ANN}") as (session, web):
        web.cookies.set(name, value)
        assert "Sign out" in (await web.get("/")).text, "any server of the team accepts it"
        await _check_forged_cookies_are_refused(session, web, name, value)
    async with page_of(tmp_path, tokens="ann:another-token-0123456789") as (_, web):
        web.cookies.set(name, value)
        assert "Sign out" not in (await web.get("/")).text, "its token was replaced"


async def _check_forged_cookies_are_refused(session: Session, web: httpx.AsyncClient, name: str, value: str) -> None:
    tenant, until, signature = value.split(".")
    late = f"{tenant}.{int(until) + 1}.{signature}"
    other = f"{'YmVu'}.{until}.{signature}"
    for forged in (late, other, f"{tenant}.{until}.", f"{tenant}.{until}", "", "...", value[:-1] + "é".encode().hex()):
        web.cookies.set(name, forged)
        assert "Sign out" not in (await web.get("/")).text
    sign_ins = SignIns(SignedUrls(PUBLIC_URL, await session.ledger.secret()), session.services.settings)
    old = AccessToken(token="x", client_id="ann", scopes=[], expires_at=int(utc_now().timestamp()) - 1)
    expired = sign_ins.remember(Response(), old, utc_now()).headers["set-cookie"]
    web.cookies.set(name, expired.partition("=")[2].partition(";")[0])
    assert "Sign out" not in (await web.get("/")).text

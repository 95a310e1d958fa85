"""OAuth 2.1 over HTTP: access tokens from an issuer whose keys are fetched, their scopes, and the protected-resource
metadata that leads a client to the issuer."""

import json
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.fault_injection.faulty_gateway import bomb
from tests.http.servers import SANDBOX, serving
from tests.http.test_access import ACCEPT, INITIALIZE
from tests.http.test_tokens import client_with_token, submitted
from tests.support import facts_of, log_of, peak_mb, text_of

pytestmark = pytest.mark.slow

AUDIENCE = "https://video.example/mcp"
KEY_ID = "k1"


@dataclass
class Issuer:
    """An issuer with one signing key, and its key set on a port."""

    url: str = ""
    request_count: int = 0
    bomb: bool = False
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def token(self, *, kid: str = KEY_ID, key: object = None, algorithm: str = "RS256", **claims: Any) -> str:
        facts = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ann",
            "exp": int(time.time()) + 300,
            "scope": "video:read video:generate",
            **claims,
        }
        given = {name: value for name, value in facts.items() if value is not None}
        signing = None if algorithm == "none" else key or self.key
        return jwt.encode(given, signing, algorithm=algorithm, headers={"kid": kid})  # pyright: ignore[reportArgumentType]

    @property
    def jwks(self) -> str:
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]})

    def settings(self) -> dict[str, str]:
        return {
            **SANDBOX,
            "HAILUO_MCP_OAUTH_ISSUER": self.url,
            "HAILUO_MCP_OAUTH_AUDIENCE": AUDIENCE,
            "HAILUO_MCP_OAUTH_JWKS_URL": f"{self.url}/jwks",
        }


@pytest.fixture
def issuer() -> Generator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.request_count += 1
            body = bomb() if issuer.bomb else issuer.jwks.encode()
            self.send_response(200)
            if issuer.bomb:
                self.send_header("Content-Encoding", "gzip, gzip")
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield issuer
        server.shutdown()
        thread.join()


Forged = Callable[[Issuer], str]
FORGED: dict[str, Forged] = {
    "another audience": lambda issuer: issuer.token(aud="https://other.example"),
    "another issuer": lambda issuer: issuer.token(iss="https://other.example"),
    "expired": lambda issuer: issuer.token(exp=int(time.time()) - 3600),
    "no expiry": lambda issuer: issuer.token(exp=None),
    "no subject": lambda issuer: issuer.token(sub=None),
    "another key": lambda issuer: issuer.token(key=rsa.generate_private_key(65537, 2048)),
    "an unknown key id": lambda issuer: issuer.token(kid="k2"),
    "signed with the published key as a secret": lambda issuer: issuer.token(key="x" * 32, algorithm="HS256"),
    "not signed": lambda issuer: issuer.token(algorithm="none"),
    "no token at all": lambda issuer: "a.b.c",
}


async def test_forged_token_or_one_for_another_audience_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    async with serving(tmp_path, **issuer.settings()) as running, httpx.AsyncClient() as web:

        async def status(token: str) -> int:
            headers = {**ACCEPT, "Authorization": f"Bearer {token}"}
            return (await web.post(running.url, json=INITIALIZE, headers=headers)).status_code

        assert await status(issuer.token()) == 200
        assert {name: await status(forge(issuer)) for name, forge in FORGED.items()} == dict.fromkeys(FORGED, 401)
        assert await status(issuer.token(scope="email")) == 403
        assert issuer.request_count <= 2, "an unknown key triggers a fetch only once in a while, not each time"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the highest memory use from /proc")
async def test_decompression_bomb_in_the_key_set_is_not_unpacked(issuer: Issuer, tmp_path: Path) -> None:
    issuer.bomb = True
    async with serving(tmp_path, **issuer.settings()) as running, httpx.AsyncClient(timeout=60) as web:
        assert (await web.post(running.url, json=INITIALIZE, headers=ACCEPT)).status_code == 401
        before = peak_mb(running.process.pid)
        headers = {**ACCEPT, "Authorization": f"Bearer {issuer.token()}"}
        assert (await web.post(running.url, json=INITIALIZE, headers=headers)).status_code == 401
        assert issuer.request_count == 1
        assert peak_mb(running.process.pid) - before < 50
    assert "could not be fetched" in log_of(tmp_path).read_text()


async def test_client_finds_the_issuer_in_the_metadata(issuer: Issuer, tmp_path: Path) -> None:
    async with serving(tmp_path, **issuer.settings()) as running, httpx.AsyncClient() as web:
        refused = await web.post(running.url, json=INITIALIZE, headers=ACCEPT)
        address = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
        metadata = (await web.get(address)).json()
        assert metadata["resource"] == running.url
        assert metadata["authorization_servers"] == [issuer.url]
        assert set(metadata["scopes_supported"]) == {"video:read", "video:generate"}


async def test_scopes_decide_who_may_generate(issuer: Issuer, tmp_path: Path) -> None:
    async with serving(tmp_path, **issuer.settings()) as running:
        async with client_with_token(running.url, issuer.token()) as ann:
            job = await submitted(ann)
        async with client_with_token(running.url, issuer.token(scope="video:read")) as reader:
            refused = await reader.call_tool("generate_video", {"prompt": "a kite"})
            assert refused.is_error
            assert facts_of(refused)["error"]["code"] == "forbidden"
            assert "video:generate" in text_of(refused)
            assert facts_of(await reader.call_tool("get_status", {"request_id": job}))["request_id"] == job
        async with client_with_token(running.url, issuer.token(sub="ben", scope=None, scp=["video:read"])) as ben:
            assert (await ben.call_tool("get_status", {"request_id": job})).is_error
            assert facts_of(await ben.call_tool("list_jobs"))["total"] == 0


async def test_oauth_subject_is_separate_from_a_static_token_of_the_same_name(issuer: Issuer, tmp_path: Path) -> None:
    variables = {**issuer.settings(), "HAILUO_MCP_HTTP_TOKENS": "ann:ann-static-token"}
    async with serving(tmp_path, **variables) as running:
        async with client_with_token(running.url, "ann-static-token") as ann:
            await submitted(ann)
        async with client_with_token(running.url, issuer.token(sub="ann")) as other:
            assert facts_of(await other.call_tool("list_jobs"))["total"] == 0


async def test_token_without_the_read_scope_opens_no_clip(issuer: Issuer, tmp_path: Path) -> None:
    async with serving(tmp_path, **issuer.settings()) as running, httpx.AsyncClient() as web:
        async with client_with_token(running.url, issuer.token()) as ann:
            job = await submitted(ann)
            await ann.call_tool("get_status", {"request_id": job, "wait_seconds": 20})
            link = facts_of(await ann.call_tool("download_video", {"request_id": job}))["video_url"]
        bare = link.partition("?")[0]
        for scope, status in (("video:read", 200), ("email", 404), ("", 404)):
            headers = {"Authorization": f"Bearer {issuer.token(scope=scope)}"}
            assert (await web.get(bare, headers=headers)).status_code == status
        other = {"Authorization": f"Bearer {issuer.token(sub='ben')}"}
        assert (await web.get(bare, headers=other)).status_code == 404
        whole = await web.head(link)
        assert (whole.status_code, whole.content) == (200, b"")
        assert whole.headers["cache-control"].startswith("private")
        assert whole.headers["referrer-policy"] == "no-referrer"
        assert whole.headers["x-content-type-options"] == "nosniff"
        several = await web.get(link, headers={"Range": "bytes=0-3,8-11"})
        assert (several.status_code, several.headers["content-type"].partition(";")[0]) == (206, "multipart/byteranges")
        assert (await web.get(link, headers={"Range": "bytes=999999999-"})).status_code == 416

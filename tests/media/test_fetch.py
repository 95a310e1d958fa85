"""Fetching over real connections: redirects, host names that change their address, certificates, the local sandbox."""

import asyncio
import datetime
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hailuo_mcp.core.errors import GatewayError
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.media.downloads import LinkBlocked
from hailuo_mcp.media.fetch import REDIRECTS_MAX, LinkRefused, Resolve
from tests.media.remote_server import ranged, redirects, says, serving, store_in
from tests.media.samples import clip, completed

CLIP = clip()


async def _no_lookup(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def _resolver(**names: Sequence[str]) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [host] if host == "127.0.0.1" else names[host.replace(".", "_")]

    return resolve


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(status: int, tmp_path: Path) -> None:
    async with serving(redirects("/other.mp4", status), ranged(CLIP)) as remote:
        path = await store_in(tmp_path).save(completed(remote.url()))
    assert path.read_bytes() == CLIP
    assert [head.split()[1] for head in remote.heads] == ["/clip.mp4", "/other.mp4"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("https://inside.example/clip.mp4", "private address 10.0.0.1"),
        ("https://10.0.0.1/clip.mp4", "private address"),
        ("https://169.254.169.254/latest/meta-data", "private address"),
        ("https://[::1]/clip.mp4", "private address"),
        ("http://public.example/clip.mp4", "not https"),
        ("//public.example/clip.mp4", "not https"),
        ("file:///etc/passwd", "not https"),
        ("gopher://public.example/", "not https"),
        ("data:video/mp4;base64,AAAA", "not a valid URL"),
        ("https://me:secret@public.example/", "user name"),
        ("https://[10.0.0.1/", "not a valid URL"),
        ("http://127.0.0.1:99999999/", "port 99999999"),
    ],
)
async def test_a_redirect_to_a_private_host_or_away_from_https_is_refused(
    location: str, reason: str, tmp_path: Path
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return {"inside.example": ["10.0.0.1"], "public.example": ["93.184.216.34"]}.get(host, [host.strip("[]")])

    async with serving(redirects(location)) as remote:
        store = store_in(tmp_path, resolve=resolve)
        with pytest.raises(LinkRefused, match=reason) as refused:
            await store.save(completed(remote.url()))
    assert len(remote.heads) == 1
    assert reason == "not a valid URL" or "login page" in refused.value.problem.hint
    assert "secret" not in refused.value.problem.message
    assert not list(tmp_path.iterdir())


async def test_a_redirect_loop_is_refused(tmp_path: Path) -> None:
    async with serving(redirects("/clip.mp4")) as remote:
        with pytest.raises(LinkRefused, match=f"more than {REDIRECTS_MAX} times"):
            await store_in(tmp_path).save(completed(remote.url()))
    assert len(remote.heads) == REDIRECTS_MAX + 1


@pytest.mark.parametrize("status", [300, 304, 305])
async def test_a_3xx_response_without_a_location_is_an_error(status: int, tmp_path: Path) -> None:
    async with serving(says(status)) as remote:
        with pytest.raises(GatewayError, match=f"status {status}"):
            await store_in(tmp_path).save(completed(remote.url()))


async def test_a_name_is_resolved_once_and_the_checked_address_is_used(tmp_path: Path) -> None:
    answers = [["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop()  # any second lookup would fail

    async with serving(ranged(CLIP)) as remote:
        store = store_in(tmp_path, own_hosts=frozenset({"gateway.example"}), resolve=resolve)
        await store.save(completed(remote.url(host="gateway.example")))
    assert remote.header("host") == [f"gateway.example:{remote.port}"]


async def test_the_address_of_a_name_is_checked_again_for_each_request(tmp_path: Path) -> None:
    answers = [["10.0.0.1"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop() if host == "cdn.example" else [host]

    async with serving(says(503)) as remote:
        store = store_in(tmp_path, resolve=resolve)
        with pytest.raises(LinkRefused, match=r"private address 127\.0\.0\.1"):
            await store.save(completed(remote.url(host="cdn.example", scheme="https")))
        with pytest.raises(LinkRefused, match=r"private address 10\.0\.0\.1"):
            await store.save(completed(remote.url(host="cdn.example", scheme="https")))
    assert not remote.heads


async def test_the_next_address_is_tried_if_the_first_does_not_respond(tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        resolve = _resolver(gateway_example=["::1", "127.0.0.1"])
        store = store_in(tmp_path, own_hosts=frozenset({"gateway.example"}), resolve=resolve)
        assert (await store.save(completed(remote.url(host="gateway.example")))).read_bytes() == CLIP


async def test_a_loopback_name_other_than_the_gateways_is_refused(tmp_path: Path) -> None:
    async with serving(ranged(CLIP)) as remote:
        for host in ("localhost", "127.0.0.2"):
            with pytest.raises(LinkRefused):
                await store_in(tmp_path).save(completed(remote.url(host=host)))
        with pytest.raises(LinkRefused):
            await ClipStore(tmp_path).save(completed(remote.url()))
    assert not remote.heads


async def test_proxy_variables_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(says(500)) as proxy, serving(ranged(CLIP)) as remote:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url("/"))
        await store_in(tmp_path).save(completed(remote.url()))
    assert not proxy.heads


async def test_the_in_process_sandbox_serves_only_its_own_host(tmp_path: Path) -> None:
    requested: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requested.append(str(request.url))
        return httpx.Response(200, content=CLIP)

    store = ClipStore(
        tmp_path, stand_in=lambda: httpx.MockTransport(answer), stand_in_host="sandbox.invalid", resolve=_no_lookup
    )
    await store.save(completed("https://sandbox.invalid/clip.mp4"))
    for host in ("other.invalid", "sandbox.invalid.example", "sub.sandbox.invalid"):
        with pytest.raises(AssertionError, match="was looked up"):
            await store.save(completed(f"https://{host}/clip.mp4"))
    assert requested == ["https://sandbox.invalid/clip.mp4"]


def _certificate(directory: Path, name: str) -> ssl.SSLContext:
    """The TLS context of a server with a self-signed certificate for this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return context


async def _over_tls(directory: Path, monkeypatch: pytest.MonkeyPatch, certified: str) -> tuple[list[str | None], Path]:
    names: list[str | None] = []
    tls = _certificate(directory, certified)
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(directory / "chain.pem"))
    async with serving(ranged(CLIP), tls=tls) as remote:
        own, resolve = frozenset({"clips.example"}), _resolver(clips_example=["127.0.0.1"])
        store = store_in(directory / "clips", own_hosts=own, resolve=resolve)
        return names, await store.save(completed(remote.url(host="clips.example", scheme="https")))


async def test_the_certificate_is_checked_against_the_name_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, path = await _over_tls(tmp_path, monkeypatch, "clips.example")
    assert names == ["clips.example"]
    assert path.read_bytes() == CLIP


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a broken handshake, on the server's side
async def test_a_certificate_for_another_name_is_not_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LinkBlocked, match=r"no trusted TLS connection to clips\.example \(CERTIFICATE_VERIFY_FAILED\)"):
        await _over_tls(tmp_path, monkeypatch, "other.example")


async def test_a_host_that_does_not_speak_tls_is_reported_as_blocked(tmp_path: Path) -> None:
    async def respond_without_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(respond_without_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(LinkBlocked, match=r"no trusted TLS connection to 127\.0\.0\.1 \(WRONG_VERSION_NUMBER\)"):
            await store_in(tmp_path).save(completed(f"https://127.0.0.1:{port}/clip.mp4"))

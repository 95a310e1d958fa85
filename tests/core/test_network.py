"""Why no connection can be made: each cause has its own message and fix, over real sockets, proxies and TLS."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from hailuo_mcp.core.errors import NetworkError, Problem
from hailuo_mcp.core.network import CA_VARIABLES, UnusableSetting, check_environment, read_proxies, tls_context
from hailuo_mcp.gateways.client import GatewayClient, Request, RetryPolicy
from hailuo_mcp.media.fetch import LinkPolicy, guarded_client

ONCE = RetryPolicy(attempts=1)
PROXY_VARIABLES = [name + "_proxy" for name in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CA_VARIABLES, *PROXY_VARIABLES, *(name.upper() for name in PROXY_VARIABLES)):
        monkeypatch.delenv(name, raising=False)


Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(status: str, until: bytes = b"\r\n\r\n") -> Server:
    """A server that answers each connection with this status once it has received `until`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(until)
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}".encode())
        await writer.drain()
        writer.close()

    return serve


OK = answering("200 OK")


@asynccontextmanager
async def listening(serve: Server = OK, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def served_by(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  it takes two kinds
    return context


async def status_of(url: str) -> int | Problem:
    """The result of polling this address; a submission must fail in the same way and not be charged."""
    client = GatewayClient("Segmind", retry=ONCE)
    try:
        return (await client.send_with_retry(Request("GET", url), 5)).status
    except NetworkError as error:
        problem = error.problem
    finally:
        await client.close()
    with pytest.raises(NetworkError, match="so nothing was sent") as refused:
        await client.send_once(Request("POST", url, body={}), 5)
    await client.close()
    assert refused.value.problem == problem
    return problem


def assert_problem(problem: int | Problem, cause: str, fix: str) -> None:
    assert isinstance(problem, Problem)
    assert (problem.code, problem.charged, problem.safe_to_retry) == ("network_error", "no", True)
    assert cause in problem.message
    assert fix in problem.hint


# --- no proxy -------------------------------------------------------------------------------------------------------


async def test_a_refused_connection_and_an_unresolvable_name_are_explained() -> None:
    async with listening() as port:
        pass
    assert_problem(
        await status_of(f"http://127.0.0.1:{port}/"), f"127.0.0.1:{port} refuses connections", "base URL and port"
    )
    assert_problem(
        await status_of("http://no-such-host.invalid/"), "the name no-such-host.invalid does not resolve", "DNS"
    )


async def test_an_invalid_address_is_explained() -> None:
    client = GatewayClient("Segmind", retry=ONCE)
    for url in ("ftp://127.0.0.1/", "https://[broken/x", "http://127.0.0.1:99999/"):
        with pytest.raises(NetworkError, match=r"its address is not an http\(s\) URL"):
            await client.send_once(Request("POST", url, body={}), 5)
    await client.close()


async def test_a_certificate_is_trusted_only_if_the_environment_says_so(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, other = tmp_path / "company.pem", tmp_path / "other.pem"
    authority.cert_pem.write_to_path(str(pem))
    trustme.CA().cert_pem.write_to_path(str(other))
    async with listening(tls=served_by(authority)) as port:
        url = f"https://localhost:{port}/"
        assert_problem(
            await status_of(url), f"the certificate of localhost:{port} is not trusted here", "set SSL_CERT_FILE"
        )
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            with monkeypatch.context() as environment:
                environment.setenv(variable, str(pem))
                assert await status_of(url) == 200
                environment.setenv(variable, str(other))
                assert_problem(
                    await status_of(url), "is not trusted here", f"{variable} names {other}; it does not contain"
                )
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert_problem(
            await status_of(f"https://127.0.0.1:{port}/"), "is for another name", "Another server answers there"
        )


async def test_a_port_without_tls_is_explained() -> None:
    tls_handshake = b"\x16"
    async with listening(answering("400 Bad Request", until=tls_handshake)) as port:
        assert_problem(await status_of(f"https://127.0.0.1:{port}/"), "the TLS handshake with", "scheme and port")


@pytest.mark.parametrize("variable", CA_VARIABLES)
async def test_a_missing_certificate_file_is_named_at_start_and_in_the_error(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "gone.pem"))
    cause = f"{variable} names {tmp_path / 'gone.pem'}, which does not exist"
    assert [problem.cause for problem in check_environment()] == [cause]
    assert_problem(await status_of("https://127.0.0.1:1/"), cause, f"Correct {variable}")


async def test_a_certificate_file_of_an_unknown_user_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "~nobody-of-this-name/ca.pem")
    assert_problem(await status_of("https://127.0.0.1:1/"), "which does not exist", "Correct SSL_CERT_FILE")


async def test_a_certificate_file_that_cannot_be_opened_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "x" * 5000)
    assert_problem(await status_of("https://127.0.0.1:1/"), "contains no certificates", "BEGIN CERTIFICATE")


async def test_a_file_without_certificates_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.pem"
    path.write_text("not a certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert_problem(await status_of("https://127.0.0.1:1/"), "contains no certificates", "BEGIN CERTIFICATE")


# --- proxies --------------------------------------------------------------------------------------------------------


async def socks5(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Enough of the protocol to forward one connection to a port of this machine."""
    methods = (await reader.readexactly(2))[1]
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    length = (await reader.readexactly(5))[4]
    await reader.readexactly(length)
    port = int.from_bytes(await reader.readexactly(2))
    upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    upstream_writer.write(await reader.readuntil(b"\r\n\r\n"))
    writer.write(await upstream_reader.read())
    await writer.drain()
    for stream in (writer, upstream_writer):
        stream.close()


async def test_requests_go_through_a_socks_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as port, listening(socks5) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{proxy}")
        assert await status_of(f"http://gateway.example:{port}/") == 200


async def test_a_proxy_that_refuses_the_user_or_the_host_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(answering("407 Proxy Authentication Required")) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ada:Secret-1@127.0.0.1:{port}")
        problem = await status_of("https://gateway.example/")
        assert_problem(problem, f"the proxy 127.0.0.1:{port} refuses this user (407", "user and password")
        assert "Secret-1" not in str(problem)
    async with listening(answering("403 Blocked by policy")) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        assert_problem(await status_of("https://gateway.example/"), "refuses the connection (403", "NO_PROXY")


async def test_an_unreachable_proxy_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as port:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    assert_problem(
        await status_of("https://gateway.example/"), f"the proxy 127.0.0.1:{port} refuses", "Check HTTPS_PROXY"
    )
    monkeypatch.setenv("HTTPS_PROXY", "http://no-such-proxy.invalid:3128")
    assert_problem(
        await status_of("https://gateway.example/"), "the proxy no-such-proxy.invalid:3128 does not", "HTTPS_PROXY"
    )


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("SOCKS4://127.0.0.1:1", "a socks4:// proxy"),
        ("http://[::1", "is not a proxy address"),
        ("127.0.0.1:0", "is not a proxy address"),
    ],
)
async def test_an_unusable_proxy_is_named_at_start_and_in_the_error(
    value: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    (problem,) = check_environment()
    assert cause in problem.cause
    assert_problem(await status_of("http://127.0.0.1:1/"), cause, "ALL_PROXY")


@pytest.mark.parametrize(
    ("no_proxy", "direct", "proxied"),
    [
        ("10.0.0.0/8,192.168.0.0/16", ["http://10.1.2.3/", "http://192.168.7.7:8080/"], ["http://11.0.0.1/"]),
        ("[::1]", ["http://[::1]:8080/"], ["http://[::2]/"]),
        ("[fd00::]/8, ::1", ["http://[::1]/"], ["http://example.com/"]),
        ("fd00::/8", ["http://[fd12::5]/"], ["http://[fe80::1]/"]),
        ("example.com", ["http://example.com/", "https://api.example.com/"], ["http://notexample.com/"]),
        (".example.com *.other.org", ["http://a.example.com/", "http://a.other.org/"], ["http://example.org/"]),
        ("example.com:8080", ["http://example.com:8080/"], ["http://example.com/"]),
        ("[::1]:8080", ["http://[::1]:8080/"], ["http://[::1]/"]),
        ("LOCALHOST", ["http://localhost:1/"], []),
        ("*", ["http://example.com/"], []),
        ("http://example.com/", ["https://example.com/"], []),
        ("10.0.0.0/99,a b,%%%,example.com", ["http://example.com/"], ["http://10.0.0.1/"]),
    ],
)
def test_no_proxy_is_understood_in_every_usual_form(no_proxy: str, direct: list[str], proxied: list[str]) -> None:
    proxies, _ = read_proxies({"all": "http://proxy:3128", "no": no_proxy})
    assert [proxies.for_url(url) for url in direct] == [None] * len(direct)
    assert [proxies.for_url(url) for url in proxied] == ["http://proxy:3128"] * len(proxied)


def test_invalid_entries_of_no_proxy_are_skipped_and_named() -> None:
    _, skipped = read_proxies({"http": "proxy:3128", "no": "10.0.0.0/99,ok.example,%%%"})
    assert [problem.cause.split("'")[1] for problem in skipped] == ["10.0.0.0/99", "%%%"]
    with pytest.raises(UnusableSetting):
        read_proxies({"http": "http://:0"})


async def test_an_invalid_entry_of_no_proxy_does_not_stop_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "%%%,[::1],127.0.0.0/8")
    async with listening() as port:
        assert await status_of(f"http://127.0.0.1:{port}/") == 200


async def test_a_clip_is_not_fetched_with_certificates_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(NetworkError, match=r"SSL_CERT_FILE names /nowhere/.*, which does not exist"):
        guarded_client(LinkPolicy(frozenset()), None, "")


def test_certificates_are_read_once_for_all_connections_and_downloads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tls_context()
    assert tls_context() is usual
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    named = tls_context()
    assert named is not usual
    assert tls_context() is named

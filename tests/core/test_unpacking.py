"""Unpacking a response: at most one encoding, in pieces, so that a size limit applies while it is unpacked."""

import gzip
import json
import subprocess
import sys
import textwrap
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_mcp.core.unpacking import PIECE_BYTES, UnknownEncoding, unpacked


def response(content: bytes, encoding: str | None, chunk: int = 1000) -> httpx.Response:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(content), chunk):
            yield content[start : start + chunk]

    return httpx.Response(200, headers={"content-encoding": encoding} if encoding else {}, content=stream())


async def content_of(answer: httpx.Response) -> bytes:
    return b"".join([piece async for piece in unpacked(answer)])


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        (None, bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZip , identity", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
    ],
)
@given(
    content=st.binary(max_size=300) | st.integers(0, 300_000).map(lambda size: b"\0" * size), chunk=st.integers(1, 9)
)
async def test_content_with_at_most_one_encoding_is_unpacked(
    encoding: str | None, pack: Callable[[bytes], bytes], content: bytes, chunk: int
) -> None:
    assert await content_of(response(pack(content), encoding, chunk * 1000)) == content


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
        ("gzip,deflate", gzip.compress(b"x")),
        ("br", b"x"),
        ("zstd", b"x"),
        ("unheard-of", b"x"),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"x" * 1000)[:-9]),
        ("gzip", b""),
    ],
    ids=["gzip twice", "two", "br", "zstd", "unknown", "none", "cut off", "empty"],
)
async def test_several_or_unknown_encodings_and_broken_content_are_refused(encoding: str, content: bytes) -> None:
    with pytest.raises(UnknownEncoding):
        await content_of(response(content, encoding))


async def test_a_decompression_bomb_is_unpacked_in_small_pieces() -> None:
    bomb = response(gzip.compress(b"\0" * 50_000_000), "gzip", chunk=100_000)
    async for piece in unpacked(bomb):
        assert len(piece) <= PIECE_BYTES
        break


BOMB = textwrap.dedent("""
    import asyncio, gzip, json, resource, sys, tempfile, zlib
    from pathlib import Path
    import httpx
    from hailuo_mcp.core.errors import HailuoError
    from hailuo_mcp.gateways.client import ClientLimits, GatewayClient, Request
    from hailuo_mcp.media.downloads import DownloadPolicy, download
    from hailuo_mcp.media.partial_clip import PartialClip

    LIMIT = 4 << 20
    encoding = sys.argv[1]
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(100)), packer.flush()])
    bomb = gzip.compress(bomb) if "," in encoding else bomb

    async def serve(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-encoding: %s\\r\\n" % encoding.encode())
        writer.write(b"content-length: %d\\r\\nconnection: close\\r\\n\\r\\n" % len(bomb) + bomb)
        try:
            await writer.drain()
            writer.close()
        except ConnectionError:
            pass

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    async def outcome(call):
        try:
            return repr(await call)
        except HailuoError as error:
            return error.problem.code

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = "http://127.0.0.1:%d/x" % server.sockets[0].getsockname()[1]
        client = GatewayClient("Gateway", limits=ClientLimits(response_bytes=LIMIT))
        part = Path(tempfile.mkstemp()[1])
        before = peak()
        outcomes = [
            await outcome(client.send_with_retry(Request("GET", url), 3)),
            await outcome(client.send_once(Request("POST", url, body={}), 3)),
        ]
        async with httpx.AsyncClient() as plain:
            policy = DownloadPolicy(attempts=1, total_timeout=3)
            outcomes.append(await outcome(download(plain, PartialClip(url, part), LIMIT, policy)))
        print(json.dumps({"outcomes": outcomes, "grown_mb": peak() - before, "packed": len(bomb)}))

    asyncio.run(main())
""")


@pytest.mark.parametrize("encoding", ["gzip", pytest.param("gzip, gzip", marks=pytest.mark.slow)])
def test_a_decompression_bomb_takes_little_memory_wherever_it_is_received(encoding: str) -> None:
    run = subprocess.run([sys.executable, "-c", BOMB, encoding], capture_output=True, text=True, timeout=60, check=True)
    result = json.loads(run.stdout)
    assert result["outcomes"] == ["gateway_error", "unconfirmed", "gateway_error"]
    assert result["packed"] < 140_000
    assert result["grown_mb"] < 48

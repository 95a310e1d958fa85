"""The content of an HTTP response, decompressed in small chunks, so that a caller with a size limit can stop before a
few bytes on the wire fill the memory."""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

IDENTITY = {"Accept-Encoding": "identity"}
"""The header that asks for an uncompressed response; `unpacked` also handles servers that ignore it."""
PIECE_BYTES = 64 * 1024
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class UnknownEncoding(Exception):
    """The response has several encodings, or one other than gzip or deflate, or its content is not in the encoding that
    it names."""


def encodings(response: "httpx.Response") -> list[str]:
    """The encodings of the content, in the order in which they were applied."""
    named = response.headers.get("content-encoding", "").lower().split(",")
    return [name for part in named if (name := part.strip()) and name != "identity"]


async def unpacked(response: "httpx.Response") -> AsyncIterator[bytes]:
    """The content: in chunks of at most `PIECE_BYTES` if it is encoded, otherwise as it arrives.

    Raises:
        UnknownEncoding: it cannot be decompressed.
        httpx.TransportError: the connection broke.
    """
    if response.is_stream_consumed:  # already read by a test transport
        yield response.content
        return
    named = encodings(response)
    if not named:
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if len(named) > 1 or named[0] not in ("gzip", "x-gzip", "deflate"):
        raise UnknownEncoding
    decompressor = zlib.decompressobj(_GZIP_OR_ZLIB)

    def pieces(chunk: bytes) -> Iterator[bytes]:
        while not decompressor.eof:
            piece = decompressor.decompress(chunk, PIECE_BYTES)
            if piece:
                yield piece
            chunk = decompressor.unconsumed_tail
            if not chunk and len(piece) < PIECE_BYTES:
                return

    try:
        async for chunk in response.aiter_raw():
            for piece in pieces(chunk):
                yield piece
    except zlib.error:
        raise UnknownEncoding from None
    if not decompressor.eof:
        raise UnknownEncoding

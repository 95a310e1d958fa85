"""Reading a request's body within a bound."""

from starlette.requests import ClientDisconnect, Request


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The body; empty if it is longer than that, or if the client left."""
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > bytes_max:
                return b""
    except ClientDisconnect:
        return b""
    return bytes(raw)

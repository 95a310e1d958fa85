"""Reading a request's body up to a maximum size."""

from starlette.requests import ClientDisconnect, Request


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The body; empty if it is larger than `bytes_max`, or if the client disconnected."""
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > bytes_max:
                return b""
    except ClientDisconnect:
        return b""
    return bytes(raw)

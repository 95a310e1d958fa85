"""A gateway on loopback that speaks just enough of Segmind's API for `poll.py`: it accepts every submission, and its
jobs stay in progress.

    python bare_gateway.py

Prints its URL. `GET /requests` returns how many status requests came so far. Written on raw sockets, so that it adds
little to a measured time.
"""

import asyncio
import itertools
import json
import re
from typing import Any

CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Gateway:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._status_requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client closes it."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := CONTENT_LENGTH.search(head):
                    await reader.readexactly(int(length[1]))
                method, path, _ = head.split(b" ", 2)
                body = json.dumps(self._response(method.decode(), path.decode())).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                    % (len(body), body)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _response(self, method: str, path: str) -> dict[str, Any]:
        if path == "/requests":
            return {"status_requests": self._status_requests}
        if method == "POST":
            return {"request_id": f"5f0c2d1e-0000-4000-8000-{next(self._numbers):012}", "status": "QUEUED"}
        self._status_requests += 1
        remote_id = path.split("/")[3]
        return {"status": "PROCESSING", "request_id": remote_id, "metrics": {"queue_time": 1.25, "total_time": 30.5}}


async def main() -> None:
    server = await asyncio.start_server(Gateway().serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

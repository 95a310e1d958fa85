"""AI/ML API, which has no history, on a local port: it reads a submission, and responds when the test allows it."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

MODEL = "aimlapi/hailuo-02"
SECONDS = 30.0


class SlowGateway:
    """Records the paid jobs that it accepted. Once there are `expected`, it sets `arrived`; setting `answer` lets it
    respond."""

    def __init__(self, expected: int = 1) -> None:
        numbers = count(1)
        self.arrived, self.answer = threading.Event(), threading.Event()
        self.taken: list[str] = []
        self.state = "queued"
        self.retry_after: int | None = None
        """If set, polls are answered with 429 and this many seconds."""
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                remote_id = f"r-{next(numbers)}"
                gateway.taken.append(remote_id)
                if len(gateway.taken) >= expected:
                    gateway.arrived.set()
                gateway.answer.wait(SECONDS)
                self._respond({"generation_id": remote_id, "status": "queued"})

            def do_GET(self) -> None:
                self._respond({"id": "x", "status": gateway.state}, gateway.retry_after)

            def _respond(self, body: dict[str, Any], retry_after: int | None = None) -> None:
                sent = json.dumps(body).encode()
                self.send_response(200 if retry_after is None else 429)
                if retry_after is not None:
                    self.send_header("retry-after", str(retry_after))
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(sent)))
                self.end_headers()
                with suppress(ConnectionError):  # the client is gone
                    self.wfile.write(sent)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def environment(self) -> dict[str, str]:
        port = self._server.server_address[1]
        return {"AIMLAPI_API_KEY": "sk-test-0123456789", "AIMLAPI_BASE_URL": f"http://127.0.0.1:{port}"}

    @contextmanager
    def serving(self) -> Generator["SlowGateway"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.answer.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

"""A model on loopback, for the hosts that start their servers only for a conversation: it says hello, and
records the names of the tools that it is given."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "any"


@dataclass
class Model:
    url: str
    tools: set[str] = field(default_factory=set[str])


@contextmanager
def serve_model() -> Generator[Model]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.tools |= {tool["function"]["name"] for tool in body.get("tools", [])}
            events = b"".join(
                b"data: " + json.dumps(_chunk(delta, finish)).encode() + b"\n\n"
                for delta, finish in (({"role": "assistant", "content": "hello"}, None), ({}, "stop"))
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(events + b"data: [DONE]\n\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing to stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        model = Model(f"http://127.0.0.1:{server.server_port}/v1")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield model
        finally:
            server.shutdown()


def _chunk(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    """OpenAI's format: https://platform.openai.com/docs/api-reference/chat-streaming"""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": NAME, "choices": [choice]} | (
        {"usage": usage} if finish else {}
    )

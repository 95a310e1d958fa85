"""A gateway on a raw socket that fails at one step, in one way, until it is fixed. It counts the paid jobs that it
accepted: submissions that were read completely and not certainly refused.
"""

import asyncio
import contextlib
import gzip
import json
import socket
import struct
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hailuo_mcp.sandbox
from tests.fault_injection.dialects import DIALECTS, SUCCESS, AcceptedJob
from tests.fault_injection.faults import BEFORE, REFUSALS, Fault, Step
from tests.fault_injection.names import DOMAIN, Names

CLIP = Path(hailuo_mcp.sandbox.__file__).with_name("preview-6s.mp4").read_bytes()
HUGE_RESPONSE = 66 * 1024 * 1024
HUGE_CLIP = 3 * 1024 * 1024
BLOCK = b" " * (1024 * 1024)


@cache
def bomb() -> bytes:
    """100 MB of zeros, compressed twice. Created when first sent, because compression takes a while."""
    return gzip.compress(gzip.compress(bytes(100 * 1024 * 1024), 6))


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").partition(" ")[2]

    @property
    def step(self) -> Step:
        if self.method == "POST":
            return Step.UPLOAD if self.path == "/upload-asset" else Step.SUBMIT
        if self.path.startswith("/clips/"):
            return Step.DOWNLOAD
        histories = ("/by-endpoint", "/predictions", "/v2/query/video_generation")
        if "request-history" in self.path or self.path.endswith(histories):
            return Step.HISTORY
        is_result = "/requests/" in self.path and not self.path.endswith("/status")
        return Step.RESULT if is_result or self.path == "/v1/files/retrieve" else Step.POLL


class FaultyGateway:
    """One host with one fault. `base_url` is its address from the start; it serves inside `serving`."""

    def __init__(self, name: str, step: Step, fault: Fault, host: str, names: Names) -> None:
        self.name = name
        self._dialect = DIALECTS[name]
        self.step = step
        self.fault = fault
        self.accepted: list[AcceptedJob] = []
        self.submissions = 0
        self.keys: set[str] = set()
        self._host = host + DOMAIN
        self._names = names
        self._fixed = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        # Bound but never listening: the port stays reserved while it accepts no connections.
        self._reserved = _bound(0)
        self._port: int = self._reserved.getsockname()[1]

    @property
    def base_url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        try:
            await self._listen()
            if (self.name, self.step) not in BEFORE:
                self._disappear()
            yield
        finally:
            if self._server:
                self._server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            self._reserved.close()

    async def fix(self) -> None:
        self._fixed.set()
        self._names.removed.discard(self._host)
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, sock=_bound(self._port))

    def _disappear(self) -> None:
        if self._fixed.is_set():
            return
        if self.fault is Fault.NO_NAME:
            self._names.removed.add(self._host)
        if self.fault is Fault.REFUSED and self._server:
            self._server.close()
            self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request, length = _parsed(await reader.readuntil(b"\r\n\r\n"))
        step = request.step
        if step is not Step.DOWNLOAD:
            self.keys.add(request.key)
        self.submissions += step is Step.SUBMIT
        fault = self.fault if step is self.step and not self._fixed.is_set() else None
        if fault is Fault.RESET_EARLY:
            _reset(writer)
            return
        body = await reader.readexactly(length)
        if step is Step.SUBMIT and fault not in REFUSALS:
            self._accept(request, json.loads(body))
        if fault:
            await self._apply_fault(fault, request, reader, writer)
            return
        if BEFORE.get((self.name, self.step)) is step:
            self._disappear()
        await self._respond(writer, *self._response(request))

    def _accept(self, request: Request, body: Mapping[str, Any]) -> None:
        job_id = self._dialect.new_id()
        model = request.path.rpartition("/")[2]
        self.accepted.append(AcceptedJob(job_id, self._dialect.application + job_id, model, body))

    # --- documented responses ---------------------------------------------------------------------------------------

    def _response(self, request: Request) -> tuple[int, bytes]:
        link = f"{self.base_url}/clips/1.mp4"
        match request.step:
            case Step.DOWNLOAD:
                return 200, CLIP
            case Step.UPLOAD:
                return 200, _json({"file_urls": [f"{self.base_url}/pictures/1.png"], "message": "done"})
            case Step.SUBMIT:
                return 200, _json(self._dialect.submitted(self.accepted[-1].id))
            case Step.HISTORY:
                row = self._dialect.row
                return 200, _json({self._dialect.rows: [row(job, link) for job in self.accepted] if row else []})
            case Step.POLL | Step.RESULT if self.step is Step.HISTORY:
                return 404, _json({"error": "no longer kept"})
            case Step.POLL | Step.RESULT:
                last_part = request.path.removesuffix("/status").rpartition("/")[2]
                names = ("taskId", "generation_id", "task_id", "file_id")
                ids = [*(value for name in names for value in request.query.get(name, [])), last_part]
                if not {job.id for job in self.accepted} & set(ids):
                    return 404, _json({"error": "not found"})
                if request.path == "/v1/files/retrieve":
                    return 200, _json({"file": {"file_id": int(ids[0]), "download_url": link}, "base_resp": SUCCESS})
                return 200, _json(self._dialect.finished(ids[0], link))

    # --- faults -----------------------------------------------------------------------------------------------------

    async def _apply_fault(
        self, fault: Fault, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match fault:
            case Fault.RESET_LATE:
                _reset(writer)
            case Fault.SILENCE:
                await reader.read()
            case Fault.EMPTY:
                await self._respond(writer, 200, b"")
            case Fault.HTML:
                await self._respond(writer, 200, _html_page(request.key), "text/html")
            case Fault.BROKEN_JSON:
                await self._respond(writer, 200, b'{"request_id": "r-1", "status": "QUE')
            case Fault.OTHER_JSON:
                await self._respond(writer, 200, _json({"surprise": [1, {"deep": None}], "said": request.key}))
            case Fault.NUMBER:
                status, body = self._response(request)
                body = body if body is CLIP else body.replace(b"{", b'{"number": ' + b"9" * 401 + b", ", 1)
                await self._respond(writer, status, body)
            case Fault.BOMB:
                _write_head(writer, 200, len(bomb()), encoding="gzip, gzip")
                writer.write(bomb())
                await writer.drain()
            case Fault.HUGE:
                await self._flood(writer, HUGE_CLIP if request.step is Step.DOWNLOAD else HUGE_RESPONSE)
            case Fault.DRIP:
                await self._drip(writer, *self._response(request))
            case _:
                status = self._dialect.no_credits if fault is Fault.NO_CREDITS else int(fault.value)
                await self._refuse(writer, status, request)

    async def _refuse(self, writer: asyncio.StreamWriter, status: int, request: Request) -> None:
        """Refuse in the gateway's own format. The message quotes the key, as some gateways do."""
        message = f"refused, insufficient credits for {request.key}" if status in (402, 403, 406) else request.key
        body = self._dialect.refused(status, message, request.path)
        http = 200 if self._dialect.is_under_200(status) and request.step is not Step.DOWNLOAD else status
        await self._respond(writer, http, _html_page(message) if status in (502, 504) else _json(body))

    async def _flood(self, writer: asyncio.StreamWriter, size: int) -> None:
        """Send no Content-Length, so that the receiver has to count."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n")
        writer.write(CLIP)
        for _ in range(size // len(BLOCK)):
            writer.write(BLOCK)
            await writer.drain()

    async def _drip(self, writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
        _write_head(writer, status, len(body))
        for position in range(len(body)):
            if self._fixed.is_set():
                writer.write(body[position:])
                break
            writer.write(body[position : position + 1])
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._fixed.wait(), 1.0)
        await writer.drain()

    async def _respond(
        self, writer: asyncio.StreamWriter, status: int, body: bytes, media_type: str = "application/json"
    ) -> None:
        _write_head(writer, status, len(body), media_type)
        writer.write(body)
        await writer.drain()


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _parsed(head: bytes) -> tuple[Request, int]:
    first, *lines = head.decode("ascii").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts = urlsplit(target)
    return Request(method, unquote(parts.path), parse_qs(parts.query), headers), int(headers.get("content-length", 0))


def _write_head(
    writer: asyncio.StreamWriter, status: int, length: int, media_type: str = "application/json", encoding: str = ""
) -> None:
    head = (
        f"HTTP/1.1 {status} Said",
        f"Content-Type: {media_type}",
        f"Content-Length: {length}",
        *([f"Content-Encoding: {encoding}"] if encoding else []),
        "Connection: close",
    )
    writer.write("\r\n".join((*head, "", "")).encode())


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: closes with a linger time of zero."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _html_page(text: str) -> bytes:
    return f"<!DOCTYPE html><html><body><h1>Bad gateway</h1><p>{text}</p></body></html>".encode()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()

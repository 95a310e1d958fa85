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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import hailuo_mcp.sandbox
from tests.fault_injection.names import DOMAIN, Names

CLIP = Path(hailuo_mcp.sandbox.__file__).with_name("preview-6s.mp4").read_bytes()
HUGE_RESPONSE = 66 * 1024 * 1024
HUGE_CLIP = 3 * 1024 * 1024
BLOCK = b" " * (1024 * 1024)
SUCCESS = {"status_code": 0, "status_msg": "success"}


@cache
def bomb() -> bytes:
    """100 MB of zeros, compressed twice. Created when first sent, because compression takes a while."""
    return gzip.compress(gzip.compress(bytes(100 * 1024 * 1024), 6))


class Step(StrEnum):
    UPLOAD = "upload"
    SUBMIT = "submit"
    POLL = "poll"
    RESULT = "result"
    DOWNLOAD = "download"
    HISTORY = "history"


class Fault(StrEnum):
    REFUSED = "connection refused"
    NO_NAME = "name not found"
    RESET_EARLY = "reset before the body"
    RESET_LATE = "reset after the body"
    SILENCE = "silence"
    BAD_REQUEST = "400"
    BAD_KEY = "401"
    NO_CREDITS = "no credits"
    NOT_FOUND = "404"
    GONE = "410"
    TOO_MANY = "429"
    BROKEN = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    EMPTY = "empty body"
    HTML = "HTML body"
    BROKEN_JSON = "broken JSON"
    OTHER_JSON = "JSON of another shape"
    NUMBER = "number of 401 digits"
    BOMB = "gzip twice, 100 MB"
    HUGE = "huge body"
    DRIP = "slow drip"


NO_CREDITS_STATUS = {
    "segmind": 406,
    "apixo": 402,
    "aimlapi": 403,
    "minimax": 402,
    "fal": 403,
    "replicate": 402,
    # H3 has a route or an API of its own at each of these.
    "aimlapi-h3": 403,
    "minimax-h3": 402,
    "fal-h3": 403,
}
HISTORIES = {"fal": "items", "fal-h3": "items", "minimax-h3": "items", "replicate": "results"}
"""The field that holds the rows of a gateway's history, where it is not `data`."""
MINIMAX_CODES = {400: 2013, 401: 2049, 402: 1008, 429: 1002}
"""HTTP status to the code that MiniMax returns under HTTP 200 instead."""
REFUSALS = frozenset(
    {
        Fault.BAD_REQUEST,
        Fault.BAD_KEY,
        Fault.NO_CREDITS,
        Fault.NOT_FOUND,
        Fault.GONE,
        Fault.TOO_MANY,
    }
)
"""Responses to a submission by which a gateway refuses it."""
BEFORE: Mapping[tuple[str, Step], Step] = {
    **{(name, Step.POLL): Step.SUBMIT for name in NO_CREDITS_STATUS},
    ("segmind", Step.RESULT): Step.POLL,
    ("segmind", Step.DOWNLOAD): Step.RESULT,
    ("apixo", Step.DOWNLOAD): Step.POLL,
    ("aimlapi", Step.DOWNLOAD): Step.POLL,
    ("minimax", Step.RESULT): Step.POLL,
    ("minimax", Step.DOWNLOAD): Step.RESULT,
    ("fal", Step.RESULT): Step.POLL,
    ("segmind", Step.HISTORY): Step.POLL,
    ("fal", Step.HISTORY): Step.POLL,
    ("fal-h3", Step.RESULT): Step.POLL,
}
"""The last step that is answered before the host disappears."""


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
        is_result = self.path.startswith("/v2/requests/") and not self.path.endswith("/status")
        is_result = is_result or self.path == "/v1/files/retrieve"
        is_result = is_result or ("/requests/" in self.path and not self.path.endswith("/status"))
        return Step.RESULT if is_result else Step.POLL


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    """A job that the gateway accepted, and charges for."""

    remote_id: str
    model: str
    body: Mapping[str, Any]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class FaultyGateway:
    """One host with one fault. `base_url` is its address from the start; it serves inside `serving`."""

    def __init__(self, name: str, step: Step, fault: Fault, host: str, names: Names) -> None:
        self.name = name
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
        remote_id = {
            "segmind": str(uuid4()),
            "apixo": f"task_{uuid4().hex}",
            "aimlapi": f"{uuid4()}:minimax/hailuo-02",
            "minimax": str(uuid4().int % 10**18),
            "fal": f"fal-ai/minimax/{uuid4()}",
            "replicate": uuid4().hex[:26],
            "aimlapi-h3": f"{uuid4()}:minimax/h3",
            "minimax-h3": uuid4().hex,
            "fal-h3": f"minimax/h3/{uuid4()}",
        }[self.name]
        self.accepted.append(AcceptedJob(remote_id, request.path.rpartition("/")[2], body))

    # --- documented responses ---------------------------------------------------------------------------------------

    def _response(self, request: Request) -> tuple[int, bytes]:
        link = f"{self.base_url}/clips/1.mp4"
        match request.step:
            case Step.DOWNLOAD:
                return 200, CLIP
            case Step.UPLOAD:
                return 200, _json({"file_urls": [f"{self.base_url}/pictures/1.png"], "message": "done"})
            case Step.SUBMIT:
                return 200, _json(self._submitted(self.accepted[-1].remote_id))
            case Step.HISTORY:
                rows = [self._row(job, link) for job in self.accepted]
                return 200, _json({HISTORIES.get(self.name, "data"): rows})
            case Step.POLL | Step.RESULT if self.step is Step.HISTORY:
                return 404, _json({"error": "no longer kept"})
            case Step.POLL | Step.RESULT:
                last_part = request.path.removesuffix("/status").rpartition("/")[2]
                names = ("taskId", "generation_id", "task_id", "file_id")
                ids = [*(value for name in names for value in request.query.get(name, [])), last_part]
                # fal's ids begin with the application, which its paths name before the request.
                known = [
                    job.remote_id.rpartition("/")[2] if self.name.startswith("fal") else job.remote_id
                    for job in self.accepted
                ]
                if not set(known) & set(ids):
                    return 404, _json({"error": "not found"})
                if request.path == "/v1/files/retrieve":
                    return 200, _json({"file": {"file_id": int(ids[0]), "download_url": link}, "base_resp": SUCCESS})
                return 200, _json(self._finished(ids[0], link))

    def _submitted(self, remote_id: str) -> Mapping[str, Any]:
        return {
            "segmind": {"request_id": remote_id, "status": "QUEUED"},
            "apixo": {"code": 200, "message": "success", "data": {"taskId": remote_id}},
            "aimlapi": {"generation_id": remote_id, "status": "queued"},
            "minimax": {"task_id": remote_id, "base_resp": SUCCESS},
            "fal": {"request_id": remote_id.rpartition("/")[2], "status": "IN_QUEUE"},
            "replicate": {"id": remote_id, "status": "starting"},
            "aimlapi-h3": {"id": remote_id, "status": "queued"},
            "minimax-h3": {"task_id": remote_id},
            "fal-h3": {"request_id": remote_id.rpartition("/")[2], "status": "IN_QUEUE"},
        }[self.name]

    def _finished(self, remote_id: str, link: str) -> Mapping[str, Any]:
        done = {"taskId": remote_id, "state": "success", "resultJson": json.dumps({"resultUrls": [link]})}
        answers: Mapping[str, Mapping[str, Any]] = {
            "segmind": {"request_id": remote_id, "status": "COMPLETED", "error": None, "output": link},
            "apixo": {"code": 200, "message": "success", "data": done},
            "aimlapi": {"id": remote_id, "status": "completed", "video": {"url": link}, "error": None},
            "minimax": {"task_id": remote_id, "status": "Success", "file_id": remote_id, "base_resp": SUCCESS},
            "fal": {"status": "COMPLETED", "video": {"url": link}},
            "replicate": {"id": remote_id, "status": "succeeded", "output": link},
            "aimlapi-h3": {"id": remote_id, "status": "completed", "video": [{"url": link}], "error": None},
            "minimax-h3": {"task": {"id": remote_id, "status": "succeeded", "content": {"url": link}}},
            "fal-h3": {"status": "COMPLETED", "video": {"url": link}},
        }
        return answers[self.name]

    def _row(self, job: AcceptedJob, link: str) -> Mapping[str, Any]:
        if self.name == "fal":
            request_id, done = job.remote_id.rpartition("/")[2], {"json_output": {"video": {"url": link}}}
            return {"request_id": request_id, "sent_at": job.at.isoformat(), "json_input": job.body, **done}
        if self.name == "minimax-h3":  # its rows have no prompt
            facts = {name: job.body[name] for name in ("model", "resolution", "duration", "ratio")}
            return {"id": job.remote_id, "status": "queued", "created_at": int(job.at.timestamp()), **facts}
        if self.name.startswith("fal"):
            request_id = job.remote_id.rpartition("/")[2]
            return {"request_id": request_id, "sent_at": job.at.isoformat(), "json_input": job.body}
        if self.name == "replicate":
            facts = {"model": "minimax/hailuo-02", "input": job.body["input"], "status": "succeeded", "output": link}
            return {"id": job.remote_id, "created_at": job.at.isoformat(), **facts}
        return {
            "request_id": job.remote_id,
            "model_name": job.model,
            "model_status": "COMPLETED",
            "request_body": job.body,
            "generation_url": link,
            "model_created": job.at.isoformat(),
            "latency_ms": 1000,
            "error": None,
        }

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
                status = NO_CREDITS_STATUS[self.name] if fault is Fault.NO_CREDITS else int(fault.value)
                await self._refuse(writer, status, request)

    async def _refuse(self, writer: asyncio.StreamWriter, status: int, request: Request) -> None:
        """Refuse in the gateway's own format. The message quotes the key, as some gateways do."""
        message = f"refused, insufficient credits for {request.key}" if status in (402, 403, 406) else request.key
        body = {
            "segmind": {"error": message},
            "apixo": {"code": status, "message": message, "data": {"error": message}},
            "aimlapi": {"message": message, "statusCode": status, "path": request.path},
            "minimax": {"base_resp": {"status_code": MINIMAX_CODES.get(status, 0), "status_msg": message}},
            "fal": {"detail": f"{message}. Exhausted balance." if status == 403 else message},
            "replicate": {"detail": message, "status": status},
            "aimlapi-h3": {"message": message, "statusCode": status, "path": request.path},
            "minimax-h3": {"type": "error", "error": {"type": "error", "message": message, "http_code": str(status)}},
            "fal-h3": {"detail": f"{message}. Exhausted balance." if status == 403 else message},
        }[self.name]
        in_body = {"apixo": status < 410, "minimax": status in MINIMAX_CODES}.get(self.name)
        http = 200 if in_body and request.step is not Step.DOWNLOAD else status
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

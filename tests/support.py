"""Shared test helpers: settings isolated from the user's, sessions over a scripted network, valid calls for each model,
and the server and the sandbox as separate processes."""

import inspect
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NoReturn, cast
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.session import ElicitationFnT
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from hailuo_mcp.app import build_services, load_settings, sandbox_transport
from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.parameters import IMAGE_PARAMETERS
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.gateways.client import RetryPolicy
from hailuo_mcp.sandbox import KEEP_ALIVE_SECONDS, create_app
from hailuo_mcp.service.poll_policy import PollPolicy
from hailuo_mcp.service.session import Session

PICTURE = "https://pictures.example/first.png"
MODEL_IDS = tuple(model.id for gateway in GATEWAYS for model in gateway.models)
FIRST_MODEL_IDS = (
    "segmind/hailuo-02-fast",
    "segmind/hailuo-2.3-fast",
    "segmind/minimax-hailuo-2",
    "apixo/hailuo-2.3-fast",
    "aimlapi/hailuo-02",
)
"""A small fixed set of models for tests that list them all."""
KEYS = {f"{gateway.name.upper()}_API_KEY": f"sk-{gateway.name}-Secret0123456789" for gateway in GATEWAYS}

QUICK_RETRIES = RetryPolicy(wait_initial=0.001, wait_jitter=0.001)
Era = Literal["legacy", "auto"]
QUICK = {"poll_policy": PollPolicy(early=(), every=0.02, sandbox=0.02, lost=0.02), "retry": QUICK_RETRIES}
"""A policy for tests, with short intervals."""
Answerer = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


def unavailable(reason: str) -> NoReturn:
    """Skip the test; in CI, where nothing may be missing, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"CI needs this: {reason}")
    pytest.skip(reason)


def settings_for(directory: Path, **variables: str) -> Settings:
    """Settings from these variables only, with everything stored below `directory`; every status call polls its
    gateway."""
    return load_settings(_variables(directory) | variables).model_copy(
        update={"state_dir": directory / "state", "config_dir": directory / "config" / "hailuo-mcp"}
    )


def environment(directory: Path, **variables: str) -> dict[str, str]:
    """The same, as the environment of a separate process."""
    homes = {"HOME": directory, "XDG_STATE_HOME": directory / "state", "XDG_CONFIG_HOME": directory / "config"}
    return {name: str(path) for name, path in homes.items()} | _variables(directory) | variables


def _variables(directory: Path) -> dict[str, str]:
    return {
        "HAILUO_MCP_OUTPUT_DIR": str(directory / "clips"),
        "HAILUO_MCP_INPUT_DIRS": str(directory / "pictures"),
        "HAILUO_MCP_MIN_POLL_SECONDS": "0",
        "HAILUO_MCP_SANDBOX_SECONDS": "0",
    }


def catalog_for(**variables: str) -> Catalog:
    return Catalog(GATEWAYS, load_settings(variables))


def uri_of(kind: str, name: str) -> str:
    """The resource of a model, a job or a saved clip, as a client fills in its template."""
    return f"hailuo://{kind}/{quote(name, safe='')}"


def arguments_for(model_id: str, **more: Any) -> dict[str, Any]:
    """A call that names the model, with only its required arguments."""
    model = next(model for gateway in GATEWAYS for model in gateway.models if model.id == model_id)
    needed = {name: PICTURE for name in IMAGE_PARAMETERS if model.is_required(name)}
    return {"model": model_id, "prompt": "a red kite rises [Push in]", **needed, **more}


class Wire:
    """The remote end of every gateway: it records requests and returns scripted responses."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answer(request)
        return await answer if inspect.isawaitable(answer) else answer

    @property
    def posts(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.method == "POST"]

    @property
    def requested(self) -> list[str]:
        """Each request as `METHOD path`."""
        return [f"{request.method} {request.url.path}" for request in self.requests]


class Turns:
    """The given answers in turn; the last one is repeated."""

    def __init__(self, *answers: Answerer) -> None:
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer(request)


def says(status: int = 200, body: object = None) -> Answerer:
    return lambda _: httpx.Response(status, json=body)


def breaks(request: httpx.Request) -> httpx.Response:
    """The connection is lost after the request went out."""
    raise httpx.ReadError("cut", request=request)


@asynccontextmanager
async def open_session(settings: Settings, **options: Any) -> AsyncGenerator[Session]:
    """The session of this machine's user; `options` are those of `build_services`."""
    async with build_services(settings, **options) as services:
        yield Session(services)


Opened = AbstractAsyncContextManager[Session]


def wired(settings: Settings, answer: Answerer, **options: Any) -> tuple[Opened, Wire]:
    """A session, not yet open, whose gateways are scripted by the test."""
    wire = Wire(answer)
    return open_session(settings, transport=lambda: httpx.MockTransport(wire), **{**QUICK, **options}), wire


def recorded_sandbox(settings: Settings, **options: Any) -> tuple[Opened, Wire]:
    """A session over the sandbox in this process, not yet open, whose requests are recorded. It renders no clips,
    because that takes seconds."""
    return wired(settings, sandbox_transport(settings, render=False)().handle_async_request, render=False, **options)


def segmind(*, submit: Answerer | None = None, status: Answerer, result: Answerer | None = None) -> Answerer:
    """Segmind's two-step poll and its submission, each answered by its own script."""

    def answer(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        if request.method == "POST":
            return (submit or says(200, {"request_id": "r-1"}))(request)
        return status(request) if request.url.path.endswith("/status") or result is None else result(request)

    return answer


async def age(session: Session, job: Job, by: timedelta) -> None:
    """Backdate the job's submission and last poll in the ledger by this much."""

    def earlier(known: Job) -> Job:
        polled_at = known.polled_at - by if known.polled_at else None
        return known.model_copy(update={"created_at": known.created_at - by, "polled_at": polled_at})

    await session.ledger.change(job.id, earlier)


def body_of(request: httpx.Request) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(request.content))


def peak_mb(process_id: int) -> int:
    """The most memory that a process has used so far; on Linux only."""
    return int(Path(f"/proc/{process_id}/status").read_text().split("VmHWM:")[1].split()[0]) // 1024


def facts_of(result: CallToolResult) -> Mapping[str, Any]:
    assert result.structured_content is not None
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    text = result.content[0]
    assert isinstance(text, TextContent)
    return text.text


def jobs_in(directory: Path) -> Mapping[str, Path]:
    """The clips saved below `directory`, by name."""
    return {path.name: path for path in (directory / "clips").glob("*.mp4")}


# --- processes ----------------------------------------------------------------------------------------------------


def without_pyav(directory: Path) -> dict[str, str]:
    """The variables of a process for which PyAV is not installed: its sandbox serves a bundled clip, since rendering
    one takes seconds."""
    packages = directory / "without_pyav"
    packages.mkdir(exist_ok=True)
    (packages / "av.py").write_text('raise ImportError("not installed")\n')
    return {"PYTHONPATH": str(packages)}


@asynccontextmanager
async def server(
    directory: Path, era: Era = "auto", on_question: ElicitationFnT | None = None, /, **variables: str
) -> AsyncGenerator[Client]:
    """The real server in a separate process, and a client connected to it, which passes the server's questions to
    `on_question`. Its log is appended to `log` in the directory."""
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "hailuo_mcp"], env=environment(directory, **variables), cwd=directory
    )
    with log_of(directory).open("a") as log:
        async with Client(stdio_client(parameters, errlog=log), mode=era, elicitation_callback=on_question) as client:
            yield client


def log_of(directory: Path) -> Path:
    return directory / "log"


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request to the sandbox on a port, and the key that was sent with it."""

    method: str
    path: str
    key: str


@contextmanager
def sandbox_on_a_port(
    directory: Path,
    seconds: float = 0,
    *,
    render: bool = True,
    callbacks: bool = False,
    requests: list[RecordedRequest] | None = None,
) -> Generator[dict[str, str]]:
    """The sandbox on a free local port; yields the variables that redirect every gateway to it. Each request to it is
    appended to `requests`."""
    sandbox = create_app(directory / "sandbox", seconds=seconds, render=render, callbacks=callbacks)

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        if requests is not None and scope["type"] == "http":
            headers = {name: value.decode() for name, value in scope["headers"]}
            key = headers.get(b"x-api-key") or headers.get(b"authorization", "").removeprefix("Bearer ")
            requests.append(RecordedRequest(scope["method"], scope["path"], key))
        await sandbox(scope, receive, send)

    listening = listener_on("127.0.0.1", 0)  # it accepts connections from here on: no need to wait for the server
    running = uvicorn.Server(
        uvicorn.Config(recording, log_level="error", ws="none", log_config=None, timeout_keep_alive=KEEP_ALIVE_SECONDS)
    )
    thread = threading.Thread(target=running.run, args=([listening],))
    thread.start()
    try:
        yield {**KEYS, **sent_to(listening.getsockname()[1])}
    finally:
        running.should_exit = True
        thread.join()


def sent_to(port: int) -> dict[str, str]:
    return {name.replace("_API_KEY", "_BASE_URL"): f"http://127.0.0.1:{port}" for name in KEYS}

"""`hailuo-mcp demo`: the main use case end to end, as an assistant performs it, without a key.

The only command that speaks MCP: a real client starts the real server and talks to it over stdio.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import click
from mcp import Client, StdioServerParameters
from mcp_types import Implementation

from hailuo_mcp.cli import version
from hailuo_mcp.cli.exits import Exit, exit_of_problem
from hailuo_mcp.cli.installer import find_launcher
from hailuo_mcp.cli.output import PROGRAM, STYLES, command, print_json, stderr_console, stdout_console
from hailuo_mcp.cli.session import read_environment
from hailuo_mcp.core.errors import InvalidInput, Problem
from hailuo_mcp.core.job import State
from hailuo_mcp.core.setting_values import PREFIX, key_variable
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX

H3 = "minimax/h3"
IMAGE_NAME = "hailuo-demo-first-frame.png"
FROM_IMAGE = "[Push in] The red kite climbs over the bay, and its tail ripples in the evening wind"
FROM_TEXT = "[Pan left] A paper boat drifts down a rainy street at dusk, lanterns mirrored in the water"
FROM_REFERENCE = "The kite of the image dives between the masts of a harbor at dawn, gulls calling"
TIMEOUT_FACTOR, TIMEOUT_SECONDS = 5, 60
"""The demo gives up after `TIMEOUT_FACTOR` times a job's duration plus `TIMEOUT_SECONDS`."""
_ENDED = frozenset({State.COMPLETED, State.FAILED, State.EXPIRED, State.UNCONFIRMED})
_HEAD = "bold cyan"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the conversation as one JSON document.")
def demo(as_json: bool) -> Exit:
    """Run the main use case with a real client.

    Starts the real MCP server, connects a real MCP client, submits a clip from an image, one from text and one with
    sound from a reference image, polls them by request id over several turns, and saves three MP4s. The sandbox serves
    it even if a key is set: the demo never spends money.
    """
    settings = read_environment()
    conversation = anyio.run(_converse, settings, as_json)
    if as_json:
        print_json(conversation.document())
    elif conversation.exit is Exit.DONE:
        _print_ending(conversation)
    return conversation.exit


@dataclass(frozen=True, slots=True)
class Turn:
    """One call and its result."""

    tool: str
    arguments: dict[str, Any]
    is_error: bool
    result: dict[str, Any]


@dataclass(slots=True)
class Conversation:
    """The client: calls tools, prints the conversation, and keeps the transcript."""

    client: Client
    silent: bool
    server: str = ""
    tools: list[str] = field(default_factory=list[str])
    turns: list[Turn] = field(default_factory=list[Turn])
    clips: list[str] = field(default_factory=list[str])
    exit: Exit = Exit.DONE
    advice: dict[str, str] = field(default_factory=dict[str, str])
    """Request id to the `next_step` printed last, so that none is printed twice in a row."""

    async def call(self, tool: str, arguments: dict[str, Any]) -> Turn:
        self.say(f"\n{len(self.turns) + 1:>2}  {tool}", style=_HEAD)
        for name, value in arguments.items():
            self.say(f"      {name}: ", style="dim", end="")
            self.say(str(value))
        answer = await self.client.call_tool(tool, arguments)
        turn = Turn(tool, arguments, answer.is_error, dict(answer.structured_content or {}))
        self.turns.append(turn)
        if turn.is_error:
            error = turn.result["error"]
            self.exit = exit_of_problem(Problem.model_validate({name: error[name] for name in Problem.model_fields}))
            self.say(f"    ← {error['message']}", style="red")
        return turn

    def say(self, text: str, style: str | None = None, end: str = "\n") -> None:
        if not self.silent:
            stdout_console().print(text, style=style, end=end)

    def say_job(self, turn: Turn) -> None:
        job = turn.result
        state = job["state"]
        about = f" of about {job['estimated_seconds']:.0f} s" if job["estimated_seconds"] and not _ended(job) else ""
        self.say(f"    ← {state}", style=STYLES.get(state, "bold"), end="")
        self.say(f", {job['elapsed_seconds']:.1f} s{about}")
        if turn.tool == "generate_video":
            self.say(f"      request_id: {job['request_id']}")
        if job["error"]:
            self.say(f"      {job['error']['message']}", style="red")
        if self.advice.get(job["request_id"]) != job["next_step"]:
            self.advice[job["request_id"]] = job["next_step"]
            self.say(f"      next_step: {job['next_step']}", style="dim")

    def document(self) -> Mapping[str, Any]:
        turns = [asdict(turn) for turn in self.turns]
        return {"server": self.server, "tools": self.tools, "turns": turns, "clips": self.clips}


async def _converse(settings: Settings, as_json: bool) -> Conversation:
    """The whole conversation. It ends early if a call fails; `exit` says why."""
    try:
        image_path = await anyio.to_thread.run_sync(draw_image, settings.output_dir.absolute() / IMAGE_NAME)
    except OSError as error:
        raise InvalidInput(
            f"{settings.output_dir} cannot be written: {error.strerror}.",
            f"Make it writable, or name another directory in {PREFIX}OUTPUT_DIR.",
        ) from None
    server = StdioServerParameters(command=sys.executable, args=["-m", "hailuo_mcp"], env=server_environment(settings))
    async with AsyncExitStack() as stack:
        us = Implementation(name=PROGRAM, version=version())
        client = await stack.enter_async_context(Client(server, client_info=us))
        conversation = Conversation(client, silent=as_json)
        info = client.server_info
        conversation.server = f"{info.name} {info.version}" if info else ""
        conversation.say(
            f"{conversation.server} started; a real MCP client talks to it over stdio "
            f"(protocol {client.protocol_version})."
        )
        conversation.say(
            "The sandbox answers in place of the gateways: nothing is charged, and the clips are previews."
        )
        conversation.tools = [tool.name for tool in (await client.list_tools()).tools]
        conversation.say("\n    tools/list", style=_HEAD)
        conversation.say(f"    ← {', '.join(conversation.tools)}")
        await _play(conversation, str(image_path), settings.sandbox_seconds)
        return conversation


async def _play(conversation: Conversation, image_path: str, seconds: float) -> None:
    open_jobs: list[str] = []
    from_reference = {"model": H3, "prompt": FROM_REFERENCE, "reference_images": [image_path], "duration": 4}
    for arguments in ({"prompt": FROM_IMAGE, "first_frame_image": image_path}, {"prompt": FROM_TEXT}, from_reference):
        turn = await conversation.call("generate_video", dict(arguments))
        if turn.is_error:
            return
        conversation.say_job(turn)
        open_jobs.append(turn.result["request_id"])
    deadline = anyio.current_time() + seconds * TIMEOUT_FACTOR + TIMEOUT_SECONDS
    hold = round(min(max(seconds / 3, 1), WAIT_SECONDS_MAX))  # short enough to show several turns
    while open_jobs and anyio.current_time() < deadline:
        for request_id in tuple(open_jobs):
            turn = await conversation.call("get_status", {"request_id": request_id, "wait_seconds": hold})
            if turn.is_error:
                return
            conversation.say_job(turn)
            if _ended(turn.result):
                open_jobs.remove(request_id)
                await _save(conversation, turn.result)
    if open_jobs:
        conversation.exit = Exit.NOT_ENDED


async def _save(conversation: Conversation, job: dict[str, Any]) -> None:
    if job["state"] != State.COMPLETED:
        conversation.exit = Exit.FAILED
        return
    turn = await conversation.call("download_video", {"request_id": job["request_id"]})
    if not turn.is_error:
        conversation.clips.append(turn.result["video_path"])
        conversation.say(f"    ← saved, {turn.result['bytes'] / 1e6:.1f} MB", style="green")
        conversation.say(f"      video_path: {turn.result['video_path']}")


def _ended(job: Mapping[str, Any]) -> bool:
    return job["state"] in _ENDED


def server_environment(settings: Settings) -> dict[str, str]:
    """The server's environment: the sandbox, without the user's keys, limits and URLs. Jobs and clips are stored in the
    user's usual places, so that the other commands show them."""
    ours = (PREFIX, *(f"{gateway.name.upper()}_" for gateway in GATEWAYS))
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(ours)}
    return environment | {
        f"{PREFIX}SANDBOX": "1",
        f"{PREFIX}SANDBOX_SECONDS": str(settings.sandbox_seconds),
        f"{PREFIX}OUTPUT_DIR": str(settings.output_dir.absolute()),
        f"{PREFIX}DATABASE_URL": f"sqlite:///{settings.database_path.absolute()}",
        f"{PREFIX}DUPLICATE_WINDOW_SECONDS": "0",  # so that the demo can be run twice in a row
        f"{PREFIX}MIN_POLL_SECONDS": "0.5",
        f"{PREFIX}LOG_LEVEL": settings.log_level if "log_level" in settings.model_fields_set else "ERROR",
    }


def draw_image(path: Path) -> Path:
    """Draw an image to start a clip from: an evening over a bay, with a kite."""
    from PIL import Image, ImageDraw, ImageOps

    width, height, horizon = 1280, 720, 470
    image = Image.new("RGB", (width, height), (60, 74, 110))
    glow = Image.linear_gradient("L").resize((width, horizon))  # pyright: ignore[reportUnknownMemberType]  NumPy in it
    image.paste(ImageOps.colorize(glow, (38, 70, 120), (250, 176, 110)))
    draw = ImageDraw.Draw(image, "RGBA")
    for radius, alpha in ((150, 30), (110, 50), (70, 255)):
        draw.circle((860, 400), radius, fill=(255, 226, 160, alpha))
    draw.polygon([(0, 440), (180, 372), (330, 420), (470, 396), (640, horizon), (0, horizon)], fill=(44, 52, 84))
    draw.line([(400, 300), (380, 440), (300, 560), (255, 690)], fill=(250, 240, 230), width=3, joint="curve")
    draw.polygon([(430, 90), (510, 170), (400, 300), (350, 150)], fill=(206, 48, 52))
    draw.polygon([(430, 90), (510, 170), (400, 300)], fill=(236, 92, 72))
    draw.line([(400, 300), (450, 330), (420, 366), (480, 392)], fill=(250, 206, 96), width=7, joint="curve")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def _print_ending(conversation: Conversation) -> None:
    show = stdout_console().print
    show("\nThree clips were saved:", style="bold")
    for clip in conversation.clips:
        show(f"  {clip}")
    variables = [key_variable(gateway.name) for gateway in GATEWAYS]
    show("\nTo do the same by hand, without a key:", style="bold")
    show(f"  {command('generate', 'A red kite over the bay', '--wait')}")
    show("\nFor real clips, give your assistant's host the server and one key:", style="bold")
    launcher = find_launcher()
    entry = {"command": launcher.command, "args": [*launcher.args], "env": {variables[0]: "your key"}}
    snippet = {"mcpServers": {"hailuo": entry}}
    for line in json.dumps(snippet, indent=2).splitlines():
        show(f"  {line}")
    stderr_console().print(f"({' or '.join(variables)})", style="dim")

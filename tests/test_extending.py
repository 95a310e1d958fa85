"""The lists of ARCHITECTURE.md, “Add a model” and “Add a gateway”, followed in a copy of the package: they are
complete.

The copy runs in a separate process, so that no other test sees what is added here.
"""

import shutil
from pathlib import Path

import pytest

import hailuo_mcp
from tests.support import PICTURE, facts_of, server, text_of

PACKAGE = Path(hailuo_mcp.__file__).parent


def copied_package(directory: Path) -> Path:
    copy = directory / "hailuo_mcp"
    shutil.copytree(PACKAGE, copy)  # including compiled files
    return copy


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1, f"{file.name} no longer has {before!r} once"
    file.write_text(text.replace(before, after))


SPEC = """
class Hailuo9(ModelSpec):
    id = "segmind/hailuo-9"
    remote_name = "hailuo-9"
    summary = "text to video"
    documented_at = "https://www.segmind.com/models/hailuo-9"
    rules = (Forbid({"mode": "pro", "duration": 10}, 'for 10 s pass mode "standard"', _INFERRED),)
    prices = (PriceRule(0.01, "exact", "a guess", _PRICED),)
    wire_names: ClassVar[Mapping[str, str]] = {"mode": "tier"}

    duration: Annotated[Duration, Constraint(_INFERRED, "6 or 10 seconds")] = 6
    mode: Annotated[Mode, Constraint(_INFERRED, "standard or pro")] = "standard"


class MinimaxHailuo2(ModelSpec):
"""
STAND_IN_MODEL = """
    "hailuo-9": Model(
        fields={**_COMMON, "duration": _DURATION, "tier": Field(body.one_of("standard", "pro"), required=True)},
        side=512,
        usd={(6, 512): 0.01, (10, 512): 0.01},
    ),
"""


@pytest.mark.slow
async def test_adding_a_model_takes_one_class_and_one_row_in_the_stand_in(tmp_path: Path) -> None:
    copy = copied_package(tmp_path)
    gateway, models = copy / "gateways" / "segmind.py", copy / "gateways" / "segmind_models.py"
    edit(models, "\nclass MinimaxHailuo2(ModelSpec):\n", SPEC)
    edit(models, "import GIVEN, Advice, ", "import GIVEN, Advice, Forbid, ")
    edit(gateway, "segmind_models import ", "segmind_models import Hailuo9, ")
    edit(gateway, "    models = (", "    models = (Hailuo9, ")
    opening = "MODELS: Mapping[str, Model] = {"
    edit(copy / "sandbox" / "segmind.py", opening, opening + STAND_IN_MODEL)

    async with server(tmp_path) as client:
        (generate, *_) = (await client.list_tools()).tools
        properties = generate.input_schema["properties"]
        assert " hailuo-9, " in properties["model"]["description"]
        assert "only" in properties["routing"]["description"]
        assert "only" not in properties["mode"]["description"]  # with more than two models, no names are listed

        wrong = {"model": "segmind/hailuo-9", "prompt": "a kite", "mode": "pro", "duration": 10}
        refused = await client.call_tool("generate_video", wrong)
        assert 'For 10 s pass mode "standard"' in text_of(refused)
        (listed,) = facts_of(await client.call_tool("list_models", {"model": "segmind/hailuo-9"}))["models"]
        assert listed["price_usd"] == [0.01, 0.01]
        assert listed["schema"]["allOf"]

        job = facts_of(await client.call_tool("generate_video", {"prompt": "a kite", "mode": "PRO"}))
        assert job["model"] == "segmind/hailuo-9"  # the cheapest now
        assert job["parameters"] == {"prompt": "a kite", "duration": 6, "mode": "pro"}
        arguments = {"request_id": job["request_id"], "wait_seconds": 30}
        done = facts_of(await client.call_tool("get_status", arguments))
        assert (done["state"], done["cost_usd"]) == ("completed", 0.01)
        assert Path(done["video_path"]).name.split("-hailuo-9-")[1].startswith("a-kite")


GATEWAY = '''
"""Skylark, a gateway that does not exist."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.core.parameters import ImageUrl, Constraint, Source
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways.client import Request

_PAGE = Source("documented", "Skylark page")
_STATES = {"waiting": State.QUEUED, "flying": State.PROCESSING, "landed": State.COMPLETED, "crashed": State.FAILED}


class Lark(ModelSpec):
    id = "skylark/lark"
    remote_name = "lark-1"
    summary = "image to video"
    documented_at = "https://skylark.example/docs"
    wire_names: ClassVar[Mapping[str, str]] = {"first_frame_image": "picture"}

    first_frame_image: Annotated[ImageUrl, Constraint(_PAGE, "required")]


class Skylark(Gateway):
    name = "skylark"
    title = "Skylark"
    hosts: ClassVar[Mapping[str, str]] = {"base": "https://api.skylark.example"}
    models = (Lark,)
    image_transfer = "url"
    retention = timedelta(hours=2)

    def auth(self, key: str) -> Mapping[str, str]:
        return {"x-skylark-key": key}

    def submit_request(self, spec: ModelSpec) -> Request:
        return self.post(f"/flights/{spec.remote_name}", spec.to_body())

    def remote_id_in(self, body: Mapping[str, Any]) -> object:
        return body.get("flight")

    async def poll(self, model: type[ModelSpec], remote_id: str) -> Observation:
        body, response = await self.fetch_json(self.get(f"/flights?flight={quote(remote_id, safe='')}"))
        return self.observation(self.state(_STATES, body.get("state"), response), output=body.get("film"))
'''
STAND_IN = '''
"""Stand-in for Skylark."""

import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox.context import SandboxContext
from hailuo_mcp.sandbox.jobs import Phase, Shot

_STATES = {Phase.QUEUED: "waiting", Phase.PROCESSING: "flying", Phase.COMPLETED: "landed", Phase.FAILED: "crashed"}


def routes(context: SandboxContext) -> list[Route]:
    async def submit(request: Request) -> Response:
        values = await request.json()
        assert set(values) == {"prompt", "picture"}
        shot = Shot(prompt=values["prompt"], seconds=6, short_side=512, first=values["picture"])
        key = request.headers["x-skylark-key"]
        job = await context.take("skylark", f"eu/{uuid.uuid4()}", key, "lark-1", values, shot)
        return JSONResponse({"flight": job.remote_id})

    async def poll(request: Request) -> Response:
        unknown = JSONResponse({"error": "no such flight"}, 404)
        key = request.headers["x-skylark-key"]
        job, phase = await context.find("skylark", request.query_params["flight"], key, unknown)
        return JSONResponse({"state": _STATES[phase], "film": [context.clip_link(request, job)]})

    return [Route("/flights/lark-1", submit, methods=["POST"]), Route("/flights", poll, methods=["GET"])]
'''


@pytest.mark.slow
async def test_adding_a_gateway_takes_one_file_and_one_stand_in_file(tmp_path: Path) -> None:
    copy = copied_package(tmp_path)
    (copy / "gateways" / "skylark.py").write_text(GATEWAY.lstrip())
    registry = copy / "gateways" / "__init__.py"
    edit(registry, "import Segmind\n", "import Segmind\nfrom hailuo_mcp.gateways.skylark import Skylark\n")
    edit(registry, "Replicate)\n", "Replicate, Skylark)\n")
    (copy / "sandbox" / "skylark.py").write_text(STAND_IN.lstrip())
    edit(
        copy / "sandbox" / "__init__.py",
        "STAND_INS = (",
        "from hailuo_mcp.sandbox import skylark\n\nSTAND_INS = (skylark, ",
    )

    async with server(tmp_path) as client:
        call = {"model": "skylark/lark", "prompt": "a lark", "first_frame_image": PICTURE}
        refused = await client.call_tool("generate_video", {**call, "duration": 10})
        assert "skylark/lark does not take duration" in text_of(refused)
        refused = await client.call_tool("generate_video", {**call, "first_frame_image": "/home/me/x.png"})
        assert "must be an http(s) URL" in text_of(refused)

        job = facts_of(await client.call_tool("generate_video", call))
        assert job["request_id"].startswith("skylark/lark/eu/")
        arguments = {"request_id": job["request_id"], "wait_seconds": 30}
        done = facts_of(await client.call_tool("get_status", arguments))
        assert (done["state"], done["sandbox"]) == ("completed", True)
        assert done["expires_at"]
        assert Path(done["video_path"]).is_file()

    async with server(tmp_path, SKYLARK_API_KEY="k", SKYLARK_BASE_URL="http://127.0.0.1:9") as client:
        (generate, *_) = (await client.list_tools()).tools
        assert set(generate.input_schema["properties"]) == {
            *("model", "prompt", "first_frame_image", "dry_run", "force_new", "max_cost_usd")
        }
        dry = facts_of(await client.call_tool("generate_video", {**call, "dry_run": True}))
        assert dry["request"]["url"] == "http://127.0.0.1:9/flights/lark-1"
        assert dry["request"]["headers"]["x-skylark-key"] == "***"
    async with server(tmp_path, HAILUO_MCP_SANDBOX="0") as client:
        assert "SKYLARK_API_KEY" in text_of(await client.call_tool("list_models"))

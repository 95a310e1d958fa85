"""The bundle for Claude Desktop: it matches the code, an untouched settings page is an empty environment, and the
packed server runs."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from PIL import Image

from bundle.build import uv
from bundle.manifest import ROOT, TITLES, manifest, user_config, variable_of
from hailuo_mcp.app import load_settings
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import GATEWAYS
from tests import npm
from tests.support import facts_of

BUILD_SECONDS = 600
HOST_CONFIG = """
import { readFileSync } from "node:fs";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb/node";
const [directory, given] = process.argv.slice(1);
const manifest = JSON.parse(readFileSync(`${directory}/manifest.json`, "utf8"));
const config = await getMcpConfigForManifest({
    manifest, extensionPath: directory, systemDirs: {}, userConfig: JSON.parse(given), pathSeparator: "/",
});
process.stdout.write(JSON.stringify(config));
"""
"""How the host builds a command from a manifest, using the format's own package."""


def test_manifest_matches_the_code() -> None:
    written = json.loads((ROOT / "bundle" / "manifest.json").read_text())
    assert written == manifest(), "bundle/manifest.json is behind the code: uv run python -m tests.test_packaging"


def test_every_key_is_an_optional_secret_field() -> None:
    fields = user_config()
    for kind in GATEWAYS:
        assert fields[f"{kind.name}_api_key"]["sensitive"] is True
    assert not any(field["required"] for field in fields.values())
    secret = {name for name, field in fields.items() if field.get("sensitive")}
    assert secret == {f"{kind.name}_api_key" for kind in GATEWAYS}


@pytest.mark.parametrize("given", ["", "${user_config.%s}"], ids=["empty", "not put in"])
def test_an_untouched_settings_page_is_an_empty_environment(given: str) -> None:
    values = {name: given.replace("%s", name) for name in user_config()}
    assert load_settings({variable_of(name): value for name, value in values.items()}) == load_settings({})


def test_values_of_the_settings_page_become_settings() -> None:
    filled = {"output_dir": "/clips", "max_jobs_per_day": "3", "max_usd_per_day": "1.5", "fix_images": "true"}
    assert filled.keys() == TITLES.keys() <= Settings.model_fields.keys()
    keys = {f"{kind.name}_api_key": f"key-of-{kind.name}" for kind in GATEWAYS}
    urls = {f"{kind.name}_base_url": f"https://{kind.name}.example" for kind in GATEWAYS}
    settings = load_settings({variable_of(name): value for name, value in {**filled, **keys, **urls}.items()})
    assert (settings.output_dir, settings.max_jobs_per_day) == (Path("/clips"), 3)
    assert (settings.max_usd_per_day, settings.fix_images) == (1.5, True)
    for kind in GATEWAYS:
        key = settings.gateways[kind.name].key
        assert key
        assert key.get_secret_value() == f"key-of-{kind.name}"
        assert settings.gateways[kind.name].urls["base"] == f"https://{kind.name}.example"


def test_icon_has_the_format_and_size_that_hosts_require() -> None:
    with Image.open(ROOT / "bundle" / "icon.png") as icon:
        assert (icon.format, icon.size) == ("PNG", (512, 512))


# --- built and run --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that `mcpb` is installed in."""
    directory = tmp_path_factory.mktemp("mcpb")
    npm.install(ROOT / "bundle", directory)
    return directory


@pytest.fixture(scope="module")
def unpacked(tool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, built by its one command, which needs npm like `tool`, and unpacked as a host does."""
    del tool
    out, directory = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("extensions") / "hailuo mcp"
    command = [sys.executable, "-m", "bundle.build", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    built = Path(done.stdout.strip())
    with zipfile.ZipFile(built) as bundle:
        bundle.extractall(directory)
    return directory


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS)
def test_bundle_contains_the_locked_versions_and_no_local_paths(unpacked: Path) -> None:
    def versions(lock: Path) -> dict[str, str]:
        return {package["name"]: package["version"] for package in tomllib.loads(lock.read_text())["package"]}

    ours, theirs = versions(ROOT / "uv.lock"), versions(unpacked / "uv.lock")
    assert theirs.pop("hailuo-mcp-bundle") == manifest()["version"]
    assert theirs.items() <= ours.items()
    assert {"hailuo-mcp", "mcp", "av"} <= theirs.keys()
    assert not {"pytest", "pyright"} & theirs.keys()
    for name in ("uv.lock", "pyproject.toml", "manifest.json"):
        assert str(ROOT) not in (unpacked / name).read_text()


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize("page", ["untouched", "emptied"])
async def test_the_unpacked_bundle_serves_a_sandbox_job_without_a_key(
    unpacked: Path, tool: Path, tmp_path: Path, page: str
) -> None:
    given = {} if page == "untouched" else dict.fromkeys(user_config(), "")
    started = _host_config(tool, unpacked, given | {"output_dir": str(tmp_path / "clips"), "fix_images": False})
    assert started["command"] == "uv"
    environ = {**for_uv(tmp_path), "HAILUO_MCP_SANDBOX_SECONDS": "0.5", **started["env"]}
    parameters = StdioServerParameters(command=uv(), args=started["args"], env=environ, cwd=tmp_path)
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), read_timeout_seconds=BUILD_SECONDS) as client:
            tools = (await client.list_tools()).tools
            assert [(tool.name, tool.description) for tool in tools] == [
                (tool["name"], tool["description"]) for tool in manifest()["tools"]
            ]
            job = facts_of(await client.call_tool("generate_video", {"prompt": "a lighthouse at dusk, push in"}))
            assert job["sandbox"] is True
            arguments = {"request_id": job["request_id"]}
            ended = facts_of(await client.call_tool("get_status", {**arguments, "wait_seconds": 30}))
            assert ended["state"] == "completed", ended
            # A slow machine may still be saving the clip: download_video waits for it.
            saved = facts_of(await client.call_tool("download_video", arguments))
    assert Path(saved["video_path"]).is_relative_to(tmp_path / "clips")


def _host_config(tool: Path, directory: Path, given: dict[str, Any]) -> dict[str, Any]:
    command = ["node", "--input-type=module", "--eval", HOST_CONFIG, "--", str(directory), json.dumps(given)]
    done = subprocess.run(command, cwd=tool, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def for_uv(home: Path) -> dict[str, str]:
    """The environment of this process, which configures the package index, without its settings and its virtual
    environment, and with another home."""
    prefixes = (PREFIX, "XDG_", "VIRTUAL_ENV", *(f"{kind.name.upper()}_" for kind in GATEWAYS))
    cache = subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, timeout=60, check=True)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(prefixes)},
        "HOME": str(home),
        "UV_CACHE_DIR": cache.stdout.strip(),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }

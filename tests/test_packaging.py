"""What is published: the registry's `server.json`, the distributions, and the files that a new user looks for first.

`uv run python -m tests.test_packaging` rewrites from the code: `server.json`'s variables and versions, the bundle's
manifest, and the descriptions for plugin systems and catalogs (`bundle/listings.py`).
"""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import jsonschema
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from bundle import listings
from bundle.build import uv
from bundle.manifest import ROOT, manifest, project
from hailuo_mcp.app import load_settings
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import Settings, variables
from hailuo_mcp.gateways import GATEWAYS
from tests import links
from tests.docs.test_one_click_links import decoded
from tests.support import facts_of
from tests.test_bundle import for_uv

SERVER_JSON = ROOT / "server.json"
MANIFEST_JSON = ROOT / "bundle" / "manifest.json"
REGISTRY_NAME = "io.github.hailuo-mcp/hailuo-mcp"
REGISTRY_SCHEMA = ROOT.parent / "shared" / "data" / "server.schema.json"
SECRET_ENDINGS = "_API_KEY", "_TOKEN", "_TOKENS", "_DATABASE_URL"
"""Variables that hold a secret, or an address that may have a password in it."""
SCHEMA_SECONDS = 10
FIRST_SCREEN_LINES = 40
README_LINES = 200
COMMANDS = ("uv run hailuo-mcp demo", "uv run pytest")
"""The two commands that a new user needs: to see it work, and to test it."""
MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:work|root|tmp)/")
SAMPLE_PATH = re.compile(r"/tmp/x\b")
"""A path in tests that is only an example."""
BUILD_SECONDS = 300


def server_json() -> dict[str, Any]:
    return json.loads(SERVER_JSON.read_text())


def registry_variables() -> list[dict[str, Any]]:
    """Every environment variable as the registry describes it: keys first, because most users set only one."""
    keys: list[dict[str, Any]] = []
    addresses: list[dict[str, Any]] = []
    for gateway in GATEWAYS:
        keys.append(
            {
                "name": f"{gateway.name.upper()}_API_KEY",
                "description": f"Key of {gateway.title}; without it, that gateway's models are not offered.",
                "isSecret": True,
            }
        )
        for purpose, default in gateway.hosts.items():
            addresses.append(
                {
                    "name": f"{gateway.name.upper()}_{purpose.upper()}_URL",
                    "description": f"Another address for {gateway.title}'s {purpose} host, as for a proxy.",
                    # Not a default: a client may set it, and setting the base address also changes the other hosts.
                    "placeholder": default,
                }
            )
    return [*keys, *addresses, *(_registry_setting(name, text) for name, text in variables().items())]


def _registry_setting(name: str, description: str) -> dict[str, Any]:
    field = Settings.model_fields[name.removeprefix(PREFIX).lower()]
    entry: dict[str, Any] = {"name": name, "description": description}
    kind = str(field.annotation)
    if field.annotation is bool:
        entry["format"] = "boolean"
    elif "int" in kind or "float" in kind:
        entry["format"] = "number"
    elif field.annotation is Path:
        entry["format"] = "filepath"
    elif get_origin(field.annotation) is Literal:
        entry["choices"] = list(get_args(field.annotation))
    if name.endswith(SECRET_ENDINGS):
        entry["isSecret"] = True
    if isinstance(field.default, bool):
        entry["default"] = str(field.default).lower()
    elif isinstance(field.default, str | int | float) and field.default != "":
        entry["default"] = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
    return entry


def test_the_registry_entry_is_valid() -> None:
    entry = server_json()
    assert "/2025-12-11/" in entry["$schema"]
    schema = _registry_schema(entry["$schema"])
    if schema is None:
        pytest.skip("the registry's schema is neither next to this checkout nor available over the network")
    jsonschema.validate(entry, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**entry, "description": "x" * 101}, schema)


def _registry_schema(url: str) -> dict[str, Any] | None:
    """The copy next to the checkout, or else the registry's, downloaded by a separate process because tests may not use
    the network."""
    if REGISTRY_SCHEMA.exists():
        return json.loads(REGISTRY_SCHEMA.read_text())
    fetch = f"import urllib.request as r; print(r.urlopen({url!r}, timeout={SCHEMA_SECONDS / 2}).read().decode())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", fetch], capture_output=True, text=True, timeout=SCHEMA_SECONDS, check=True
        )
    except subprocess.SubprocessError:
        return None
    return json.loads(done.stdout)


def test_the_registry_entry_describes_every_variable_and_marks_every_secret() -> None:
    entries = server_json()["packages"][0]["environmentVariables"]
    assert [entry["name"] for entry in entries if not entry["description"].strip()] == []
    secret = {entry["name"] for entry in entries if entry.get("isSecret")}
    assert secret == {entry["name"] for entry in entries if entry["name"].endswith(SECRET_ENDINGS)}
    assert {f"{kind.name.upper()}_API_KEY" for kind in GATEWAYS} <= secret
    assert [entry["name"] for entry in entries if entry.get("isSecret") and "default" in entry] == []


def test_registry_entry_lists_no_remote_server() -> None:
    """The registry requires a remote server to be publicly accessible at its URL, and this project runs none. A
    template for a team's own address would fit the schema, but not that rule."""
    assert "remotes" not in server_json()


def test_the_registry_entry_names_this_package_and_how_to_start_it() -> None:
    entry = server_json()
    (package,) = entry["packages"]
    assert entry["name"] == REGISTRY_NAME
    assert 0 < len(entry["description"]) <= 100
    assert package["registryType"] == "pypi"
    assert package["identifier"] == project()["name"]
    assert package["runtimeHint"] == "uvx"
    assert package["transport"] == {"type": "stdio"}


def test_the_registry_entry_describes_every_variable_as_the_code_does() -> None:
    assert server_json()["packages"][0]["environmentVariables"] == registry_variables(), (
        "server.json is behind the code: uv run python -m tests.test_packaging"
    )


def test_defaults_in_the_registry_entry_match_the_code() -> None:
    declared = {
        entry["name"]: entry["default"]
        for entry in server_json()["packages"][0]["environmentVariables"]
        if "default" in entry
    }
    assert load_settings(declared) == load_settings({})


def test_the_version_is_the_same_everywhere() -> None:
    expected = project()["version"]
    assert version("hailuo-mcp") == expected
    assert server_json()["version"] == expected
    assert server_json()["packages"][0]["version"] == expected
    assert json.loads(MANIFEST_JSON.read_text())["version"] == expected
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    assert [package["version"] for package in locked if package["name"] == "hailuo-mcp"] == [expected]
    released = re.findall(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[:1] in ([], [expected])


def test_the_readme_opens_with_the_two_commands_and_the_registry_name() -> None:
    readme = (ROOT / "README.md").read_text()
    first_screen = "\n".join(readme.splitlines()[:FIRST_SCREEN_LINES])
    assert [command for command in COMMANDS if command not in first_screen] == []
    assert re.search(rf"mcp-name: {re.escape(REGISTRY_NAME)}\s", readme)


def test_the_clone_line_names_the_repository() -> None:
    source = project()["urls"]["Source"]
    assert f"git clone {source} && cd {source.rsplit('/', 1)[1]}\n" in (ROOT / "README.md").read_text()
    assert server_json()["repository"]["url"] == source


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", "ARCHITECTURE.md", "README.md", "uv.lock", ".ci/run"])
def test_file_for_new_users_exists(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def test_no_file_contains_paths_of_the_development_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    found: list[str] = []
    for name in listed:
        try:
            lines = (ROOT / name).read_text().splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [
            f"{name}:{number}" for number, line in enumerate(lines, 1) if MACHINE_PATH.search(SAMPLE_PATH.sub("", line))
        ]
    assert found == []


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the source distribution, freshly built."""
    directory = tmp_path_factory.mktemp("dist")
    _run(uv(), "build", "--quiet", "--out-dir", str(directory))
    return directory


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS)
def test_wheel_contains_only_the_package(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "hailuo_mcp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        (entry_points,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert f"mcp-name: {REGISTRY_NAME}" in opened.read(metadata).decode()
        assert "hailuo-mcp = hailuo_mcp.cli:main" in opened.read(entry_points).decode()
    assert {name for name in names if ".dist-info/" not in name} == package
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {"hailuo_mcp/py.typed", "hailuo_mcp/sandbox/preview-6s.mp4"} <= package


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS)
def test_source_distribution_contains_what_its_tests_need(distributions: Path) -> None:
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.split("/", 1)[1] for name in opened.getnames() if "/" in name}
    assert {"pyproject.toml", "server.json", "README.md", "CHANGELOG.md", "ARCHITECTURE.md", "LICENSE"} <= names
    assert {"hailuo_mcp/app.py", "tests/conftest.py", "tests/interop/package-lock.json"} <= names
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS)
def test_the_wheel_is_the_same_from_the_checkout_and_from_the_source_distribution(
    distributions: Path, tmp_path: Path
) -> None:
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    contents: list[dict[str, bytes]] = []
    for name, tree in (("from-checkout", ROOT), ("from-sdist", source)):
        _run(uv(), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / name), str(tree))
        (wheel,) = (tmp_path / name).glob("*.whl")
        with zipfile.ZipFile(wheel) as opened:
            contents.append({entry: opened.read(entry) for entry in opened.namelist()})
    assert contents[0] == contents[1]


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize("link", [links.cursor(()), links.vscode(["SEGMIND_API_KEY"])], ids=["cursor", "vscode"])
async def test_command_of_a_one_click_link_runs(distributions: Path, tmp_path: Path, link: str) -> None:
    """The package comes from the wheel, as it later will from the index; a key that was not filled in is passed as an
    empty string."""
    config = decoded(link)["config"]
    assert config["command"] == "uvx"
    uvx = Path(uv()).with_name("uvx")
    environ = {**for_uv(tmp_path), "UV_FIND_LINKS": str(distributions), **dict.fromkeys(config.get("env", {}), "")}
    parameters = StdioServerParameters(command=str(uvx), args=config["args"], env=environ, cwd=tmp_path)
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), read_timeout_seconds=BUILD_SECONDS) as client:
            listed = facts_of(await client.call_tool("list_models", {}))
    assert listed["sandbox"] is True


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


if __name__ == "__main__":
    rewritten = server_json()
    rewritten["version"] = rewritten["packages"][0]["version"] = project()["version"]
    rewritten["packages"][0]["environmentVariables"] = registry_variables()
    SERVER_JSON.write_text(json.dumps(rewritten, indent=2, ensure_ascii=False) + "\n")
    MANIFEST_JSON.write_text(json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n")
    listings.write()

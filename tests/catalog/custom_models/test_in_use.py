"""A model from a file in use: the page's example up to a saved clip, and every place where built-in models work."""

import shlex
from pathlib import Path

import pytest
from PIL import Image

from hailuo_mcp.app import build_catalog
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import GATEWAYS
from tests.catalog.custom_models.written import PAGE, example
from tests.cli.conftest import Cli, facts_of_clip
from tests.support import (
    PICTURE,
    body_of,
    facts_of,
    open_session,
    recorded_sandbox,
    sandbox_on_a_port,
    server,
    settings_for,
    text_of,
)

pytestmark = pytest.mark.slow

DRAFT = "segmind/hailuo-02-draft"
CALL = {"prompt": "a kite climbs", "first_frame_image": PICTURE}


def configured(directory: Path, text: str = "") -> Path:
    """Write the file to the configuration directory that servers and sessions of this directory use."""
    path = directory / "config" / "hailuo-mcp" / "models.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or example())
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    configured(tmp_path)
    return settings_for(tmp_path)


async def test_the_pages_example_works_from_the_schema_to_a_saved_clip(tmp_path: Path) -> None:
    configured(tmp_path)
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (640, 400), "teal").save(tmp_path / "pictures" / "kite.png")
    with sandbox_on_a_port(tmp_path) as all_variables:
        variables = {name: value for name, value in all_variables.items() if name.startswith("SEGMIND")}
        async with server(tmp_path, **variables) as client:
            generate = (await client.list_tools()).tools[0]
            assert DRAFT.split("/")[1] in generate.input_schema["properties"]["model"]["description"]
            listed = facts_of(await client.call_tool("list_models"))
            assert DRAFT in [model["model"] for model in listed["models"]]
            assert listed["best_for"]["cheapest"] == [DRAFT]

            (model,) = facts_of(await client.call_tool("list_models", {"model": DRAFT}))["models"]
            assert model["schema"]["properties"]["duration"]["enum"] == [6]
            assert [price["usd"] for price in model["prices"]] == [0.12, 0.125]
            sources = {row["parameter"]: row["source"] for row in model["constraints"]}
            assert sources["go_fast, prompt_optimizer"] == "observed: our own drafts, November 2026"

            wrong = {**CALL, "model": DRAFT, "duration": 10}
            refused = await client.call_tool("generate_video", wrong)
            assert "duration must be 6, got 10" in text_of(refused)
            careful = {**CALL, "model": DRAFT, "go_fast": False, "prompt_optimizer": True}
            refused = await client.call_tool("generate_video", careful)
            assert "For a careful clip take segmind/hailuo-02-fast" in text_of(refused)

            local = {"prompt": "a kite climbs", "first_frame_image": str(tmp_path / "pictures" / "kite.png")}
            job = facts_of(await client.call_tool("generate_video", local))
            assert job["model"] == DRAFT
            assert job["request_id"].startswith(f"{DRAFT}/")
            assert (job["parameters"]["go_fast"], job["estimated_cost_usd"]) == (True, 0.12)
            (warning,) = job["warnings"]
            assert warning.startswith(f"No model was named: {DRAFT} was chosen, the cheapest of ")
            assert "(at most $0.12; usually 80 s). Next: segmind/hailuo-02-fast ($0.125" in warning
        async with server(tmp_path, **variables) as client:
            done = facts_of(await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 30}))
            assert done["state"] == "completed"
            saved = facts_of(await client.call_tool("download_video", {"request_id": job["request_id"]}))
    assert facts_of_clip(saved["video_path"]) == ("h264", 6.0)


async def test_defaults_and_nulls_are_sent(settings: Settings) -> None:
    opened, wire = recorded_sandbox(settings)
    async with opened as session:
        await session.generate({**CALL, "model": DRAFT})
    (sent,) = wire.posts
    assert sent.url.path == "/v2/hailuo-02-fast"
    assert body_of(sent) == {
        "prompt": "a kite climbs",
        "first_frame_image": PICTURE,
        "last_frame_image": None,
        "duration": 6,
        "go_fast": True,
        "prompt_optimizer": False,
    }


async def test_a_job_is_polled_by_its_id_without_the_ledger(settings: Settings) -> None:
    async with open_session(settings) as session:
        job = (await session.generate({**CALL, "model": DRAFT})).job
    settings.database_path.unlink()
    async with open_session(settings) as session:
        assert (await session.status(job.request_id, wait_seconds=10)).state == "completed"


async def test_a_job_whose_model_was_removed_warns_until_its_entry_is_back(settings: Settings) -> None:
    async with open_session(settings) as session:
        job = (await session.generate({**CALL, "model": DRAFT})).job
    without = settings.model_copy(update={"config_dir": Path("/nowhere")})
    async with open_session(without) as session:
        assert DRAFT not in {model.id for model in session.catalog.known}
        (warning,) = (await session.status(job.request_id)).warnings
        assert warning == f"{DRAFT} is in no catalog now, so its gateway cannot be asked; put its entry back."
    async with open_session(settings) as session:
        assert (await session.status(job.request_id, wait_seconds=10)).state == "completed"


def test_a_custom_model_is_enabled_by_its_id_or_its_gateways_key(tmp_path: Path) -> None:
    configured(tmp_path)

    def usable(**variables: str) -> list[str]:
        return [model.id for model in build_catalog(settings_for(tmp_path, **variables)).usable]

    assert usable(HAILUO_MCP_MODELS=DRAFT) == [DRAFT]
    assert DRAFT in usable(SEGMIND_API_KEY="k")
    assert DRAFT not in usable(APIXO_API_KEY="k")


def test_several_files_are_read_and_the_setting_replaces_all_of_them(tmp_path: Path) -> None:
    path = configured(tmp_path)
    more = path.parent / "models.d"
    more.mkdir()
    for name in ("b", "a"):
        (more / f"{name}.toml").write_text(example().replace("-draft", f"-{name}", 1))
    (more / "notes.txt").write_text("not a catalog")

    def own(**variables: str) -> list[str]:
        catalog = build_catalog(settings_for(tmp_path, **variables))
        return [model.id.split("-")[-1] for model in catalog.custom]

    assert own() == ["draft", "a", "b"]
    assert own(HAILUO_MCP_CATALOG=str(more / "b.toml")) == ["b"]
    assert own(HAILUO_MCP_CATALOG=str(more)) == ["a", "b"]


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    cli = Cli(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "config")})
    configured(tmp_path)
    commands = PAGE.read_text().split("```sh\n")[1].split("```")[0].splitlines()
    details, generated = (cli(*shlex.split(command)[1:]) for command in commands)
    assert (details.returncode, generated.returncode) == (0, 0), details.stderr + generated.stderr
    assert "duration: 6; default 6" in details.stdout
    assert '"go_fast": true' in generated.stdout


def test_a_mistake_stops_the_server_with_the_line_that_the_page_shows(tmp_path: Path) -> None:
    cli = Cli(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "config")})
    path = configured(tmp_path, example().replace("values = [6]", "values = [8]"))
    shown = PAGE.read_text().split("```text\n")[1].split("```")[0]
    for command in ((), ("models",)):
        done = cli(*command)
        assert (done.returncode, done.stdout) == (Exit.WRONG_CALL, "")
        assert shown.strip().replace("/home/ada/.config/hailuo-mcp/models.toml", str(path)) in done.stderr
        assert done.stderr.count("\n") == 1


def test_the_page_lists_every_body_format_of_every_gateway() -> None:
    rows = [f"| {gateway.title} | `{name}` |" for gateway in GATEWAYS for name in gateway.body_formats]
    assert [row for row in rows if row not in PAGE.read_text()] == []


def test_the_earlier_name_of_the_setting_works_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(example())
    cli = Cli(tmp_path, {"HAILUO_MCP_CATALOGUE": str(path)})
    listed = cli("models", DRAFT, "--json")
    assert listed.returncode == Exit.DONE
    assert DRAFT in listed.stdout
    assert listed.stderr == "HAILUO_MCP_CATALOGUE is now HAILUO_MCP_CATALOG; the old name still works.\n"
    assert "HAILUO_MCP_CATALOGUE is no setting" not in cli("doctor", "--offline").stdout

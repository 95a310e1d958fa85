import json
from pathlib import Path

import pytest

from hailuo_mcp.app import load_settings
from hailuo_mcp.cli import demo
from tests.cli.conftest import Cli, facts_of_clip
from tests.support import without_pyav


@pytest.mark.slow
def test_the_demo_saves_three_h264_clips_and_ignores_a_key(cli: Cli) -> None:
    done = cli("demo", "--json", SEGMIND_API_KEY="real-key", SEGMIND_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert sorted(facts_of_clip(path) for path in report["clips"]) == [("h264", 4.0), *[("h264", 6.0)] * 2]
    assert all(Path(path).parent == cli.output_dir for path in report["clips"])
    tools = [turn["tool"] for turn in report["turns"]]
    assert tools[:3] == ["generate_video"] * 3
    assert tools.count("download_video") == 3
    assert tools.count("get_status") >= 3
    assert "first_frame_image" in report["turns"][0]["arguments"]
    assert "reference_images" in report["turns"][2]["arguments"]
    assert all(turn["result"]["sandbox"] for turn in report["turns"] if turn["tool"] != "download_video")
    assert "real-key" not in done.stdout + done.stderr


@pytest.mark.slow
def test_the_demo_prints_a_conversation_and_what_to_do_next_in_an_empty_home(tmp_path: Path) -> None:
    cli = Cli(tmp_path, without_pyav(tmp_path))
    done = cli("demo", HAILUO_MCP_OUTPUT_DIR="")
    assert done.returncode == 0, done
    clips = sorted((tmp_path / "Videos" / "hailuo").glob("*.mp4"))
    assert len(clips) == 3
    assert all(f"\n  {clip}\n" in done.stdout for clip in clips)
    for text in ("generate_video", "get_status", "wait_seconds", "request_id", "next_step", "mcpServers", "API_KEY"):
        assert text in done.stdout
    assert cli("jobs").stdout.count("completed") == 3
    assert "\x1b" not in done.stdout


def test_the_demo_can_be_run_again_at_once() -> None:
    settings = load_settings({"HAILUO_MCP_OUTPUT_DIR": "/nowhere"})
    assert demo.server_environment(settings)["HAILUO_MCP_DUPLICATE_WINDOW_SECONDS"] == "0"

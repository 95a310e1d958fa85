import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_mcp.core.parameters import CANONICAL
from tests.cli.conftest import Cli, InProcessCli, facts_of_clip, pipe
from tests.slow_gateway import MODEL, SlowGateway
from tests.support import MODEL_IDS, without_pyav


@pytest.mark.slow
def test_generate_status_and_download_share_one_job_across_processes(cli: Cli, in_process: InProcessCli) -> None:
    submitted = cli.json("generate", "A red kite over the bay")
    assert submitted["state"] == "queued"
    assert submitted["sandbox"] is True

    # With automatic downloads, a busy machine may answer before the clip is saved.
    ended = Cli(cli.home, {"HAILUO_MCP_AUTO_DOWNLOAD": "0"}).json("status", submitted["request_id"], "--wait")
    assert (ended["state"], ended["video_path"]) == ("completed", None)

    saved = cli.json("download", submitted["request_id"])
    assert saved["video_path"] == in_process.json("status", submitted["request_id"])["video_path"]
    assert Path(saved["video_path"]).parent == cli.output_dir
    assert Path(saved["video_path"]).stat().st_size == saved["bytes"]

    listed = in_process.json("jobs")
    assert [job["request_id"] for job in listed["jobs"]] == [submitted["request_id"]]


def test_generate_prints_the_id_and_the_command_that_looks_it_up(in_process: InProcessCli) -> None:
    done = in_process("generate", "sandbox:never kite")
    assert done.returncode == 0
    request_id = in_process.json("jobs")["jobs"][0]["request_id"]
    fields = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert fields["job"] == request_id
    assert shlex.split(fields["next"]) == ["hailuo-mcp", "status", request_id, "--wait"]


def test_wait_prints_only_the_clips_path_on_stdout(cli: Cli) -> None:
    done = cli("generate", "--wait", "A red kite", HAILUO_MCP_AUTO_DOWNLOAD="0", **without_pyav(cli.home))
    assert done.returncode == 0
    path = Path(done.stdout.removesuffix("\n"))
    assert facts_of_clip(path) == ("h264", 6.0)
    assert "completed" in done.stderr


def test_status_shows_the_link_and_the_command_that_saves_it(in_process: InProcessCli) -> None:
    unsaved = {"HAILUO_MCP_AUTO_DOWNLOAD": "0"}
    request_id = in_process.json("generate", "A red kite")["request_id"]
    done = in_process("status", request_id, "--wait", **unsaved)
    assert done.returncode == 0
    assert "\nlink      https://" in done.stdout
    assert f"hailuo-mcp download {request_id}" in done.stdout
    assert f"not saved: hailuo-mcp download {request_id}" in in_process("jobs", **unsaved).stdout


def test_download_prints_only_the_path(in_process: InProcessCli, finished: dict[str, Any]) -> None:
    done = in_process("download", finished["request_id"])
    assert done.stdout == finished["video_path"] + "\n"


def test_parameters_are_passed_as_from_the_tool(cli: Cli, in_process: InProcessCli) -> None:
    Image.new("RGB", (640, 480), "teal").save(cli.home / "start.png")
    job = in_process.json(
        *("generate", "A red kite", "--model", "segmind/hailuo-02-fast", "--first-frame-image", "start.png"),
        *("--duration", "10", "--go-fast", "--no-prompt-optimizer", "--dry-run"),
    )
    assert job["state"] == "dry_run"
    assert job["parameters"]["duration"] == 10
    assert job["parameters"]["go_fast"] is True
    assert job["parameters"]["prompt_optimizer"] is False
    assert job["request"]["body"]["first_frame_image"].startswith("<upload:sha256:")
    assert in_process.json("jobs")["total"] == 0


def test_every_canonical_parameter_is_an_option(in_process: InProcessCli) -> None:
    text = in_process("generate", "--help").stdout
    missing = [name for name in CANONICAL if name != "prompt" and f"--{name.replace('_', '-')}" not in text]
    assert not missing
    assert "PROMPT" in text


def test_an_identical_job_is_returned_and_force_new_submits_another(in_process: InProcessCli) -> None:
    first = in_process.json("generate", "A red kite")
    again = in_process.json("generate", "A red kite")
    forced = in_process.json("generate", "A red kite", "--force-new")
    assert (again["duplicate"], again["request_id"]) == (True, first["request_id"])
    assert (forced["duplicate"], forced["request_id"] != first["request_id"]) == (False, True)


def test_poll_after_seconds_follows_the_gateways_rate_limit(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    with SlowGateway().serving() as gateway:
        gateway.answer.set()
        gateway.retry_after = 100
        in_process = InProcessCli(Cli(cli.home, gateway.environment).environment, capsys)
        request_id = in_process.json("generate", "A red kite", "--model", MODEL)["request_id"]
        waited = in_process.json("status", request_id, "--wait", "1", code=4)
    assert 90 < waited["poll_after_seconds"] <= 100


def test_jobs_shows_ids_prompts_and_the_paths_of_saved_clips(
    in_process: InProcessCli, finished: dict[str, Any]
) -> None:
    text = in_process("jobs", "--state", "completed").stdout
    assert all(fact in text for fact in (finished["request_id"], finished["video_path"], "A finished kite"))
    failed = in_process("jobs", "--state", "failed")
    assert (failed.stdout, failed.stderr) == ("", "No jobs have the state failed.\n")


def test_models_shows_each_usable_model_and_one_in_full(in_process: InProcessCli) -> None:
    listed = in_process.json("models")["models"]
    text = in_process("models").stdout
    assert [model["model"] for model in listed] == list(MODEL_IDS)
    assert all(model["model"] in text for model in listed)
    details = in_process("models", "apixo/hailuo-2.3-fast").stdout
    assert "routing: auto or value or official; optional" in details
    assert "documented: APIXO page" in details


def test_models_lists_a_model_that_no_bare_prompt_suits(in_process: InProcessCli) -> None:
    listed = in_process("models", HAILUO_MCP_MODELS="minimax/s2v-01")
    assert listed.returncode == 0, listed
    assert "subject_reference (required)" in listed.stdout
    assert "Without --model, for a prompt alone none" in listed.stderr


@pytest.mark.slow
def test_ctrl_c_while_waiting_says_that_the_job_continues_and_how_to_look_it_up(
    cli: Cli, in_process: InProcessCli
) -> None:
    process = cli.start("generate", "sandbox:never kite", "--wait")
    with process:
        processing = next(line for line in pipe(process.stderr) if line.endswith(": processing\n"))
        request_id = processing.removesuffix(": processing\n")
        process.send_signal(signal.SIGINT)
        errors = pipe(process.stderr).read()
    assert process.returncode == 130
    assert f"hailuo-mcp status {request_id} --wait" in errors
    assert "Traceback" not in errors
    assert in_process.json("status", request_id)["state"] == "processing"


def test_a_closed_stdout_causes_no_traceback(cli: Cli) -> None:
    process = cli.start("models", "--json")
    with process:
        pipe(process.stdout).close()
        assert pipe(process.stderr).read() == ""

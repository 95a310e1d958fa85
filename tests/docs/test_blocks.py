"""Every block of code in README.md and docs/ is run, parsed or generated, and every command they mention exists."""

import json
import re
import shlex
import tomllib
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_mcp.app import load_settings
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.group import run
from hailuo_mcp.core.settings import variables
from tests.docs.accounts import (
    BLOCKS,
    LINES,
    PROGRAM,
    UNRUN,
    covering_test,
    covering_test_of_line,
    is_shell,
    requirement,
)
from tests.docs.blocks import PAGES, ROOT, SHELL, Block, Command, all_blocks, inline_code
from tests.docs.data import PARSERS
from tests.support import KEYS, sandbox_on_a_port

ALL = all_blocks()
HANDWRITTEN = [block for block in ALL if not block.generated]
SHELLS = [block for block in HANDWRITTEN if is_shell(block)]
THIS_TEST = "tests/docs/test_blocks.py::test_commands_exit_as_documented"
SAMPLE_ID = "segmind/minimax-hailuo-2/1f2e3d4c"
"""The request id in all examples; the tests replace it with the id of a real job."""
EXIT_CODES: dict[str, Exit] = {
    'HAILUO_MCP_SANDBOX=1 hailuo-mcp generate "sandbox:fail a red kite" --wait': Exit.FAILED,
}
"""Lines that show a failure, and its exit code."""
PLACEHOLDERS = {"HOST": "cursor", "NAME": "hailuo"}


MAKES_CLIPS = re.compile(rf"--wait|{PROGRAM} batch|{re.escape(SAMPLE_ID)}")
"""Lines that are slow, because the sandbox renders real video."""


def _runnable_blocks() -> list[Any]:
    """The blocks to run, by page and in order: each block can use the files of the previous ones, as for a reader."""
    found: list[Any] = []
    for page in PAGES:
        runs = [
            b
            for b in SHELLS
            if b.page == page and any(covering_test_of_line(b, line) == THIS_TEST for line in b.commands)
        ]
        slow = [block for block in runs if MAKES_CLIPS.search(block.text)]
        quick = [block for block in runs if block not in slow]
        found += [pytest.param(quick, id=page)] if quick else []
        found += [pytest.param(slow, id=f"{page}, clips", marks=pytest.mark.slow)] if slow else []
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_covered_by_a_test(page: str) -> None:
    uncovered = [f"{block}: {block.head}" for block in ALL if block.page == page and covering_test(block) is None]
    assert uncovered == [], "name the test that runs it in tests/docs/accounts.py"


def test_every_listed_block_exists() -> None:
    assert {*BLOCKS, *UNRUN} <= {(block.page, block.head) for block in HANDWRITTEN}
    assert {*LINES} <= {(block.page, line) for block in SHELLS for line in block.commands}


@pytest.mark.parametrize("claim", sorted({*BLOCKS.values(), *LINES.values()}))
def test_every_test_that_covers_a_block_exists(claim: str) -> None:
    file, _, name = claim.partition("::")
    text = (ROOT / file).read_text()
    assert f"def {name}(" in text if name.startswith("test_") else name in text


def test_a_page_says_which_block_is_not_run() -> None:
    for (page, _), (reason, text) in UNRUN.items():
        assert reason
        assert text in (ROOT / page).read_text()


@pytest.mark.parametrize("block", [block for block in ALL if block.language in PARSERS], ids=str)
def test_data_blocks_can_be_parsed(block: Block) -> None:
    PARSERS[block.language](block.text)


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    with sandbox_on_a_port(tmp_path_factory.mktemp("gateways")) as variables:
        yield variables


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate home directory with the page's files and an image."""
    for name in (*variables(), *KEYS):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HAILUO_MCP_OUTPUT_DIR": str(tmp_path / "clips"),
        "HAILUO_MCP_SANDBOX_SECONDS": "0",
        "HAILUO_MCP_MIN_POLL_SECONDS": "0",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (640, 400), "teal").save(tmp_path / "kite.png")
    return tmp_path


@pytest.mark.parametrize("page", _runnable_blocks())
def test_commands_exit_as_documented(
    page: list[Block],
    home: Path,
    sandbox: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run the commands in order, as a reader would; the sandbox answers in place of the gateways."""
    for block in ALL:
        if block.page == page[0].page and block.file:
            (home / block.file).write_text(block.text)
    request_id = ""
    if any(SAMPLE_ID in block.text for block in page):
        assert run(["generate", "A red kite", "--model", SAMPLE_ID.rpartition("/")[0], "--wait", "--json"]) == Exit.DONE
        request_id = json.loads(capsys.readouterr().out)["request_id"]
    for line in (line for block in page for line in block.commands if covering_test_of_line(block, line) == THIS_TEST):
        command = Command.read(line.replace(SAMPLE_ID, request_id))
        with monkeypatch.context() as environment:
            for name, value in command.variables:
                is_key = name in KEYS  # the reader's own key: the sandbox replaces the real gateway
                address = name.replace("_API_KEY", "_BASE_URL")
                if is_key:
                    environment.setenv(address, sandbox[address])
                environment.setenv(name, value.replace("…", sandbox[name]) if is_key else value)
            code = run(_confirmed(command.words[1:]))
        output = capsys.readouterr()
        assert code == EXIT_CODES.get(line, Exit.DONE), f"{line}: {output.out}{output.err}"


def _confirmed(args: tuple[str, ...]) -> list[str]:
    """The arguments, with --yes where the command would ask for confirmation."""
    asks = args[0] in ("install", "uninstall") and not {"--yes", "--print"} & {*args}
    return [*args, "--yes"] if asks else [*args]


COMMANDS = sorted(
    {
        *(line for block in SHELLS for line in block.commands if Command.read(line).words[:1] == (PROGRAM,)),
        *(code for page in PAGES for code in inline_code(page) if re.match(rf"{PROGRAM} [a-z-]", code)),
    }
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_mentioned_command_exists(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = [PLACEHOLDERS.get(word, word) for word in Command.read(line).words[1:]]
    # With --help nothing is done, but unknown commands and options are still refused.
    assert run([*args, "--help"]) == 0, capsys.readouterr().err


LINES_OF_SHELL = [(block, line) for block in SHELLS for line in block.commands]


def test_install_commands_name_the_package_and_existing_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    in_text = [
        code for page in PAGES for code in inline_code(page) if re.match(r"(pip|uv tool) (install|upgrade) ", code)
    ]
    wanted = [
        requirement(Command.read(line))
        for line in (*(line for _, line in LINES_OF_SHELL if "&&" not in line), *in_text)
    ]
    named = [found for found in wanted if found]
    assert len(named) > 3
    for found in named:
        assert found.name == project["name"]
        assert found.extras <= project["optional-dependencies"].keys()


def test_variables_are_settings() -> None:
    for block, line in LINES_OF_SHELL:
        for name, value in Command.read(line).variables:
            if name.startswith("HAILUO_MCP_"):
                assert name in variables(), f"{block}: {line}"
                load_settings({name: value})


def test_programs_of_the_repository_that_the_text_mentions_exist() -> None:
    named = [code for page in PAGES for code in inline_code(page) if code.startswith("uv run ")]
    assert named
    for code in named:
        _, _, *words = shlex.split(code)
        if words[:2] == ["python", "-m"]:
            assert find_spec(words[2]), code
        else:
            assert all((ROOT / word).exists() for word in words if "/" in word), code


def test_a_block_without_a_covering_test_is_detected() -> None:
    """The pages are parsed as they are rendered; a block without a covering test is an error."""
    uncovered = Block("README.md", 1, SHELL, "", "hailuo-mcp jobs\nrm -rf build\n", generated=False)
    assert covering_test(uncovered) is None
    assert covering_test(Block("README.md", 1, "python", "", "print()\n", generated=False)) is None
    assert covering_test(Block("README.md", 1, SHELL, "", "hailuo-mcp jobs\n", generated=False))

"""Every block of code in README.md and docs/ is run, parsed or generated, and every command that is named exists."""

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
    account,
    is_shell,
    line_account,
    requirement,
)
from tests.docs.blocks import PAGES, ROOT, SHELL, Block, Command, all_blocks, inline_code
from tests.docs.data import PARSERS
from tests.support import KEYS, sandbox_on_a_port

ALL = all_blocks()
WRITTEN = [block for block in ALL if not block.generated]
SHELLS = [block for block in WRITTEN if is_shell(block)]
HERE = "tests/docs/test_blocks.py::test_commands_do_what_they_should"
SAMPLE_ID = "segmind/minimax-hailuo-2/1f2e3d4c"
"""The request id in all examples; the tests replace it with the id of a real job."""
ENDS: dict[str, Exit] = {
    'HAILUO_MCP_SANDBOX=1 hailuo-mcp generate "sandbox:fail a red kite" --wait': Exit.FAILED,
}
"""Lines that show a failure, and its exit code."""
PLACEHOLDERS = {"HOST": "cursor", "NAME": "hailuo"}


MAKES_CLIPS = re.compile(rf"--wait|{PROGRAM} batch|{re.escape(SAMPLE_ID)}")
"""Lines that are slow, because the sandbox renders real video."""


def _run_here() -> list[Any]:
    """The blocks to run, by page and in order: each block can use the files of the previous ones, as for a reader."""
    found: list[Any] = []
    for page in PAGES:
        runs = [b for b in SHELLS if b.page == page and any(line_account(b, line) == HERE for line in b.commands)]
        slow = [block for block in runs if MAKES_CLIPS.search(block.text)]
        quick = [block for block in runs if block not in slow]
        found += [pytest.param(quick, id=page)] if quick else []
        found += [pytest.param(slow, id=f"{page}, clips", marks=pytest.mark.slow)] if slow else []
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_accounted_for(page: str) -> None:
    orphans = [f"{block}: {block.head}" for block in ALL if block.page == page and account(block) is None]
    assert orphans == [], "name the test that runs it in tests/docs/accounts.py"


def test_accounts_are_of_blocks_that_are_there() -> None:
    assert {*BLOCKS, *UNRUN} <= {(block.page, block.head) for block in WRITTEN}
    assert {*LINES} <= {(block.page, line) for block in SHELLS for line in block.commands}


@pytest.mark.parametrize("claim", sorted({*BLOCKS.values(), *LINES.values()}))
def test_every_test_that_covers_a_block_exists(claim: str) -> None:
    file, _, name = claim.partition("::")
    text = (ROOT / file).read_text()
    assert f"def {name}(" in text if name.startswith("test_") else name in text


def test_a_page_says_itself_what_is_not_run() -> None:
    for (page, _), (reason, words) in UNRUN.items():
        assert reason
        assert words in (ROOT / page).read_text()


@pytest.mark.parametrize("block", [block for block in ALL if block.language in PARSERS], ids=str)
def test_data_is_read_by_a_parser(block: Block) -> None:
    PARSERS[block.language](block.text)


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    with sandbox_on_a_port(tmp_path_factory.mktemp("gateways")) as variables:
        yield variables


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate home with the page's files and an image."""
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


@pytest.mark.parametrize("page", _run_here())
def test_commands_do_what_they_should(
    page: list[Block],
    home: Path,
    sandbox: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One after the other, as a reader would: the sandbox answers in place of the gateways."""
    for block in ALL:
        if block.page == page[0].page and block.file:
            (home / block.file).write_text(block.text)
    request_id = ""
    if any(SAMPLE_ID in block.text for block in page):
        assert run(["generate", "A red kite", "--model", SAMPLE_ID.rpartition("/")[0], "--wait", "--json"]) == Exit.DONE
        request_id = json.loads(capsys.readouterr().out)["request_id"]
    for line in (line for block in page for line in block.commands if line_account(block, line) == HERE):
        command = Command.read(line.replace(SAMPLE_ID, request_id))
        with monkeypatch.context() as here:
            for name, value in command.variables:
                key = name in KEYS  # of one's own: the gateway on a port stands for the real one
                address = name.replace("_API_KEY", "_BASE_URL")
                if key:
                    here.setenv(address, sandbox[address])
                here.setenv(name, value.replace("…", sandbox[name]) if key else value)
            code = run(_answered(command.words[1:]))
        told = capsys.readouterr()
        assert code == ENDS.get(line, Exit.DONE), f"{line}: {told.out}{told.err}"


def _answered(args: tuple[str, ...]) -> list[str]:
    """The arguments, with a yes where the command would ask for confirmation."""
    asks = args[0] in ("install", "uninstall") and not {"--yes", "--print"} & {*args}
    return [*args, "--yes"] if asks else [*args]


COMMANDS = sorted(
    {
        *(line for block in SHELLS for line in block.commands if Command.read(line).words[:1] == (PROGRAM,)),
        *(code for page in PAGES for code in inline_code(page) if re.match(rf"{PROGRAM} [a-z-]", code)),
    }
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_that_is_named_exists(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = [PLACEHOLDERS.get(word, word) for word in Command.read(line).words[1:]]
    # With --help nothing is done, and yet a command or an option that does not exist is refused.
    assert run([*args, "--help"]) == 0, capsys.readouterr().err


LINES_OF_SHELL = [(block, line) for block in SHELLS for line in block.commands]


def test_packages_that_are_installed_have_these_names_and_extras() -> None:
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


def test_programs_of_the_checkout_that_the_text_names_are_there() -> None:
    named = [code for page in PAGES for code in inline_code(page) if code.startswith("uv run ")]
    assert named
    for code in named:
        _, _, *words = shlex.split(code)
        if words[:2] == ["python", "-m"]:
            assert find_spec(words[2]), code
        else:
            assert all((ROOT / word).exists() for word in words if "/" in word), code


def test_an_indented_block_or_a_fence_without_an_account_is_found() -> None:
    """The pages are parsed as they are rendered; a block without a covering test is an error."""
    strange = Block("README.md", 1, SHELL, "", "hailuo-mcp jobs\nrm -rf build\n", generated=False)
    assert account(strange) is None
    assert account(Block("README.md", 1, "python", "", "print()\n", generated=False)) is None
    assert account(Block("README.md", 1, SHELL, "", "hailuo-mcp jobs\n", generated=False))

"""Which test covers each block of code in the docs.

Blocks that cog generates are checked by `tests/docs/test_readme.py`. `test_blocks.py` runs lines that call
`hailuo-mcp`, checks lines that install a package or set variables, and parses blocks of data. Every other block must be
listed below with the test that runs it.
"""

import re
from collections.abc import Mapping

from packaging.requirements import Requirement

from tests.docs.blocks import INDENTED, SHELL, Block, Command
from tests.docs.data import PARSERS

PROGRAM = "hailuo-mcp"
INSTALLERS: Mapping[tuple[str, ...], str] = {
    ("pip", "install"): ".ci/run::installed_wheel",
    ("uv", "tool", "install", "--force"): ".ci/run::installed_wheel",
    ("uv", "tool", "upgrade"): ".ci/run::installed_wheel",
    ("uv", "tool", "install"): ".ci/run::installed_wheel",
}
"""Commands that install the package from the index, and the test that installs the wheel built here instead."""
NOT_RUN = "not run"
CUSTOM_MODELS = "tests/catalog/custom_models"

BLOCKS: Mapping[tuple[str, str], str] = {
    (
        "docs/shots.md",
        'generate_video {"model": "segmind/minimax-hailuo-2", "prompt": "A paper boat leaves the quay at dawn '
        '[Tracking shot]", "dry_run": true}',
    ): "tests/service/test_shots.py::test_the_pages_tool_calls_make_three_continuous_shots",
    (
        "docs/shots.md",
        "export MODEL=segmind/minimax-hailuo-2",
    ): "tests/service/test_shots.py::test_the_pages_commands_make_three_continuous_shots",
    (
        "docs/custom-models.md",
        "[[models]]",
    ): f"{CUSTOM_MODELS}/test_in_use.py::test_the_pages_example_works_from_the_schema_to_a_saved_clip",
    (
        "docs/custom-models.md",
        "hailuo-mcp models segmind/hailuo-02-draft",
    ): f"{CUSTOM_MODELS}/test_in_use.py::test_the_commands_of_the_page_do_what_it_says",
    (
        "docs/custom-models.md",
        "/home/ada/.config/hailuo-mcp/models.toml:18: duration cannot have the default 6; take from [8]",
    ): f"{CUSTOM_MODELS}/test_in_use.py::test_a_mistake_stops_the_server_with_the_line_that_the_page_shows",
    (
        "docs/deployment.md",
        "token=$(openssl rand -hex 32); "
        "printf 'studio-a:sha256:%s\\n' \"$(printf %s \"$token\" | sha256sum | cut -d' ' -f1)\"",
    ): "tests/docs/test_operating.py::test_the_pages_command_makes_a_valid_token",
    (
        "docs/deployment.md",
        "[tenants.studio-a]",
    ): "tests/docs/test_operating.py::test_the_pages_tenants_file_is_valid",
    (
        "docs/deployment.md",
        "find /clips -name '*.mp4' -mtime +30 -delete",
    ): "tests/docs/test_operating.py::test_the_timer_removes_only_old_clips",
    (
        "docs/postgresql.md",
        "CREATE ROLE hailuo LOGIN PASSWORD '…';",
    ): "tests/docs/test_operating.py::test_the_statements_create_a_database_and_its_owner",
    **{
        ("docs/batch.md", f"hailuo-mcp batch shots.jsonl {options}"): "tests/service/batch/test_docs.py"
        "::test_every_command_of_the_page_succeeds"
        for options in ("--dry-run", "--max-usd 5 --yes", "--json", "--retry-failed --yes", "--join film.mp4")
    },
}
"""By page and first line: the test that runs the block."""

LINES: Mapping[tuple[str, str], str] = {
    (
        "README.md",
        "pip install uv && uv run hailuo-mcp demo",
    ): "tests/docs/test_transcript.py::test_the_documented_output_is_that_of_the_demo",
    (
        "README.md",
        "git clone https://github.com/hailuo-mcp/hailuo-mcp && cd hailuo-mcp",
    ): "tests/test_packaging.py::test_the_clone_line_names_the_repository",
    ("README.md", "uv run pytest"): ".ci/run::uv run --locked pytest",
    (
        "docs/benchmarks.md",
        "uv run python -m benchmarks",
    ): "tests/docs/test_benchmarks.py::test_the_command_runs_only_the_requested_benchmark",
    (
        "docs/deployment.md",
        "hailuo-mcp serve --http --host 0.0.0.0 --port 8000",
    ): "tests/http/test_access.py::test_public_host_needs_both_tokens_and_allowed_hosts",
    (
        "docs/deployment.md",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318",
    ): "tests/telemetry/test_export.py::OTEL_EXPORTER_OTLP_ENDPOINT",
    (
        "docs/troubleshooting.md",
        "hailuo-mcp",
    ): "tests/cli/test_stdio.py::test_without_arguments_stdout_carries_only_the_protocol",
}
"""By page and line: the test of a shell line that `test_blocks.py` cannot run itself, because it starts a server or
another program."""

UNRUN: Mapping[tuple[str, str], tuple[str, str]] = {
    (
        "docs/deployment.md",
        "clients -- https --> nginx -- http --> 5 x hailuo-mcp serve --http -- https --> gateways",
    ): ("a drawing", "## Overview"),
}
"""By page and first line: why a block is not run, and the text in which the page says so."""


def covering_test(block: Block) -> str | None:
    """The test that covers the block; None where there is none."""
    key = block.page, block.head
    if block.generated:
        return "tests/docs/test_readme.py::test_generated_parts_are_up_to_date"
    if key in UNRUN:
        return NOT_RUN
    if key in BLOCKS:
        return BLOCKS[key]
    if block.language in PARSERS:
        return "tests/docs/test_blocks.py::test_data_blocks_can_be_parsed"
    if is_shell(block) and all(covering_test_of_line(block, line) for line in block.commands):
        return "tests/docs/test_blocks.py::test_commands_exit_as_documented"
    return None


def is_shell(block: Block) -> bool:
    return block.language in (SHELL, INDENTED) and (block.page, block.head) not in {*BLOCKS, *UNRUN}


def covering_test_of_line(block: Block, line: str) -> str | None:
    """The test that covers one line of a shell block; None where there is none."""
    if named := LINES.get((block.page, line)):
        return named
    try:
        command = Command.read(line)
    except ValueError:  # an unclosed quotation mark
        return None
    if not command.words:
        return "tests/docs/test_blocks.py::test_variables_are_settings" if command.variables else None
    if command.words[0] == PROGRAM:
        return "tests/docs/test_blocks.py::test_commands_exit_as_documented"
    return next((by for words, by in INSTALLERS.items() if command.words[: len(words)] == words), None)


def requirement(command: Command) -> Requirement | None:
    """The package that a command installs."""
    for words in INSTALLERS:
        if command.words[: len(words)] == words:
            (name,) = command.words[len(words) :]
            return Requirement(re.sub(r"^\.(?=\[|$)", PROGRAM, name))  # a dot is the checkout itself
    return None

"""The list in ARCHITECTURE.md, "Add a tool", followed in a copy of the package: it is complete.

The copy runs in a separate process, so that no other test sees what is added here.
"""

from pathlib import Path

import pytest

from tests.support import facts_of, server, text_of
from tests.test_extending import copied_package, edit

COUNT_JOBS = '''
"""count_jobs: how many jobs there are."""

from typing import Annotated

from mcp_types import CallToolResult
from pydantic import Field

from hailuo_mcp.core.job import State
from hailuo_mcp.mcp.tools.base import Arguments, Call, Hint, Tool, answer
from hailuo_mcp.mcp.views import View


class CountJobs(Arguments):
    state: Annotated[State, Field(description="Only jobs in this state."), Hint("Pass a state.")]


class Count(View):
    count: int


async def count_jobs(arguments: CountJobs, call: Call) -> CallToolResult:
    page = await call.session.jobs(arguments.state, 1)
    return answer(Count(count=page.total), f"{page.total} jobs.")


TOOL = Tool(
    name="count_jobs",
    title="Count jobs",
    description="How many jobs are in a state.",
    arguments=CountJobs,
    result=Count,
    run=count_jobs,
    read_only=True,
    open_world=False,
)
'''


@pytest.mark.slow
async def test_adding_a_tool_takes_one_file_listed_in_its_package(tmp_path: Path) -> None:
    tools = copied_package(tmp_path) / "mcp" / "tools"
    (tools / "count_jobs.py").write_text(COUNT_JOBS.lstrip())
    edit(tools / "__init__.py", "tools import cancel_job,", "tools import cancel_job, count_jobs,")
    edit(tools / "__init__.py", "\n    cancel_job.TOOL,\n", "\n    cancel_job.TOOL,\n    count_jobs.TOOL,\n")

    async with server(tmp_path) as client:
        *_, added = (await client.list_tools()).tools
        assert (added.name, added.input_schema["required"]) == ("count_jobs", ["state"])
        assert added.input_schema["properties"]["state"]["type"] == "string"
        assert added.annotations
        assert (added.annotations.read_only_hint, added.annotations.open_world_hint) == (True, False)

        await client.call_tool("generate_video", {"prompt": "a kite sandbox:never"})
        counted = await client.call_tool("count_jobs", {"state": "queued"})
        assert (facts_of(counted), text_of(counted)) == ({"count": 1}, "1 jobs.")
        for arguments, message in (
            ({}, "state is missing."),
            (
                {"state": "gone"},
                "state must be one of unconfirmed, queued, processing, completed, failed, expired, cancelled, "
                'got "gone".',
            ),
            ({"state": "queued", "x": 1}, "There is no argument x (given: 1)."),
        ):
            refused = facts_of(await client.call_tool("count_jobs", arguments))["error"]
            assert (refused["code"], refused["message"]) == ("invalid_input", message)

"""`hailuo-mcp doctor`: check the setup, and say how to fix what does not work."""

import logging
import os
from collections.abc import Mapping

import anyio
import click

from hailuo_mcp.cli.doctor import Finding, Level, Report, run_checks
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.output import print_json, stdout_console

STYLES: Mapping[Level, str] = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}
_LEVEL_WIDTH = max(map(len, Level))
_TOPIC_WIDTH = 18


@click.command()
@click.option("--offline", is_flag=True, help="Do not check the keys with the gateways.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(offline: bool, as_json: bool) -> Exit:
    """Check the whole setup, and say how to fix what is wrong.

    Checks Python and packages, settings, keys, directories, the database, the gateways and the clock. It changes
    nothing and costs nothing: it only asks the gateways for a job that does not exist. At most the last four characters
    of a key are shown.

    It sees the variables of this terminal: run it with those that the host sets for the server.
    """
    logging.getLogger("hailuo_mcp").setLevel(logging.ERROR)  # the findings report the same
    report = anyio.run(lambda: run_checks(os.environ, offline=offline))
    if as_json:
        print_json(report)
    else:
        _print(report)
    return Exit.PROBLEM_FOUND if report.verdict is Level.PROBLEM else Exit.DONE


def _print(report: Report) -> None:
    for finding in report.findings:
        _print_finding(finding)
    counted = ", ".join(
        f"{number} {level.value}{'s' if number > 1 else ''}"
        for level in (Level.PROBLEM, Level.WARNING)
        if (number := sum(finding.level is level for finding in report.findings))
    )
    stdout_console().print(f"\n{counted or 'No problems found'}.", style=STYLES[report.verdict])


def _print_finding(finding: Finding) -> None:
    stdout_console().print(f"{finding.level.value:<{_LEVEL_WIDTH}} ", style=STYLES[finding.level], end="")
    stdout_console().print(f"{finding.topic:<{_TOPIC_WIDTH}} ", style="bold", end="")
    stdout_console().print(finding.message)
    if finding.fix:
        stdout_console().print(f"{'':<{_LEVEL_WIDTH + _TOPIC_WIDTH + 2}}-> {finding.fix}", style="dim")

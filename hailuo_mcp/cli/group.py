"""The commands, their help, and the mapping of errors to exit codes."""

import errno
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from hailuo_mcp.cli import version
from hailuo_mcp.cli.exits import Exit, exit_of_problem
from hailuo_mcp.cli.output import PROGRAM, print_json, print_problem, stderr_console
from hailuo_mcp.core.errors import HailuoError, InternalError, InvalidInput
from hailuo_mcp.core.settings import PREFIX, SettingsError, variables
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.mcp.views import error_view
from hailuo_mcp.service.poll_policy import POLICY, PollPolicy

log = logging.getLogger(__name__)

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "See it work, without a key": {"demo": "demo"},
    "Put it into a host": {"install": "installer.command", "uninstall": "installer.command"},
    "The way of a job": {
        "models": "models",
        "generate": "generate",
        "status": "jobs",
        "download": "jobs",
        "jobs": "jobs",
        "batch": "batch",
    },
    "Serve assistants over HTTP": {"serve": "serve"},
    "Rehearse": {"sandbox": "sandbox"},
    "When something is wrong": {"doctor": "doctor.command"},
}
"""Heading to commands, each with its module in this package. A command is imported when it is used."""
EXAMPLES = (
    f'{PROGRAM} generate "[Push in] A red kite over the bay" --wait',
    f'id=$({PROGRAM} generate "A red kite" --json | jq -r .request_id)\n{PROGRAM} status "$id" --wait',
)
_INDENT = 40


class Commands(click.Group):
    """The group, in the order in which a job uses the commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for section in SECTIONS.values():
            if module := section.get(cmd_name):
                command: click.Command = getattr(import_module(f"hailuo_mcp.cli.{module}"), cmd_name)
                return command
        return None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, section in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (name, command.get_short_help_str(90))
                        for name in section
                        if (command := self.get_command(ctx, name))
                    ]
                )
        click.Command.format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in EXAMPLES:
                for line in example.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        with formatter.section("Environment"):
            formatter.write_dl(_environment(), col_max=_INDENT)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), code.meaning) for code in Exit])


def _environment() -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for gateway in GATEWAYS:
        prefix = gateway.name.upper()
        rows.append((f"{prefix}_API_KEY", f"Key of {gateway.title}; unset: its models are not offered."))
        rows += [
            (f"{prefix}_{purpose.upper()}_URL", f"Default: {address}") for purpose, address in gateway.hosts.items()
        ]
    return [*rows, *variables().items()]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version(), prog_name=PROGRAM)
def commands() -> None:
    """Generate Hailuo (MiniMax) videos, from an AI assistant or from here.

    Without a command this is the MCP server on stdin and stdout, which an assistant's host starts. The commands do the
    same things by hand, with the same jobs: what an assistant submitted can be asked for here, and the other way round.

    A clip takes one to nine minutes and costs money. Without a gateway's key, the built-in sandbox answers: previews
    that cost nothing.
    """


def run(args: Sequence[str], poll_policy: PollPolicy = POLICY) -> int:
    """Run a command, and return its exit code."""
    as_json = "--json" in args
    try:
        outcome = commands.main(args=list(args), prog_name=PROGRAM, standalone_mode=False, obj=poll_policy)
        return int(outcome or Exit.DONE)
    except click.ClickException as error:
        error.show(sys.stderr)
        return _refused(InvalidInput(error.format_message()), Exit.WRONG_CALL, as_json=as_json)
    except SettingsError as error:
        stderr_console().print(f"error: {error}", style="red")
        return _refused(InvalidInput(str(error), "Correct the environment."), Exit.WRONG_CALL, as_json=as_json)
    except HailuoError as error:
        print_problem(error.problem)
        return _refused(error, exit_of_problem(error.problem), as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        stderr_console().print("Interrupted.")
        return Exit.INTERRUPTED
    except OSError as error:
        if error.errno != errno.EPIPE:
            return _unforeseen(error, args)
        # The reader of stdout is gone; keep the interpreter from reporting an error when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.UNFORESEEN
    except Exception as error:
        return _unforeseen(error, args)


def _refused(error: HailuoError, code: Exit, *, as_json: bool) -> Exit:
    if as_json:
        print_json({"error": error_view(error)})
    return code


def _unforeseen(error: Exception, args: Sequence[str]) -> Exit:
    """The message is only logged, at level DEBUG: it may quote a key."""
    submitting = args[:1] in (["generate"], ["batch"])
    look_first = " Look at the jobs before submitting again: list_jobs." if submitting else ""
    problem = InternalError(
        f"Something unforeseen happened: {type(error).__name__}.",
        f"{PREFIX}LOG_LEVEL=DEBUG shows where.{look_first}",
        charged="unknown" if submitting else "no",
    )
    log.debug("unforeseen", exc_info=error)
    print_problem(problem.problem)
    return _refused(problem, Exit.UNFORESEEN, as_json="--json" in args)

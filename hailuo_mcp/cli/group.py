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
from hailuo_mcp.core.setting_values import PREFIX, SettingsError
from hailuo_mcp.mcp.views import error_view
from hailuo_mcp.service.poll_policy import POLICY, PollPolicy

log = logging.getLogger(__name__)

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "Make two previews with a real client, to see it work."),
    "install": ("installer.command", "Add the server to an assistant on this machine."),
    "uninstall": ("installer.command", "Remove the server from an assistant."),
    "models": ("models", "List the usable models, or show the details of one."),
    "generate": ("generate", "Submit a job."),
    "status": ("jobs", "Show a job's state, and its clip once completed."),
    "download": ("jobs", "Save a completed job's clip."),
    "cancel": ("jobs", "Cancel a job that is still queued."),
    "jobs": ("jobs", "List recent jobs; finds a lost request id."),
    "batch": ("batch", "Submit many shots from a file."),
    "serve": ("serve", "Serve MCP over HTTP."),
    "sandbox": ("sandbox", "Serve a stand-in for every gateway."),
    "settings": ("settings", "List the environment variables, and which are set."),
    "doctor": ("doctor.command", "Check the setup, and say how to fix it."),
}
"""Command to its module in this package and its line in the help. A command's module is imported only when it runs."""


class Commands(click.Group):
    """The group of commands, imported lazily and listed in the order of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"hailuo_mcp.cli.{module}"), cmd_name)
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
        click.Command.format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), code.meaning) for code in Exit])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version(), prog_name=PROGRAM)
def commands() -> None:
    """Generate Hailuo (MiniMax) videos from an assistant or a terminal.

    Without a command, this is the MCP server on stdin and stdout, which an assistant's host starts. Without a gateway's
    key, the sandbox is used: previews that cost nothing.
    """


def run(args: Sequence[str], poll_policy: PollPolicy = POLICY) -> int:
    """Run a command, and return its exit code."""
    try:
        outcome = commands.main(args=list(args), prog_name=PROGRAM, standalone_mode=False, obj=poll_policy)
        return int(outcome or Exit.DONE)
    except click.ClickException as error:
        error.show(sys.stderr)
        return _failed(InvalidInput(error.format_message()), args)
    except SettingsError as error:
        stderr_console().print(f"error: {error}", style="red")
        return _failed(InvalidInput(str(error), "Correct the environment."), args)
    except HailuoError as error:
        print_problem(error.problem)
        return _failed(error, args)
    except (KeyboardInterrupt, click.Abort):
        stderr_console().print("Interrupted.")
        return Exit.INTERRUPTED
    except OSError as error:
        if error.errno != errno.EPIPE:
            return _unexpected_error(error, args)
        # The reader of stdout is gone; keep the interpreter from reporting an error when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.UNEXPECTED
    except Exception as error:
        return _unexpected_error(error, args)


def _failed(error: HailuoError, args: Sequence[str]) -> Exit:
    if "--json" in args:
        print_json({"error": error_view(error)})
    return exit_of_problem(error.problem)


def _unexpected_error(error: Exception, args: Sequence[str]) -> Exit:
    """Report an unexpected exception. Its message is only logged at level DEBUG, because it may quote a key."""
    submitting = args[:1] in (["generate"], ["batch"])
    look_first = " Check list_jobs before submitting again." if submitting else ""
    internal = InternalError(
        f"Unexpected error: {type(error).__name__}.",
        f"{PREFIX}LOG_LEVEL=DEBUG shows where.{look_first}",
        charged="unknown" if submitting else "no",
    )
    log.debug("unexpected error", exc_info=error)
    print_problem(internal.problem)
    return _failed(internal, args)

"""The command line. Without arguments it is the MCP server on stdio, which hosts start many times a day: imports are
inside the functions, so that the server loads nothing it does not need.
"""

import gc
import os
import sys
from types import ModuleType


def main() -> None:
    """The entry point of `hailuo-mcp` and of `python -m hailuo_mcp`."""
    # httpx imports its own command line, and with it rich and pygments, which takes longer than the rest of httpx. It
    # works without it.
    sys.modules.setdefault("httpx._main", ModuleType("httpx._main"))
    if len(sys.argv) == 1:
        sys.exit(serve_on_stdio())
    from hailuo_mcp.cli.group import run

    sys.exit(run(sys.argv[1:]))


def version() -> str:
    from importlib.metadata import version as installed

    return installed("hailuo-mcp")


def serve_on_stdio() -> int:
    """Serve until stdin closes. Returns the exit code; `exits.py` lists the codes."""
    gc.disable()  # collections would take a tenth of the startup time, and imported objects stay anyway
    from hailuo_mcp.app import build_services, load_settings, set_up_logging
    from hailuo_mcp.core.setting_values import SettingsError
    from hailuo_mcp.core.signals import INTERRUPTED, run_until_signalled
    from hailuo_mcp.mcp.stdio import serve_stdio
    from hailuo_mcp.telemetry.exporter import exporting

    gc.freeze()
    gc.enable()
    try:
        settings = load_settings()
        set_up_logging(settings)
        if sys.stdin.isatty():
            sys.stderr.write(
                "hailuo-mcp is waiting for an MCP client on stdin; Ctrl-C ends it; see hailuo-mcp --help.\n"
            )
        with exporting(os.environ, version()):
            run_until_signalled(lambda: serve_stdio(lambda: build_services(settings, work=True), version()))
    except SettingsError as error:
        sys.stderr.write(f"hailuo-mcp: {error}\n")
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0

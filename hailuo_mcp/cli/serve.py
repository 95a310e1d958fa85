"""`hailuo-mcp serve --http`: the MCP server on a port."""

import gc
import os
from contextlib import AbstractAsyncContextManager

import click

from hailuo_mcp.app import build_catalog, build_services, load_settings, set_up_logging
from hailuo_mcp.cli import serve_on_stdio, version
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.output import PROGRAM, stderr_console, stdout_console
from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.signals import run_until_signalled
from hailuo_mcp.http.app import serve_http
from hailuo_mcp.http.exposure import check_exposure
from hailuo_mcp.service.services import Services
from hailuo_mcp.telemetry.exporter import exporting

PORT = 8000
GARBAGE_THRESHOLDS = 50_000, 20, 100
"""By default, Python's garbage collector runs after 700 new objects, and regularly over all objects. With two thousand
waiting calls, that was a quarter of the server's time; with these thresholds it is a few percent, at the cost of a few
megabytes."""


@click.command()
@click.option("--http", is_flag=True, help="Serve streamable HTTP.")
@click.option("--stdio", is_flag=True, help=f"Serve stdio, like `{PROGRAM}` without arguments; for containers.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any free one.")
@click.option("--public-url", metavar="URL", help="The URL for remote clients; also set by HAILUO_MCP_PUBLIC_URL.")
def serve(http: bool, stdio: bool, host: str, port: int, public_url: str | None) -> Exit:
    """Serve MCP over HTTP at /mcp.

    Without tokens it serves only clients on this machine. On any address other than loopback it requires
    HAILUO_MCP_HTTP_TOKENS or HAILUO_MCP_OAUTH_ISSUER, and HAILUO_MCP_ALLOWED_HOSTS or a public URL.

    Once it listens, it prints its URL on stdout, on a line by itself. Ctrl-C stops it once the calls in flight are
    finished. Unlike on stdio, no local files are read, the sandbox is used only with HAILUO_MCP_SANDBOX=1, and finished
    clips are saved automatically only with HAILUO_MCP_AUTO_DOWNLOAD=1.
    """
    if stdio:
        return Exit(serve_on_stdio())
    if not http:
        raise click.ClickException(f"use `{PROGRAM} serve --http`; for stdio, run `{PROGRAM}` without arguments")
    settings = load_settings({**os.environ, **({f"{PREFIX}PUBLIC_URL": public_url} if public_url else {})}, http=True)
    check_exposure(settings, host)
    set_up_logging(settings)
    build_catalog(settings)  # report invalid models before the port is bound
    listener = listener_on(host, port)

    def open_services(base_url: str) -> AbstractAsyncContextManager[Services]:
        return build_services(settings, local_files=False, work=True, base_url=base_url)

    gc.set_threshold(*GARBAGE_THRESHOLDS)
    with listener, exporting(os.environ, version()):
        run_until_signalled(lambda: serve_http(settings, open_services, version(), listener, _announce))
    return Exit.DONE


def _announce(url: str) -> None:
    stdout_console().print(url)
    stdout_console().file.flush()
    if (console := stderr_console()).is_terminal:  # otherwise stderr has only the log, which programs may parse
        console.print("Give this URL to an MCP client. Ctrl-C stops the server.")

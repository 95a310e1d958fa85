"""`hailuo-mcp serve --http`: the MCP server on a port of this machine."""

import socket

import anyio
import click

from hailuo_mcp.app import build_studio, exporting, load_settings, set_up_logging
from hailuo_mcp.cli import version
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.output import PROGRAM, remarks, results
from hailuo_mcp.http import is_loopback, serve_http

PORT = 8000


@click.command()
@click.option("--http", is_flag=True, help="Speak streamable HTTP; stdio needs no command at all.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any free one.")
def serve(http: bool, host: str, port: int) -> Exit:
    """Serve MCP over HTTP at /mcp, for clients on this machine.

    Once it listens, its URL is printed on stdout, alone on a line. Ctrl-C ends it, after the calls in flight have their
    answers. Unlike on stdio, no local files are read, the sandbox only serves where HAILUO_MCP_SANDBOX=1 asks for it,
    and finished clips are saved by themselves only with HAILUO_MCP_AUTO_DOWNLOAD=1.
    """
    if not http:
        raise click.ClickException(f"say `{PROGRAM} serve --http`; on stdio, `{PROGRAM}` serves without any argument")
    if not is_loopback(host):
        raise click.ClickException(
            f"--host {host} is refused: serving others needs tokens, which this version does not have; "
            "use 127.0.0.1, localhost or ::1"
        )
    settings = load_settings(http=True)
    set_up_logging(settings)
    studio = build_studio(settings, local_files=False, watch=True)
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host} port {port}: {error.strerror}; choose another") from None
    with listener, exporting(version()):
        anyio.run(serve_http, studio, version(), listener, _announce)
    return Exit.DONE


def _announce(url: str) -> None:
    results().print(url)
    results().file.flush()
    if (people := remarks()).is_terminal:  # elsewhere stderr holds the log alone, which machines read
        people.print("Give this URL to an MCP client on this machine. Ctrl-C ends it.")

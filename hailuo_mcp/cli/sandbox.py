"""`hailuo-mcp sandbox`: the stand-in for all gateways, on a port."""

from pathlib import Path

import click
import uvicorn

from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.options import Number
from hailuo_mcp.cli.output import stderr_console, stdout_console
from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.cli.session import read_environment
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.sandbox import FAULTS, KEEP_ALIVE_SECONDS, create_app

PORT = 8765
DUMMY_KEY = "sandbox-key"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any free one.")
@click.option("--seconds", type=Number(3600), help="How long a job takes.")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its jobs and clips are stored. Default: in the user's state directory.",
)
def sandbox(host: str, port: int, seconds: float | None, state_dir: Path | None) -> Exit:
    """Serve a stand-in for every gateway on a port.

    It implements the gateways' APIs exactly, for trial runs and for testing other clients; nothing is charged, and its
    clips are previews. Webhooks are called when a job ends, on this machine only. Once it listens, it prints its URL on
    stdout, on a line by itself. Ctrl-C stops it.
    """
    settings = read_environment()
    place = state_dir or settings.state_dir / "sandbox-server"
    try:
        app = create_app(place, seconds=settings.sandbox_seconds if seconds is None else seconds, callbacks=True)
    except OSError as error:
        raise click.UsageError(f"cannot write in {place}: {error.strerror}; choose another --state-dir") from None
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", timeout_keep_alive=KEEP_ALIVE_SECONDS
    )
    with listener_on(host, port) as listener:
        try:
            # Connections are accepted already; requests are answered a moment later.
            _announce(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}")
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            stderr_console().print("The sandbox has stopped.")
    return Exit.DONE


def _announce(url: str) -> None:
    stdout_console().print(url)
    stdout_console().file.flush()
    show = stderr_console().print
    show("The sandbox is running: it stands in for every gateway, and nothing is charged.\n")
    show("To point hailuo-mcp at it, in another terminal:\n")
    for gateway in GATEWAYS:
        name = gateway.name.upper()
        show(f"  export {name}_BASE_URL={url} {name}_API_KEY={DUMMY_KEY}")
    show("\nThese keywords in a prompt trigger faults:\n")
    width = max(map(len, FAULTS))
    for word, meaning in FAULTS.items():
        show(f"  {word:<{width}}  ", end="", style="bold")
        show(meaning)
    show("\nCtrl-C stops it.")

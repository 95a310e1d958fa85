"""What all tests share: figures that a test measured are printed at the end of the run, even if output is captured; a
PostgreSQL server, started when the first test needs it; and temporary files in memory if there is room.

The network beyond loopback is blocked for every test by pytest-socket (see pyproject.toml).
"""

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest

from tests.postgres import Postgres, shared_postgres, started_postgres

FIGURES = "figures"
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 1024**3

if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
    # Thousands of ledgers would each wait for the disk several times, and no test is about a power failure.
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# A property does not become false because the machine is busy. Everything else keeps Hypothesis's defaults, here and in
# CI.
hypothesis.settings.register_profile("busy machine", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("busy machine")

# Otherwise, every worker recompiles all tests, and every process that a test starts recompiles its imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell makes its background commands ignore Ctrl-C, and nohup makes a command ignore SIGHUP; the processes that tests
# start and signal would inherit this.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _log_of_every_level() -> None:  # pyright: ignore[reportUnusedFunction]  pytest calls it
    """Restore the log level: a command that ran in this process sets it for itself."""
    logging.getLogger("hailuo_mcp").setLevel(logging.NOTSET)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Puts lines into the summary of the run."""
    return lambda text: record_property(FIGURES, text)


@pytest.fixture(scope="session")
def postgres(testrun_uid: str) -> Generator[Postgres]:
    """The server of this run. If none is available, the tests that need it fail."""
    with shared_postgres(testrun_uid) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Generator[str]:
    """A new database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def own_postgres() -> Generator[Postgres]:
    """A server that no other test uses, in a directory that the server's user can reach if the tests run as root."""
    with started_postgres(Path(tempfile.gettempdir()) / f"hailuo-restarted-{uuid4().hex[:8]}") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new ledger: a test that uses it runs on both engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'jobs.sqlite3'}"
    return request.getfixturevalue("postgres_url")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            # Only reports of test calls: a failed set-up has nothing to report, and collection errors have no
            # properties.
            if not isinstance(report, pytest.TestReport) or report.when != "call":
                continue
            for name, text in report.user_properties:
                if name == FIGURES:
                    terminalreporter.write_sep("-", f"{report.nodeid.split('::')[-1]} ({report.duration:.0f} s)")
                    terminalreporter.write_line(str(text))

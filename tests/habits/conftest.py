"""What a job costs a context is printed at the end of the run, also where output is captured."""

from collections.abc import Callable

import pytest

PRINTED = "what it costs a context"


@pytest.fixture
def printed(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Puts lines into the summary of the run."""
    return lambda text: record_property(PRINTED, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if not isinstance(report, pytest.TestReport) or report.when != "call":
                continue
            for name, text in report.user_properties:
                if name == PRINTED:
                    terminalreporter.write_line(str(text))

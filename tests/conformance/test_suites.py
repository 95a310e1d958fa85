"""Every server scenario of both conformance suites, in both spec versions, against the HTTP server. `baseline.yml`
lists what is expected to fail, and why; a suite fails on any other failure, and on a listed scenario that passes.
"""

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first test also waits for the installation

BASELINE = Path(__file__).parent / "baseline.yml"
ONE_RUN_SECONDS = 120
CURRENT = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
EARLIER = "node_modules/conformance-0.1/dist/index.js"
RUNS = [
    pytest.param(CURRENT, "2025-11-25", "server-initialize", id="0.2.0-alpha.12 2025-11-25"),
    pytest.param(CURRENT, "2026-07-28", "caching", id="0.2.0-alpha.12 2026-07-28"),
    pytest.param(EARLIER, "2025-11-25", "server-initialize", id="0.1.16 2025-11-25"),
]
NEEDS_SESSIONS = {"2025-11-25": "server-sse-multiple-streams"}
"""Ends with a warning, which counts as a failure, where the protocol has sessions but the server has none, because any
replica answers any call. In a version without sessions it passes, so the common baseline cannot list it."""


@pytest.mark.parametrize(("suite", "spec_version", "generic_scenario"), RUNS)
def test_only_scenarios_that_need_fixtures_fail(
    suite: str, spec_version: str, generic_scenario: str, suites: Path, node: str, url: str, tmp_path: Path
) -> None:
    expected = tmp_path / "expected.yml"
    extra = NEEDS_SESSIONS.get(spec_version)
    expected.write_text(BASELINE.read_text() + (f"  - {extra}\n" if extra else ""))
    options = ["--suite", "all", "--spec-version", spec_version, "--expected-failures", str(expected)]
    done = subprocess.run(
        [node, suite, "server", "--url", url, *options],
        cwd=suites,
        capture_output=True,
        text=True,
        timeout=ONE_RUN_SECONDS,
        check=False,
    )
    output = done.stdout + done.stderr
    print(output[output.rfind("=== SUMMARY") :])
    assert done.returncode == 0
    assert f"✓ {generic_scenario}: " in output  # the scenario ran


def test_every_expected_failure_has_its_reason() -> None:
    entries = [line for line in BASELINE.read_text().splitlines() if line.strip().startswith("- ")]
    assert entries
    assert [line for line in entries if "#" not in line] == []
    names = [line.split("#")[0].strip() for line in entries]
    assert len(names) == len(set(names))

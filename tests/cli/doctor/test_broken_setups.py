"""The real command reports every broken setup with its fix; no run leaks a key or leaves files behind."""

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing

import pytest

from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.ledger.sqlite_schema import MIGRATIONS
from tests.cli.doctor.conftest import KEY, Doctor, configure, fake_gateway
from tests.support import KEYS, sandbox_on_a_port

pytestmark = pytest.mark.slow

NOT_FOUND = b'{"error": "Request not found"}'
PAGE = b"<!doctype html><title>404</title>"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    with sandbox_on_a_port(tmp_path_factory.mktemp("sandbox")) as variables:
        yield variables


# --- valid setups ---------------------------------------------------------------------------------------------------


def test_a_valid_setup_has_no_problem_and_leaves_no_files(doctor: Doctor, sandbox: dict[str, str]) -> None:
    found = doctor(**sandbox)
    assert found.problems == []
    for kind in GATEWAYS:
        assert found.finding(f"{kind.name} gateway")["level"] == "ok"
        assert "accepts the key" in found.finding(f"{kind.name} gateway")["what"]
    assert "agrees with" in found.finding("clock")["what"]
    assert list(doctor.home.iterdir()) == []


def test_the_text_output_has_a_line_and_a_fix_for_each_finding(doctor: Doctor) -> None:
    done = doctor.run("--offline", HAILUO_MCP_SANDBOX="0")
    assert done.returncode == Exit.PROBLEM_FOUND
    lines = done.stdout.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("problem sandbox"))
    assert lines[at + 1].strip().startswith("-> Set one of SEGMIND_API_KEY")
    assert lines[-1] == "1 problem."


# --- keys and gateways ----------------------------------------------------------------------------------------------


def test_a_missing_key_is_reported_with_the_variables_to_set(doctor: Doctor) -> None:
    found = doctor("--offline")
    assert found.finding("sandbox")["level"] == "warning"
    assert "no key is set" in found.finding("sandbox")["what"]
    assert all(f"{kind.name.upper()}_API_KEY" in found.finding("sandbox")["cure"] for kind in GATEWAYS)


def test_a_wrong_key_is_reported_with_its_host(doctor: Doctor, sandbox: dict[str, str]) -> None:
    found = doctor(**sandbox | dict.fromkeys(KEYS, "bad-key"))
    assert found.problems == [f"{kind.name} gateway" for kind in GATEWAYS]
    for kind in GATEWAYS:
        assert "refuses the key" in found.finding(f"{kind.name} gateway")["what"]
        assert f"{kind.name.upper()}_API_KEY" in found.finding(f"{kind.name} gateway")["cure"]
    assert "bad-key" not in found.output


def test_a_forbidden_key_is_distinguished_from_a_wrong_one(doctor: Doctor, sandbox: dict[str, str]) -> None:
    found = doctor(**{**sandbox, "SEGMIND_API_KEY": "forbidden"})
    assert found.problems == ["segmind gateway"]
    assert "does not allow this key" in found.finding("segmind gateway")["what"]
    assert "permissions" in found.finding("segmind gateway")["cure"]


def test_a_wrong_gateway_address_is_reported_with_the_right_one(doctor: Doctor) -> None:
    with fake_gateway(404, PAGE) as lost, fake_gateway(200, PAGE) as front_page, fake_gateway(403, PAGE) as wall:
        found = doctor(
            **KEYS, SEGMIND_BASE_URL=lost, APIXO_BASE_URL=front_page, **dict.fromkeys(_others("SEGMIND", "APIXO"), wall)
        )
    for kind in GATEWAYS:
        assert found.finding(f"{kind.name} gateway")["level"] == "problem"
        assert f"not as {kind.title} does" in found.finding(f"{kind.name} gateway")["what"]
        assert kind.hosts["base"] in found.finding(f"{kind.name} gateway")["cure"]


def _others(*names: str) -> list[str]:
    return [f"{kind.name.upper()}_BASE_URL" for kind in GATEWAYS if kind.name.upper() not in names]


@pytest.mark.parametrize(("ahead", "difference"), [(600, "10 min behind"), (-600, "10 min ahead of")])
def test_a_wrong_clock_is_reported(doctor: Doctor, ahead: float, difference: str) -> None:
    with fake_gateway(404, NOT_FOUND, ahead=ahead) as url:
        found = doctor(SEGMIND_API_KEY=KEY, SEGMIND_BASE_URL=url)
    assert found.problems == ["clock"]
    assert difference in found.finding("clock")["what"]
    assert "time" in found.finding("clock")["cure"]
    # A service that gives the same answer to any key says nothing about this one.
    assert found.finding("segmind gateway")["level"] == "warning"
    assert "any key" in found.finding("segmind gateway")["what"]


def test_an_unreachable_address_is_reported_with_its_variable(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = doctor(APIXO_API_KEY=KEY, APIXO_BASE_URL=f"http://127.0.0.1:{port}")
    assert found.problems == ["apixo gateway"]
    assert f"127.0.0.1:{port}" in found.finding("apixo gateway")["what"]
    assert "APIXO_BASE_URL" in found.finding("apixo gateway")["cure"]


@pytest.mark.parametrize(
    ("variables", "cause", "cure"),
    [
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "SSL_CERT_FILE names /nowhere/ca.pem, which does not exist", "Correct"),
        ({"HTTPS_PROXY": "socks4://127.0.0.1:1"}, "HTTPS_PROXY names a socks4:// proxy", "socks5://"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "::1,%%"}, "NO_PROXY contains '%%'", "separated by commas"),
    ],
)
def test_wrong_proxy_and_certificate_settings_are_reported_at_startup_too(
    doctor: Doctor, variables: dict[str, str], cause: str, cure: str
) -> None:
    found = doctor(SEGMIND_API_KEY=KEY, SEGMIND_BASE_URL="https://127.0.0.1:1", **variables)
    assert cause in found.finding("network")["what"]
    assert cure in found.finding("network")["cure"]
    started = subprocess.run(
        [sys.executable, "-m", "hailuo_mcp"],
        env={**doctor.environment, "SEGMIND_API_KEY": KEY, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert cause in started.stderr
    assert len(started.stderr.splitlines()) == 1


def test_a_key_that_could_not_be_checked_is_reported_with_the_cause(doctor: Doctor) -> None:
    found = doctor(SEGMIND_API_KEY=KEY, SEGMIND_BASE_URL="https://no-such-host.invalid")
    assert "the name no-such-host.invalid does not resolve" in found.finding("segmind gateway")["what"]
    assert "DNS" in found.finding("segmind gateway")["cure"]


# --- settings -------------------------------------------------------------------------------------------------------


def test_each_wrong_setting_is_one_finding_and_hides_no_other(doctor: Doctor) -> None:
    found = doctor(
        "--offline",
        HAILUO_MCP_LOG_LEVEL="LOUD",
        HAILUO_MCP_SANDBOX_SECONDS="soon",
        HAILUO_MCP_MODELS="segmind/nope",
        SEGMIND_BASE_URL="nowhere",
    )
    assert found.problems == ["settings"] * 4
    wrong = {finding["cure"].split()[3].rstrip(".") for finding in found.findings if finding["level"] == "problem"}
    assert wrong == {"HAILUO_MCP_LOG_LEVEL", "HAILUO_MCP_SANDBOX_SECONDS", "HAILUO_MCP_MODELS", "SEGMIND_BASE_URL"}
    assert found.finding("output directory")["level"] == "ok"


# --- packages -------------------------------------------------------------------------------------------------------


def test_an_old_sdk_is_reported_with_the_required_version(doctor: Doctor) -> None:
    old = doctor.home / "old"
    (old / "mcp-1.26.0.dist-info").mkdir(parents=True)
    (old / "mcp-1.26.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mcp\nVersion: 1.26.0\n")
    # An SDK of another version lacks what the server imports: the doctor must run without it.
    (old / "mcp").mkdir()
    (old / "mcp" / "__init__.py").write_text("raise ImportError('an SDK of another version')\n")
    found = doctor("--offline", PYTHONPATH=str(old))
    assert found.problems == ["packages"]
    assert "mcp 1.26.0 is installed" in found.finding("packages")["what"]
    assert "mcp<3,>=2.3" in found.finding("packages")["cure"]


# --- directories ----------------------------------------------------------------------------------------------------


def test_an_unwritable_output_directory_is_reported(doctor: Doctor) -> None:
    in_the_way = doctor.home / "clips"
    in_the_way.write_text("a file")
    found = doctor("--offline")
    assert found.problems == ["output directory"]
    assert "in the way" in found.finding("output directory")["what"]
    assert "HAILUO_MCP_OUTPUT_DIR" in found.finding("output directory")["cure"]
    assert in_the_way.read_text() == "a file"


# --- the database ---------------------------------------------------------------------------------------------------


def test_a_broken_database_is_reported_and_left_alone(doctor: Doctor) -> None:
    path = doctor.home / "jobs.db"
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    before = path.read_bytes()
    found = doctor("--offline", HAILUO_MCP_DATABASE_URL=f"sqlite:///{path}")
    assert found.problems == ["database"]
    assert "backup" in found.finding("database")["cure"]
    assert path.read_bytes() == before
    assert [found.name for found in doctor.home.iterdir()] == ["jobs.db"]


def test_a_database_of_a_newer_version_is_reported_with_the_update(doctor: Doctor) -> None:
    path = doctor.home / "jobs.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 7}")
    found = doctor("--offline", HAILUO_MCP_DATABASE_URL=f"sqlite:///{path}")
    assert found.problems == ["database"]
    assert f"schema version {len(MIGRATIONS) + 7}" in found.finding("database")["what"]
    assert "uv tool upgrade hailuo-mcp" in found.finding("database")["cure"]


# --- hosts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        '{"command": "/gone/bin/hailuo-mcp"}',
        '{"command": "/bin/sh", "args": ["--directory", "/gone/checkout", "hailuo-mcp"]}',
    ],
)
def test_a_host_that_starts_a_missing_program_is_reported_with_its_fix(doctor: Doctor, entry: str) -> None:
    path = configure(doctor.home, entry)
    found = doctor("--offline")
    assert found.problems == ["host cursor"]
    assert "/gone/" in found.finding("host cursor")["what"]
    assert str(path) in found.finding("host cursor")["what"]
    assert "hailuo-mcp install cursor" in found.finding("host cursor")["cure"]


# --- secrets --------------------------------------------------------------------------------------------------------


def test_no_run_leaks_a_key(doctor: Doctor) -> None:
    echo = KEY.encode()
    with fake_gateway(401, b'{"error": "no such key: ' + echo + b'"}') as url:
        found = doctor(
            SEGMIND_API_KEY=KEY,
            SEGMIND_BASE_URL=url,
            APIXO_API_KEY="short-key-1",
            APIXO_BASE_URL=f"{url}/short-key-1",
            AIMLAPI_BASE_URL="sk-pasted-into-the-wrong-field",
            HAILUO_MCP_DATABASE_URL="mysql://me:pass-word-9@db.example/x",
            HAILUO_MCP_INPUT_DIRS=f"/gone/{KEY}:/gone/token-of-alice",
            OTHER_TOKENS="bob:token-of-bob,alice:token-of-alice",
        )
    assert KEY not in found.output
    assert "short-key-1" not in found.output
    assert "token-of-alice" not in found.output
    assert "sk-pasted" not in found.output
    assert "pass-word-9" not in found.output
    assert f"ending in {KEY[-4:]}" in found.finding("segmind key")["what"]
    assert KEY[-5:] not in found.output

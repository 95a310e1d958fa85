"""The log: each line has its job and tenant, and none has a secret."""

import io
import json
import logging
import re
from base64 import b64encode
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from hailuo_mcp.core.masking import MASK, SECRET_MIN
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.core.settings import GatewaySettings, Settings
from hailuo_mcp.telemetry import current, log_context, set_caller
from hailuo_mcp.telemetry.logging import MaskingFormatter, create_handler, secrets_in
from tests.http.servers import SANDBOX, TRANSPORTS
from tests.support import KEYS, facts_of, log_of, sandbox_on_a_port, settings_for

KEY = KEYS["SEGMIND_API_KEY"]


@contextmanager
def _logging(settings: Settings, **environ: str) -> Generator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    logger = logging.Logger("hailuo_mcp.test", logging.DEBUG)
    logger.addHandler(create_handler(stream, settings, environ))
    yield logger, stream


def _object(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    return json.loads(line)


def test_json_line_is_one_object_with_its_job(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, HAILUO_MCP_LOG_FORMAT="JSON")
    with _logging(settings) as (logger, stream), log_context(request_id="segmind/x/1", tenant="studio-a"):
        logger.warning("two\nlines of %s", "words")
    line = _object(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "hailuo_mcp.test",
        "message": "two\nlines of words",
        "request_id": "segmind/x/1",
        "tenant": "studio-a",
    }


def test_text_line_names_the_job_unless_the_message_does(tmp_path: Path) -> None:
    with _logging(settings_for(tmp_path)) as (logger, stream):
        logger.info("before")
        with log_context(request_id="segmind/x/1"):
            logger.info("during")
            logger.info("segmind/x/1 is named")
    before, during, named = stream.getvalue().splitlines()
    assert before.endswith("INFO hailuo_mcp.test: before")
    assert during.endswith("during [segmind/x/1]")
    assert named.endswith("is named")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_known_secret_is_ever_logged(tmp_path: Path, form: str) -> None:
    """A key is logged on purpose: in the message, in an argument, in an exception, and in an extra field."""
    settings = settings_for(tmp_path, **KEYS, HAILUO_MCP_LOG_FORMAT=form)
    quoted = "sk%2Dcollector%3D1"
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"x-team={quoted},b=c",
        "HAILUO_MCP_HTTP_TOKENS": "a:tok-of-a,b:tok-of-b",
    }
    with _logging(settings, **environ) as (logger, stream):
        logger.info("the key is %s", KEY)
        logger.info(f"lower {KEY.lower()}", extra={"asked": {"header": KEY}})
        try:
            raise ValueError(f"Illegal header value {KEY.encode()!r}")
        except ValueError:
            logger.exception("failed")
        logger.info("collector %s", "sk-collector=1")
        logger.info("encoded %s", b64encode(f"Bearer {KEY}".encode()))
        logger.info("spelled %s", "".join(f"%{ord(c):02x}" for c in KEY))
        logger.info("tokens tok-of-a and tok-of-b")
        with log_context(secrets=("one-of-the-callers",)):
            logger.info("their %s", "one-of-the-callers")
    written = stream.getvalue()
    assert KEY.lower() not in written.lower()
    assert "sk-collector" not in written
    assert "one-of" not in written
    assert "%73%6b" not in written
    assert b64encode(KEY.encode()).decode()[8:16] not in written
    assert "tok-of" not in written
    assert "ValueError: Illegal header value" in written
    assert written.count(MASK) >= 4


def test_every_secret_in_the_settings_is_found() -> None:
    settings = Settings.model_validate({"gateways": {"a": GatewaySettings(key=SecretStr("first-key"), urls={})}})
    deep = {"x": [SecretStr("second-key"), (settings, {"y": SecretStr("third-key")})], "z": "no secret"}
    assert set(secrets_in(deep)) == {"first-key", "second-key", "third-key"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET https://cdn.example/a.mp4?Signature=abc&Expires=1 failed", "GET https://cdn.example/a.mp4?*** failed"),
        ("see <https://h/x?sig=1>, https://h/y", "see <https://h/x?***>, https://h/y"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'x-api-key': 'abc', 'accept': 'json'}", "{'x-api-key': '***', 'accept': 'json'}"),
        ("headers=[(b'authorization', b'Bearer abc')]", "headers=[(b'authorization', b'Bearer ***')]"),
        ("X-Segmind-Api-Key=abc", "X-Segmind-Api-Key=***"),
        ("postgresql://mcp:secret@db/x", "postgresql://***@db/x"),
        ("a picture data:image/png;base64,iVBORw0KGgo= here", "a picture data:image/png;base64,*** here"),
        ("segmind/hailuo-02-fast/1 is looked at again later: gateway_error", None),
        ("check that SEGMIND_API_KEY is the key it was submitted with", None),
        ("Set one of SEGMIND_API_KEY, APIXO_API_KEY, HAILUO_MCP_HTTP_TOKENS", None),
        ("SEGMIND_API_KEY=SG_1f2e3d_KEY1", "SEGMIND_API_KEY=***"),
    ],
)
def test_only_text_that_looks_like_a_secret_is_masked(text: str, masked: str | None) -> None:
    formatter = MaskingFormatter(logging.Formatter("%(message)s"), ())
    record = logging.LogRecord("x", logging.INFO, "", 0, text, None, None)
    assert formatter.format(record) == (masked or text)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=SECRET_MIN).filter(
        lambda secret: len(secret.replace("\\", "")) >= SECRET_MIN
    )
)
@example("00%00")  # without its escape, it is shorter than what is masked
@example("0%00\\0")
@example("LOGGE")  # is in the name of a field, too
def test_a_key_of_any_characters_is_masked_in_every_form(secret: str) -> None:
    for inner in (logging.Formatter("%(message)s"), _json()):
        record = logging.LogRecord("x", logging.INFO, "", 0, "<%s> <%r>", (secret, secret), None)
        line = MaskingFormatter(inner, (secret,)).format(record)
        assert len(re.findall(rf"""<[\\'"]*{re.escape(MASK)}""", line)) == 2, line


def _json() -> logging.Formatter:
    formatter = create_handler(io.StringIO(), Settings.model_validate({"log_format": "json"}), {}).formatter
    assert formatter
    return formatter


@pytest.mark.parametrize("transport", ["stdio", pytest.param("http", marks=pytest.mark.slow)])
async def test_debug_log_contains_no_key_prompt_or_signed_link(tmp_path: Path, transport: str) -> None:
    with sandbox_on_a_port(tmp_path, render=False) as to_the_sandbox:
        variables: Mapping[str, str] = {
            **to_the_sandbox,
            "HAILUO_MCP_LOG_LEVEL": "DEBUG",
            "HAILUO_MCP_LOG_FORMAT": "json",
            "HAILUO_MCP_AUTO_DOWNLOAD": "1",
        }
        async with TRANSPORTS[transport](tmp_path, **variables) as connect, connect() as client:
            arguments = {"prompt": "a private kite", "model": "segmind/minimax-hailuo-2"}
            job = facts_of(await client.call_tool("generate_video", arguments))
            await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 20})
            await client.call_tool("generate_video", {**arguments, "prompt": "a private kite sandbox:lost_answer"})
            await client.call_tool("get_status", {"request_id": "segmind/minimax-hailuo-2/nobody"})
    written = log_of(tmp_path).read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    submitted = next(line for line in lines if line["message"].startswith("submitted"))
    assert submitted["request_id"].startswith("segmind/minimax-hailuo-2/unconfirmed-")
    for private in (*KEYS.values(), "private kite", "?"):
        assert private not in written


async def test_unknown_log_format_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HAILUO_MCP_LOG_FORMAT='yaml'"):
        settings_for(tmp_path, **SANDBOX, HAILUO_MCP_LOG_FORMAT="yaml")


async def test_each_call_has_its_own_caller() -> None:
    seen: dict[str, str] = {}

    async def call(tenant: str) -> None:
        set_caller(tenant, (f"key-of-{tenant}",))
        await anyio.lowlevel.checkpoint()
        seen[tenant] = f"{current().tenant} {current().secrets}"

    async with anyio.create_task_group() as calls:
        for tenant in ("a", "b"):
            calls.start_soon(call, tenant)
    assert seen == {"a": "a ('key-of-a',)", "b": "b ('key-of-b',)"}
    assert current().tenant == ""

"""The log on stderr: text for people or JSON for machines, each line with the job it is about, and none with a secret.

Keys and tokens that the settings hold are masked in the finished line, so also in the text of exceptions; so is
whatever stands behind the name of a header that carries keys. Links lose their queries, which are signatures;
pictures inside the text lose their content.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TextIO
from urllib.parse import quote, unquote, urlsplit

from opentelemetry import trace
from pydantic import BaseModel, SecretStr

from hailuo_mcp.core.settings import PREFIX, Settings
from hailuo_mcp.telemetry import current

MASK = "***"
SECRET_MIN = 6
"""What is shorter is not masked: it would be found inside of ordinary words."""
_HEADERS_VARIABLE = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?HEADERS")
_SHAPES = (
    # what follows the name of a header, an argument or a field that carries a key; `Bearer` and the like belong to it
    (
        re.compile(
            r"((?:authorization|[\w-]*api[_-]?key|[\w-]*token)\b[\"']*\s?[:=,]\s?(?:b(?=[\"']))?[\"']*)"
            r"((?:bearer|basic)\s+)?[^\s\"',;)}\]]+",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(\bbearer\s+)[^\s\"',;)}\]]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\w+://)[^\s/@\"']+@"), rf"\1{MASK}@"),
    (re.compile(r"(\bhttps?://[^\s?\"'<>]+\?)[^\s\"'<>]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\bdata:[\w/+.-]+;base64,)[\w+/=-]+", re.IGNORECASE), rf"\1{MASK}"),
)


def set_up_logging(settings: Settings, environ: Mapping[str, str]) -> None:
    """Our log to stderr; stdout belongs to the protocol. Libraries speak up only when something is wrong."""
    logging.basicConfig(level=logging.WARNING, handlers=[handler_to(sys.stderr, settings, environ)])
    logging.getLogger("hailuo_mcp").setLevel(settings.log_level)


def handler_to(stream: TextIO, settings: Settings, environ: Mapping[str, str]) -> logging.Handler:
    """What writes log lines as the settings say."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(_add_context)
    inner = _json_formatter() if settings.log_format == "json" else _Text()
    handler.setFormatter(Masking(inner, (*secrets_in(settings), *_secrets_of(settings, environ))))
    return handler


def secrets_in(value: object) -> Iterator[str]:
    """Every secret that a setting holds, however deep."""
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for name in type(value).model_fields:
                yield from secrets_in(getattr(value, name))
        case Mapping():
            for item in value.values():  # pyright: ignore[reportUnknownVariableType]  anything may be a setting
                yield from secrets_in(item)  # pyright: ignore[reportUnknownArgumentType]  the same
        case tuple() | list() | frozenset() | set():
            for item in value:  # pyright: ignore[reportUnknownVariableType]  the same
                yield from secrets_in(item)  # pyright: ignore[reportUnknownArgumentType]  the same
        case _:
            pass


def _secrets_of(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """What the settings do not keep as a secret: the database's password, the tokens of callers, of which the settings
    know digests, and what OpenTelemetry's collector is told."""
    with suppress(ValueError):
        yield unquote(urlsplit(settings.database_url).password or "")
    for entry in environ.get(f"{PREFIX}HTTP_TOKENS", "").split(","):
        yield entry.partition(":")[2].strip()
    for name, value in environ.items():
        if _HEADERS_VARIABLE.fullmatch(name):
            for header in value.split(","):
                yield unquote(header.partition("=")[2]).strip()


class Masking(logging.Formatter):
    """What another formatter makes, without secrets."""

    def __init__(self, inner: logging.Formatter, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = _any_of(secrets)

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        for pattern in (self._secrets, _any_of(current().secrets)):
            line = pattern.sub(MASK, line) if pattern else line
        for shape, instead in _SHAPES:
            line = shape.sub(instead, line)
        return line


def _any_of(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """A pattern for these secrets as they are, and as they stand in JSON, in a URL and in Python's own words."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= SECRET_MIN
        for shown in (secret, quote(secret, safe=""), repr(secret)[1:-1], repr(secret.encode())[2:-1])
        for form in (shown, json.dumps(shown)[1:-1])
    }
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None


def _add_context(record: logging.LogRecord) -> bool:
    """Which job and tenant a line is about, and which span it belongs to, as fields of the record."""
    about, span = current(), trace.get_current_span().get_span_context()
    fields = {"request_id": about.request_id, "tenant": about.tenant}
    if span.is_valid:
        fields |= {"trace_id": trace.format_trace_id(span.trace_id), "span_id": trace.format_span_id(span.span_id)}
    for name, value in fields.items():
        if value:
            setattr(record, name, value)
    return True


class _Text(logging.Formatter):
    """One line for people. The job stands behind it where the words do not name it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's name
        line = super().formatMessage(record)
        request_id = getattr(record, "request_id", "")
        return f"{line} [{request_id}]" if request_id and request_id not in line else line


def _json_formatter() -> logging.Formatter:
    """One object a line: time, level, logger, message, what the context adds, and an exception's text."""
    from pythonjsonlogger.json import JsonFormatter  # start-up time: only where it is asked for

    return JsonFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
        timestamp="time",
        json_ensure_ascii=False,
    )

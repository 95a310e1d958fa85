"""The log on stderr: text or JSON, each line with the job it belongs to, and none with a secret.

Keys and tokens from the settings are masked in the finished line, exceptions included, and so is any value after the
name of a header that contains keys. Queries of links are removed because they contain signatures, and so is the content
of inline images.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TextIO
from urllib.parse import unquote, urlsplit

from opentelemetry import trace
from pydantic import BaseModel, SecretStr

from hailuo_mcp.core.masking import MASK, mask
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.telemetry import current

_HEADERS_VARIABLE = re.compile(r"OTEL_EXPORTER_OTLP_(\w+_)?HEADERS")
_PATTERNS = (
    # the value after the name of a header, an argument or a field for a key; schemes like `Bearer` are kept, and so are
    # the variables in a list of them
    (
        re.compile(
            r"((?:authorization|[\w-]*api[_-]?key|[\w-]*token)\b[\"']*\s?[:=,]\s?(?:b(?=[\"']))?[\"']*)"
            r"((?:bearer|basic)\s+)?(?!(?-i:[A-Z]+_)(?-i:[A-Z]+_)*(?-i:KEY|TOKENS?)\b)[^\s\"',;)}\]]+",
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
    """Log to stderr, since stdout belongs to the protocol. Libraries log warnings and errors only."""
    logging.basicConfig(level=logging.WARNING, handlers=[create_handler(sys.stderr, settings, environ)])
    logging.getLogger("hailuo_mcp").setLevel(settings.log_level)


def create_handler(stream: TextIO, settings: Settings, environ: Mapping[str, str]) -> logging.Handler:
    """A handler that writes to `stream` in the format of the settings."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(_add_context)
    inner = _json_formatter() if settings.log_format == "json" else _Text()
    handler.setFormatter(MaskingFormatter(inner, (*secrets_in(settings), *_secrets_of(settings, environ))))
    return handler


def secrets_in(value: object) -> Iterator[str]:
    """Every secret in a setting, at any depth."""
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
    """Secrets that are not `SecretStr` in the settings: the database's password, the callers' tokens (the settings keep
    digests), and the headers for OpenTelemetry's collector."""
    with suppress(ValueError):
        yield unquote(urlsplit(settings.database_url).password or "")
    for entry in environ.get(f"{PREFIX}HTTP_TOKENS", "").split(","):
        yield entry.partition(":")[2].strip()
    for name, value in environ.items():
        if _HEADERS_VARIABLE.fullmatch(name):
            for header in value.split(","):
                yield unquote(header.partition("=")[2]).strip()


class MaskingFormatter(logging.Formatter):
    """Masks secrets in the output of another formatter."""

    def __init__(self, inner: logging.Formatter, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._inner = inner
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = mask(mask(self._inner.format(record), self._secrets), current().secrets)
        for pattern, replacement in _PATTERNS:
            line = pattern.sub(replacement, line)
        return line


def _add_context(record: logging.LogRecord) -> bool:
    """Add the job, the tenant and the span to the record, as fields."""
    context, span = current(), trace.get_current_span().get_span_context()
    fields = {"request_id": context.request_id, "tenant": context.tenant}
    if span.is_valid:
        fields |= {"trace_id": trace.format_trace_id(span.trace_id), "span_id": trace.format_span_id(span.span_id)}
    for name, value in fields.items():
        if value:
            setattr(record, name, value)
    return True


class _Text(logging.Formatter):
    """One line of text. The job is appended if the message does not contain it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's name
        line = super().formatMessage(record)
        request_id = getattr(record, "request_id", "")
        return f"{line} [{request_id}]" if request_id and request_id not in line else line


def _json_formatter() -> logging.Formatter:
    """One JSON object per line: time, level, logger, message, the fields of the context, and an exception's text."""
    from pythonjsonlogger.json import JsonFormatter  # start-up time: only if this format is set

    return JsonFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
        timestamp="time",
        json_ensure_ascii=False,
    )

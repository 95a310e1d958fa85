"""Tolerates arguments of prompts that clients send with the wrong type."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

METHODS = ("prompts/get", "completion/complete")


async def tolerate_values(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware that drops null arguments and converts numbers to strings. The protocol allows only strings, and the
    SDK (2.3) refuses everything else before a handler is called, without saying why."""
    if ctx.method in METHODS and ctx.params:
        ctx = replace(ctx, params=_cleaned(ctx.params))
    return await call_next(ctx)


def _cleaned(params: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = dict(params)
    if isinstance(arguments := params.get("arguments"), dict):
        cleaned["arguments"] = _strings(cast("dict[str, Any]", arguments))
    if isinstance(context := params.get("context"), dict):
        cleaned["context"] = _cleaned(cast("dict[str, Any]", context))
    return cleaned


def _strings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in arguments.items() if value is not None and value != []}
    return {name: str(value) if isinstance(value, (int, float)) else value for name, value in given.items()}

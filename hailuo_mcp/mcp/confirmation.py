"""Asks the user to confirm a paid job, by elicitation. Up to protocol version 2025-11-25 this is a request to the
client during the call; in 2026-07-28 the result of the call is the question, and the client repeats the call with the
user's answer.

No state is kept in between: the key of a question is derived from the job that it asks about, so that any server can
match an answer to its question.
"""

import logging
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from hailuo_mcp.core.errors import NotConfirmed
from hailuo_mcp.service.confirmation import Confirm, Purchase, cannot_ask

log = logging.getLogger(__name__)

ANSWER_SECONDS = 45.0
"""How long the user has to answer while the call waits: hosts end calls after 60 s."""


class Question(Exception):
    """Not an error: the result of the call is this question."""

    def __init__(self, result: InputRequiredResult) -> None:
        super().__init__("the user is asked")
        self.result = result


def confirm_for(
    ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams, *, answer_seconds: float = ANSWER_SECONDS
) -> Confirm:
    """The function that asks the user who makes this call."""
    if not _can_elicit(ctx):
        return cannot_ask
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        answers = params.input_responses or {}

        async def answered(purchase: Purchase) -> None:
            answer = answers.get(purchase.key)
            if answer is None:
                asking = ElicitRequest(params=_form(purchase))
                raise Question(InputRequiredResult(input_requests={purchase.key: asking}))
            _check(answer if isinstance(answer, ElicitResult) else None)

        return answered

    async def ask(purchase: Purchase) -> None:
        form, answer = _form(purchase), None  # None: the client did not ask
        with anyio.move_on_after(answer_seconds) as limit:
            try:
                answer = await ctx.session.elicit_form(form.message, form.requested_schema, ctx.request_id)
            except (MCPError, ValidationError) as error:
                log.warning("the client did not ask the user: %s", type(error).__name__)
        if limit.cancelled_caught:
            raise NotConfirmed(
                f"The user did not answer within {answer_seconds:.0f} s; nothing was sent.",
                "Ask the user in the conversation, then make the same call again.",
                safe_to_retry=True,
            )
        _check(answer)

    return ask


def _can_elicit(ctx: ServerRequestContext[Any, Any]) -> bool:
    capabilities = ctx.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    # Before there was URL elicitation, an empty object meant forms.
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def _form(purchase: Purchase) -> ElicitRequestFormParams:
    """There is nothing to fill in, only to accept or decline."""
    return ElicitRequestFormParams(message=purchase.question, requested_schema={"type": "object", "properties": {}})


def _check(answer: ElicitResult | None) -> None:
    """Raises NotConfirmed unless the user accepted."""
    if answer is None:
        raise NotConfirmed("The client could not ask the user; nothing was sent.", "Tell the user.")
    if answer.action != "accept":
        action = "declined" if answer.action == "decline" else "closed the question"
        raise NotConfirmed(f"The user {action}; nothing was sent.")

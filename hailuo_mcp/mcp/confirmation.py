"""Asking the person before a paid job, in the way of each protocol era: up to 2025-11-25 a request to the client while
the call is held; in 2026-07-28 the call is answered with the question, and made again with the person's answer.

That answer is kept nowhere: the key of a question is made of the job that it asks about, so that any server can tell
whether an answer is to its question.
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
"""How long a person has for the answer where the call is held meanwhile: hosts end calls after 60 s."""
NO_FIELDS: dict[str, object] = {"type": "object", "properties": {}}
"""The form: nothing is to be filled in, only accepted or declined."""


class Question(Exception):
    """Not an error: the call is answered with this question."""

    def __init__(self, result: InputRequiredResult) -> None:
        super().__init__("a person is asked")
        self.result = result


def confirm_for(
    ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams, *, answer_seconds: float = ANSWER_SECONDS
) -> Confirm:
    """How this call asks its person."""
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
        form, answer = _form(purchase), None
        with anyio.move_on_after(answer_seconds) as limit:
            try:
                answer = await ctx.session.elicit_form(form.message, form.requested_schema, ctx.request_id)
            except (MCPError, ValidationError) as error:
                log.warning("the client did not ask the person: %s", type(error).__name__)
                answer = None
        if limit.cancelled_caught:
            raise NotConfirmed(
                f"The person did not answer within {answer_seconds:.0f} s; nothing was sent.",
                "Ask the user in the conversation, then make the same call again.",
                safe_to_retry=True,
            )
        _check(answer)

    return ask


def _can_elicit(ctx: ServerRequestContext[Any, Any]) -> bool:
    capabilities = ctx.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    # Before URLs could be asked for, an empty object meant forms.
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def _form(purchase: Purchase) -> ElicitRequestFormParams:
    return ElicitRequestFormParams(message=purchase.question, requested_schema=dict(NO_FIELDS))


def _check(answer: ElicitResult | None) -> None:
    """Raises NotConfirmed for anything but a yes."""
    if answer is None:
        raise NotConfirmed("The client could not ask the person; nothing was sent.", "Tell the user.")
    if answer.action != "accept":
        said = "declined" if answer.action == "decline" else "closed the question"
        raise NotConfirmed(f"The person {said}; nothing was sent.")

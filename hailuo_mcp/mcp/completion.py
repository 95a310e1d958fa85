"""`completion/complete`: values for the variables of resource templates and the arguments of prompts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from hailuo_mcp.core.job import State
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.mcp import prompts
from hailuo_mcp.mcp.errors import error_boundary
from hailuo_mcp.mcp.resources import JOB_TEMPLATE, MODEL_TEMPLATE, POSTER_TEMPLATE, VIDEO_TEMPLATE
from hailuo_mcp.service.session import Session

COMPLETIONS_MAX = 100
"""The protocol's own limit."""
SUGGESTED_JOBS_MAX = 200
"""How many of the newest jobs are searched for suggestions."""


async def complete(
    session: Session,
    ref: ResourceTemplateReference | PromptReference,
    argument: CompletionArgument,
    context: CompletionContext | None = None,
) -> Completion:
    """Values that contain what was typed, those that begin with it first.

    Raises:
        MCPError: INVALID_PARAMS: there is no such template, prompt or argument; INTERNAL_ERROR: the ledger cannot be
            read.
    """
    with error_boundary(session):
        if isinstance(ref, PromptReference):
            given = (context.arguments if context else None) or {}
            values = await prompts.suggestions(session, ref.name, argument.name, given)
        else:
            suggest = _VARIABLES.get((ref.uri, argument.name))
            if suggest is None:
                raise MCPError(INVALID_PARAMS, f"{repr_short(ref.uri)} has no variable {repr_short(argument.name)}.")
            values = await suggest(session)
    typed = argument.value.strip().lower()
    matching = sorted(
        (value for value in values if typed in value.lower()), key=lambda value: not value.lower().startswith(typed)
    )
    return Completion(values=matching[:COMPLETIONS_MAX], total=len(matching), has_more=len(matching) > COMPLETIONS_MAX)


async def _model_ids(session: Session) -> Sequence[str]:
    return [model.id for model in session.catalog.usable]


async def _request_ids(session: Session) -> Sequence[str]:
    return [job.request_id for job in (await session.jobs(limit=SUGGESTED_JOBS_MAX)).jobs]


async def _saved_request_ids(session: Session) -> Sequence[str]:
    page = await session.jobs(State.COMPLETED, SUGGESTED_JOBS_MAX)
    return [job.request_id for job in page.jobs if job.video_path]


_VARIABLES: Mapping[tuple[str, str], Callable[[Session], Awaitable[Sequence[str]]]] = {
    (MODEL_TEMPLATE, "model"): _model_ids,
    (JOB_TEMPLATE, "request_id"): _request_ids,
    (VIDEO_TEMPLATE, "request_id"): _saved_request_ids,
    (POSTER_TEMPLATE, "request_id"): _request_ids,
}

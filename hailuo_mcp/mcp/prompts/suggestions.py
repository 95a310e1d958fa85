"""The values suggested while a person fills in a prompt."""

from collections.abc import Awaitable, Callable, Sequence

from hailuo_mcp.catalog.catalog import Catalog, Model
from hailuo_mcp.core.job import State
from hailuo_mcp.mcp.prompts.recipe import Given
from hailuo_mcp.service.input_files import LAST_FRAME
from hailuo_mcp.service.session import Session

SHOTS_MAX = 12
SUGGESTED_CLIPS = 200


async def models(session: Session, _: Given) -> Sequence[str]:
    return [model.id for model in session.catalog.usable if model.accepts("first_frame_image")]


async def chaining_models(session: Session, _: Given) -> Sequence[str]:
    return [model.id for model in session.catalog.usable if chains(session.catalog, model)]


async def last_frames(session: Session, _: Given) -> Sequence[str]:
    page = await session.jobs(State.COMPLETED, SUGGESTED_CLIPS)
    return [f"{LAST_FRAME}{job.request_id}" for job in page.jobs if job.video_path]


async def shot_counts(_: Session, __: Given) -> Sequence[str]:
    return [str(number) for number in range(1, SHOTS_MAX + 1)]


def values_of(parameter: str) -> Callable[[Session, Given], Awaitable[Sequence[str]]]:
    """The values of a parameter's enum: those of the model that is already given, else of all usable models."""

    async def values(session: Session, given: Given) -> Sequence[str]:
        usable = session.catalog.usable
        models = [model for model in usable if model.id == given.get("model")] or usable
        found = [
            str(value)
            for model in models
            if model.accepts(parameter)
            for value in model.property_schemas()[parameter].get("enum", ())
            if value is not None
        ]
        return list(dict.fromkeys(found))

    return values


def chains(catalog: Catalog, model: Model) -> bool:
    """Whether a clip of this model can start from the last frame of another."""
    return model.accepts("first_frame_image") and catalog.gateway(model).image_transfer != "url"

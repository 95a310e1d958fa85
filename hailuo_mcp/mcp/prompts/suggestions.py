"""The values suggested while the user fills in a prompt's arguments."""

from collections.abc import Awaitable, Callable, Sequence

from hailuo_mcp.catalog.catalog import Catalog, Model
from hailuo_mcp.core.job import State
from hailuo_mcp.core.parameters import CANONICAL, PROMPT_MAX
from hailuo_mcp.mcp.prompts.recipe import Given
from hailuo_mcp.service.input_files import LAST_FRAME
from hailuo_mcp.service.session import Session

SHOTS_MAX = 12
SUGGESTED_CLIPS = 200
LISTED_MAX = 4
"""With more numbers than this, only the first and the last are named."""


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
    """Suggest the values of a parameter: those of the model already given, otherwise of all usable models."""

    async def values(session: Session, given: Given) -> Sequence[str]:
        usable = session.catalog.usable
        models = [model for model in usable if model.id == given.get("model")] or usable
        return [str(value) for value in _values(models, parameter)]

    return values


def offered(parameter: str) -> Callable[[Catalog], str]:
    """Describe the values of a parameter in a sentence."""

    def sentence(catalog: Catalog) -> str:
        models = catalog.usable or catalog.known
        values = _values(models, parameter)
        *most, last = [str(value) for value in values] or ["not available"]
        numbers = [value for value in values if isinstance(value, int)]
        listed = f"{', '.join(most)} or {last}" if most else last
        if len(numbers) > LISTED_MAX:
            listed = f"{numbers[0]} to {numbers[-1]}"
        by_model = ", depending on the model" if any(_values([m], parameter) != values for m in models) else ""
        return f"{listed}{by_model}."

    return sentence


def prompt_max(models: Sequence[Model]) -> int:
    """The longest prompt that one of these models takes, in characters."""
    return max((model.property_schemas()["prompt"]["maxLength"] for model in models), default=PROMPT_MAX)


def _values(models: Sequence[Model], parameter: str) -> list[int | str]:
    """The values that these models accept for a parameter, in order, without null."""
    found: list[int | str] = []
    for schema in (model.property_schemas()[parameter] for model in models if model.accepts(parameter)):
        bounds = range(schema.get("minimum", 1), schema.get("maximum", 0) + 1)
        found += [value for value in schema.get("enum", bounds) if value is not None]
    order = CANONICAL[parameter].schema.get("enum", ())
    return sorted(dict.fromkeys(found), key=lambda value: order.index(value) if value in order else int(value))


def chains(catalog: Catalog, model: Model) -> bool:
    """Whether a clip of this model can start from the last frame of another."""
    return model.accepts("first_frame_image") and catalog.gateway(model).image_transfer != "url"

"""generate_video: submit a job, or with `dry_run`, show what would be submitted."""

from typing import Annotated, Any

from mcp_types import CallToolResult
from pydantic import BeforeValidator, ConfigDict, Field

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.parameters import Flag, JsonSchema
from hailuo_mcp.mcp import texts, views
from hailuo_mcp.mcp.file_params import fetched
from hailuo_mcp.mcp.model_schema import inputs_sentence, merged_properties, models_sentence
from hailuo_mcp.mcp.player import JOB_META, job_meta
from hailuo_mcp.mcp.schemas import input_schema, object_schema
from hailuo_mcp.mcp.tools.base import Arguments, Call, Hint, Tool, answer, number


class GenerateVideo(Arguments):
    """The arguments common to all models. All others are the model's parameters, validated by its spec."""

    model_config = ConfigDict(extra="allow")

    model: object = None
    dry_run: Annotated[Flag, Field(description="Validate and price only, send nothing.")] = False
    force_new: Annotated[Flag, Field(description="Submit a recent identical job again.")] = False
    max_cost_usd: Annotated[
        float | None,
        Field(strict=True, ge=0, allow_inf_nan=False, description="Refuse a higher or unknown price."),
        BeforeValidator(number),
        Hint("Pass max_cost_usd as a number of US dollars, or leave it out."),
    ] = None

    @property
    def parameters(self) -> dict[str, Any]:
        return self.model_extra or {}

    @classmethod
    def schema_for(cls, catalog: Catalog) -> JsonSchema:
        """The input schema, with the parameters of the usable models."""
        description = "No model is usable: see list_models."
        if catalog.usable:
            # Not an enum of ids: it would take three times the context, and forbid the other names that are accepted.
            description = f"{models_sentence(catalog)} Default: cheapest that fits. {inputs_sentence(catalog)}"
        model: JsonSchema = {"type": "string", "description": description}
        own = input_schema(cls)["properties"]
        del own["model"]
        return object_schema({"model": model, **merged_properties(catalog), **own}, required=["prompt"])


async def generate_video(arguments: GenerateVideo, call: Call) -> CallToolResult:
    session = call.session
    submitted = await session.generate(
        {"model": arguments.model, **await fetched(session, arguments.parameters)},
        dry_run=arguments.dry_run,
        force_new=arguments.force_new,
        max_cost_usd=arguments.max_cost_usd,
        confirm=call.confirm,
    )
    if arguments.dry_run:
        view = views.dry_run_view(submitted)
    else:
        wait_seconds = call.wait_limit.seconds
        view = views.public_job_view(session, submitted.job, wait_seconds, duplicate=submitted.duplicate)
    return answer(view, texts.job_text(view), meta=job_meta(session, submitted.job))


ICON = (
    "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%209%209'%3E"
    "%3Cpath%20fill='teal'%20d='M1%200v9l8-4z'/%3E%3C/svg%3E"
)
"""A play symbol. Spaces are encoded because clients may check that it is a URI."""

TOOL = Tool(
    name="generate_video",
    title="Generate a video",
    description=(
        "Submit one video job: costs money, returns a request_id in seconds. Then call get_status. "
        "Never submit again because of a slow or unclear answer."
    ),
    arguments=GenerateVideo,
    result=views.JobView,
    run=generate_video,
    read_only=False,
    destructive=True,  # it destroys nothing, but it spends money: hosts ask before such calls
    idempotent=False,
    icon=ICON,
    meta=JOB_META,
)

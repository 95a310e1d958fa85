"""list_models: a summary of the usable models, or the details of one."""

from typing import Annotated

from mcp_types import CallToolResult
from pydantic import Field, WithJsonSchema

from hailuo_mcp.mcp import model_views, views
from hailuo_mcp.mcp.tools.base import Arguments, Call, Tool, answer


class ListModels(Arguments):
    # Any value: the catalog refuses an unknown one and names the usable models.
    model: Annotated[object, Field(description="One model."), WithJsonSchema({"type": "string"})] = None


async def list_models(arguments: ListModels, call: Call) -> CallToolResult:
    catalog = call.session.catalog
    model = None if arguments.model is None else catalog.model(arguments.model)
    balances = {} if model else await call.session.balances()
    view = model_views.model_list(catalog, call.session.settings.in_sandbox, model, balances)
    return answer(view, model_views.model_list_text(view, catalog))


TOOL = Tool(
    name="list_models",
    title="List models",
    description="Models, prices, times; with `model`, its rules.",
    arguments=ListModels,
    result=views.ModelList,
    run=list_models,
    read_only=True,
)

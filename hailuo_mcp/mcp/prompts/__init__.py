"""The prompts: common tasks as step-by-step instructions for using the tools."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.text import repr_name, repr_short
from hailuo_mcp.mcp.errors import Context, error_boundary
from hailuo_mcp.mcp.prompts.recipe import Given, Recipe
from hailuo_mcp.mcp.prompts.recipes import RECIPES
from hailuo_mcp.mcp.prompts.suggestions import prompt_max
from hailuo_mcp.service.session import Session


def definitions(catalog: Catalog) -> list[Prompt]:
    """The prompts of `prompts/list`, given the usable models."""
    return [
        Prompt(
            name=recipe.name,
            title=recipe.title,
            description=recipe.description,
            arguments=[
                PromptArgument(name=a.name, title=a.title, description=a.described(catalog), required=a.required)
                for a in recipe.arguments
            ],
        )
        for recipe in RECIPES
    ]


async def get(session: Session, name: str, arguments: Mapping[str, str] | None) -> GetPromptResult:
    """The prompt with its arguments filled in.

    Raises:
        MCPError: INVALID_PARAMS, naming the prompt or the argument; INTERNAL_ERROR if the ledger cannot be read.
    """
    recipe = _recipe(name)
    given = _validate(recipe, arguments or {}, session.catalog)

    def message(error: HailuoError) -> str:
        text = f"{error.problem.message} {error.problem.hint}".replace("first_frame_image", "the picture")
        return f"{recipe.name}: {text}"

    with error_boundary(session, message=message):
        lines = await recipe.write(session, given)
    text = TextContent(type="text", text="\n".join(lines))
    return GetPromptResult(description=recipe.title, messages=[PromptMessage(role="user", content=text)])


async def suggestions(session: Session, name: str, argument: str, given: Given) -> Sequence[str]:
    """The values to suggest for an argument of a prompt; none for free text.

    Raises:
        MCPError: INVALID_PARAMS: there is no such prompt or argument.
    """
    recipe = _recipe(name)
    found = next((a for a in recipe.arguments if a.name == argument), None)
    if found is None:
        raise _unknown_argument(recipe, argument)
    return await found.suggest(session, given) if found.suggest else ()


def _recipe(name: str) -> Recipe:
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    raise MCPError(
        INVALID_PARAMS,
        f"Unknown prompt {repr_short(name)}; available: {', '.join(recipe.name for recipe in RECIPES)}.",
    )


def _unknown_argument(recipe: Recipe, name: str) -> MCPError:
    takes = ", ".join(a.name for a in recipe.arguments) or "no arguments"
    return MCPError(
        INVALID_PARAMS, f"{recipe.name} has no argument {repr_name(name)}; it takes {takes}.", {"argument": name[:80]}
    )


def _validate(recipe: Recipe, arguments: Mapping[str, str], catalog: Catalog) -> Given:
    given = {name: value.strip() for name, value in arguments.items() if value.strip()}
    known = {a.name for a in recipe.arguments}
    if unknown := [name for name in arguments if name not in known]:
        raise _unknown_argument(recipe, unknown[0])
    for argument in recipe.arguments:
        value = given.get(argument.name)
        max_length = prompt_max(catalog.usable) if argument.max_length is None else argument.max_length
        if value is None and argument.required:
            problem = "is missing"
        elif value is not None and len(value) > max_length:
            problem = f"has {len(value)} characters; the maximum is {max_length}"
        else:
            continue
        message = f"{recipe.name}: {argument.name} {problem}. {argument.title}: {argument.described(catalog)}"
        raise MCPError(INVALID_PARAMS, message, {"argument": argument.name})
    return given


# --- tolerance for wrong types --------------------------------------------------------------------------------------


async def tolerate_values(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Middleware that drops null arguments and converts numbers to strings. The protocol allows only strings, and the
    SDK (2.3) refuses everything else before a handler is called, without saying why."""
    if ctx.method in ("prompts/get", "completion/complete") and ctx.params:
        ctx = replace(ctx, params=_cleaned(ctx.params))
    return await call_next(ctx)


def _cleaned(params: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = dict(params)
    if isinstance(arguments := params.get("arguments"), dict):
        cleaned["arguments"] = {
            name: str(value) if isinstance(value, (int, float)) else value
            for name, value in cast("dict[str, Any]", arguments).items()
            if value is not None and value != []
        }
    if isinstance(context := params.get("context"), dict):
        cleaned["context"] = _cleaned(cast("dict[str, Any]", context))
    return cleaned

"""The JSON Schemas of a tool's arguments and result, flattened so that every host accepts them: no `$ref`, no
combinators, one type for each property of an input."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from hailuo_mcp.core.json_schema import json_schema_of
from hailuo_mcp.core.parameters import JsonSchema

_NULL = {"type": "null"}


def input_schema(arguments: type[BaseModel]) -> JsonSchema:
    """The schema of a tool's arguments. It does not mention null: optional arguments should be omitted instead."""
    generated = json_schema_of(arguments)
    properties = {
        name: _pick(_resolve(schema, generated), "type", "enum", "minimum", "maximum", "description")
        for name, schema in generated.get("properties", {}).items()
    }
    return object_schema(properties, generated.get("required", ()))


def object_schema(properties: JsonSchema, required: list[str] | tuple[str, ...] = ()) -> JsonSchema:
    """An object with these properties. Others are refused when a call is validated; the schema does not say so, because
    google-genai cannot convert a boolean `additionalProperties`."""
    schema: JsonSchema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def output_schema(view: type[BaseModel]) -> JsonSchema:
    """The schema of a tool's structured content: an object without `required`, nullable fields as `["string", "null"]`,
    and an optional `error`, so that an error result fits it too."""
    generated = json_schema_of(view)

    def flat(schema: JsonSchema) -> JsonSchema:
        resolved = _resolve(schema, generated)
        kept = _pick(resolved, "type", "enum")
        if "properties" in resolved:
            kept["properties"] = {name: flat(value) for name, value in resolved["properties"].items()}
        if "items" in resolved:
            kept["items"] = flat(resolved["items"])
        return {**kept, "type": [kept["type"], "null"]} if _NULL in schema.get("anyOf", ()) else kept

    schema = flat(generated)
    # A client only needs to know that an error is an object; the documentation describes its fields.
    schema["properties"]["error"] = {"type": ["object", "null"]}
    return schema


def _resolve(schema: JsonSchema, root: JsonSchema) -> JsonSchema:
    """The schema with a `$ref`, or the non-null branch of an `anyOf`, resolved."""
    if "$ref" in schema:
        return {**root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], **schema}
    branches: list[JsonSchema] = [branch for branch in schema.get("anyOf", ()) if branch != _NULL]
    if branches:
        (branch,) = branches
        return {**_resolve(branch, root), **schema}
    return schema


def _pick(schema: Mapping[str, Any], *keywords: str) -> JsonSchema:
    return {keyword: schema[keyword] for keyword in keywords if keyword in schema}

"""JSON Schemas of pydantic models, generated with less work than pydantic's own defaults take."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from hailuo_mcp.core.parameters import JsonSchema


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """A plain value is its own JSON; pydantic builds a type adapter for each, which takes a fifth of the time."""
        return dft if dft is None or isinstance(dft, bool | int | float | str) else super().encode_default(dft)


def json_schema_of(model: type[BaseModel]) -> JsonSchema:
    return model.model_json_schema(schema_generator=_Generator)

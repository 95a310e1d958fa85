"""The committed definitions, checked against what each host is known to accept. Every rule names its host and its
source, and has a definition that breaks it, which shows that the rule can fail."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from hailuo_mcp.mcp.server import INSTRUCTIONS
from tests.mcp.snapshot_files import SNAPSHOTS
from tests.model_mistakes.tokens import IMPORT_WARNING, tokens

SERVER_NAME = "hailuo-mcp"
INSTRUCTIONS_TOKENS = 120

Json = Mapping[str, Any]
Faults = Iterator[str]

TOOLS: dict[str, Json] = {file.stem: json.loads(file.read_text()) for file in sorted(SNAPSHOTS.glob("*.json"))}
PROMPTS: dict[str, Json] = {
    file.stem: json.loads(file.read_text()) for file in sorted((SNAPSHOTS / "prompts").glob("*.json"))
}
RESOURCES: dict[str, Json] = {
    listed["name"]: listed
    for file in sorted((SNAPSHOTS / "resources").glob("*.json"))
    for listed in json.loads(file.read_text())
}


@dataclass(frozen=True, slots=True)
class Rule:
    host: str
    summary: str
    source: str
    faults: Callable[[Json], Faults]
    broken: Json
    """A definition that violates only this rule."""

    def __str__(self) -> str:
        return f"{self.host}: {self.summary}"


# --- walking a schema -------------------------------------------------------------------------------------------------


def _nodes(schema: object, path: str = "#") -> Iterator[tuple[str, Json]]:
    """The schema and every schema in it, with its path. The names of properties are not keywords."""
    if not isinstance(schema, Mapping):
        return
    node: Json = schema  # pyright: ignore[reportUnknownVariableType]  it comes from JSON
    yield path, node
    for keyword, value in node.items():
        if keyword in ("properties", "$defs", "definitions", "patternProperties"):
            for name, inner in value.items():
                yield from _nodes(inner, f"{path}/{keyword}/{name}")
        elif keyword in ("oneOf", "anyOf", "allOf", "prefixItems"):
            for number, inner in enumerate(value):
                yield from _nodes(inner, f"{path}/{keyword}/{number}")
        elif keyword in ("items", "not", "additionalProperties", "if", "then", "else"):
            yield from _nodes(value, f"{path}/{keyword}")


def _properties(tool: Json) -> Iterator[tuple[str, Json]]:
    yield from tool["inputSchema"].get("properties", {}).items()


def _uses(schema: Json, *keywords: str) -> Faults:
    for path, node in _nodes(schema):
        for keyword in keywords:
            if keyword in node:
                yield f"{keyword} at {path}"


# --- rules for a tool -------------------------------------------------------------------------------------------------


def _root_combinator(tool: Json) -> Faults:
    yield from (word for word in ("oneOf", "anyOf", "allOf") if word in tool["inputSchema"])


def _invalid_name(definition: Json) -> Faults:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", definition["name"]):
        yield definition["name"]


def _root_not_object(tool: Json) -> Faults:
    schema = tool["inputSchema"]
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        yield "the root is not an object with properties"


def _any_combinator(tool: Json) -> Faults:
    yield from _uses(tool["inputSchema"], "oneOf", "anyOf", "allOf", "not", "if")


def _beyond_openapi(tool: Json) -> Faults:
    keywords = ("$ref", "$defs", "const", "exclusiveMinimum", "exclusiveMaximum", "patternProperties")
    yield from _uses(tool["inputSchema"], *keywords)


def _enum_not_of_strings(tool: Json) -> Faults:
    for path, node in _nodes(tool["inputSchema"]):
        if "enum" in node and (node.get("type") != "string" or not all(isinstance(v, str) for v in node["enum"])):
            yield f"enum at {path}"


def _several_types(tool: Json) -> Faults:
    yield from (name for name, schema in _properties(tool) if not isinstance(schema.get("type"), str))


def _array_without_items(tool: Json) -> Faults:
    for part in ("inputSchema", "outputSchema"):
        for path, node in _nodes(tool[part]):
            if "array" in node.get("type", ()) and "items" not in node:
                yield f"{part}, {path}"


def _long_name(tool: Json) -> Faults:
    if len(f"{SERVER_NAME}:{tool['name']}") > 60:
        yield tool["name"]


_TEXT = {"type": "string"}


def _nested(tool: Json) -> Faults:
    for name, schema in _properties(tool):
        if "properties" in schema or schema.get("type") == "object" or schema.get("items", _TEXT) != _TEXT:
            yield name


def _undescribed(tool: Json) -> Faults:
    if not tool.get("description"):
        yield tool["name"]
    yield from (name for name, schema in _properties(tool) if not schema.get("description"))


def _additional_properties(tool: Json) -> Faults:
    yield from _uses(tool["inputSchema"], "additionalProperties")


def _unknown_required(tool: Json) -> Faults:
    known = dict(_properties(tool))
    yield from (name for name in tool["inputSchema"].get("required", ()) if name not in known)


def _output_not_object(tool: Json) -> Faults:
    if tool["outputSchema"].get("type") != "object":
        yield "the root of the output is not an object"


def _output_requires(tool: Json) -> Faults:
    yield from _uses(tool["outputSchema"], "required")
    if tool["outputSchema"].get("properties", {}).get("error") != {"type": ["object", "null"]}:
        yield "an error does not fit"


def _output_combines(tool: Json) -> Faults:
    yield from _uses(tool["outputSchema"], "oneOf", "anyOf", "allOf", "$ref", "$defs", "additionalProperties")


# --- rules for a prompt, and for a resource ---------------------------------------------------------------------------


def _prompt_undescribed(prompt: Json) -> Faults:
    for part in (prompt, *prompt.get("arguments", ())):
        if not part.get("description") or not part.get("title"):
            yield part["name"]


def _prompt_not_text(prompt: Json) -> Faults:
    for argument in prompt.get("arguments", ()):
        if set(argument) - {"name", "title", "description", "required"}:
            yield argument["name"]


def _resource_undescribed(resource: Json) -> Faults:
    yield from (name for name in ("name", "title", "description", "mimeType") if not resource.get(name))


def _resource_without_scheme(resource: Json) -> Faults:
    address = resource.get("uri") or resource.get("uriTemplate") or ""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9._/-]+(\{[a-z_]+\})?", address):
        yield address


# --- the rules --------------------------------------------------------------------------------------------------------

OUTPUT: Json = {"type": "object", "properties": {"state": {"type": "string"}, "error": {"type": ["object", "null"]}}}


def _tool(name: str = "make", *, root: Json | None = None, output: Json = OUTPUT, **properties: Any) -> Json:
    """A tool that violates no rule, apart from the given changes."""
    described = {key: {"description": "What it is.", **schema} for key, schema in properties.items()}
    schema: dict[str, Any] = {"type": "object", "properties": described}
    return {
        "name": name,
        "description": "Makes.",
        "inputSchema": {**schema, **(root or {})},
        "outputSchema": {**OUTPUT, **output},
    }


GOOD_TOOL = _tool(root={"required": ["prompt"]}, prompt={"type": "string"}, mode={"type": "string", "enum": ["pro"]})
GOOD_PROMPT: Json = {
    "name": "tell",
    "title": "Tell",
    "description": "Tells.",
    "arguments": [{"name": "story", "title": "Story", "description": "What happens.", "required": True}],
}
GOOD_RESOURCE: Json = {
    "name": "jobs",
    "title": "Jobs",
    "description": "Jobs.",
    "mimeType": "application/json",
    "uri": "hailuo://jobs",
}

ANTHROPIC_API = "Messages API, tools: one such tool makes the API refuse the whole request"
ANTHROPIC_NAME = "Messages API reference, tools.name: ^[a-zA-Z0-9_-]{1,64}$"
OPENAI_API = "function calling without strict mode: one such schema makes the API refuse the whole request"
OPENAI_NAME = "Function calling reference, name: letters, digits, underscores and dashes, at most 64"
GEMINI_API = "function declarations take a subset of the OpenAPI 3.0 schema"
GENAI = "google-genai: a boolean additionalProperties makes the conversion of the tools fail"
CLOSED: Json = {"additionalProperties": False}
VS_CODE = "language model tools: an array type must have items, or the tool is left out"
CURSOR = "MCP settings: server and tool name together over 60 characters, and the tool may be filtered out"
SDK = "MCP Python SDK: one such tool makes the whole tools/list fail in the versions with a handshake"
TYPESCRIPT = "MCP TypeScript SDK 1: an error's structured content is validated too, and thrown away if it does not fit"
PORTABLE = "accepted by all of them: a flat object, one type per property; models fill in other schemas badly"
MCP_SPEC = "MCP specification"

TOOL_RULES = [
    Rule("Anthropic", "no combinator at the root", ANTHROPIC_API, _root_combinator, _tool(root={"anyOf": []})),
    Rule("Anthropic", "a plain name", ANTHROPIC_NAME, _invalid_name, _tool("make a clip")),
    Rule("OpenAI", "the root is an object", OPENAI_API, _root_not_object, _tool(root={"type": "string"})),
    Rule("OpenAI", "no combinator anywhere", OPENAI_API, _any_combinator, _tool(size={"oneOf": [{"type": "string"}]})),
    Rule("OpenAI", "a plain name of at most 64 characters", OPENAI_NAME, _invalid_name, _tool("m" * 65)),
    Rule("Gemini", "no $ref, const, open bounds", GEMINI_API, _beyond_openapi, _tool(size={"exclusiveMinimum": 0})),
    Rule(
        "Gemini", "enums of strings", GEMINI_API, _enum_not_of_strings, _tool(size={"type": "integer", "enum": [6, 10]})
    ),
    Rule("Gemini", "one type a property", GEMINI_API, _several_types, _tool(size={"type": ["integer", "string"]})),
    Rule("VS Code", "every array says what it holds", VS_CODE, _array_without_items, _tool(sizes={"type": "array"})),
    Rule("Cursor", "server and tool name fit 60 characters", CURSOR, _long_name, _tool("m" * 50)),
    Rule(
        "every host",
        "flat inputs, or lists of text",
        PORTABLE,
        _nested,
        _tool(size={"type": "object", "properties": {}}),
    ),
    Rule("every host", "everything is described", PORTABLE, _undescribed, _tool(size={"description": ""})),
    Rule("google-genai", "no additionalProperties", GENAI, _additional_properties, _tool(root=CLOSED)),
    Rule("every host", "what is required exists", PORTABLE, _unknown_required, _tool(root={"required": ["size"]})),
    Rule("every host", "outputs without combinators", PORTABLE, _output_combines, _tool(output={"allOf": []})),
    Rule("MCP clients", "an output is an object", SDK, _output_not_object, _tool(output={"type": "array"})),
    Rule("MCP clients", "no output is required", TYPESCRIPT, _output_requires, _tool(output={"required": ["state"]})),
]
PROMPT_RULES = [
    Rule("Anthropic", "a plain name", ANTHROPIC_NAME, _invalid_name, {**GOOD_PROMPT, "name": "tell me"}),
    Rule("every host", "everything is described", PORTABLE, _prompt_undescribed, {**GOOD_PROMPT, "description": ""}),
    Rule(
        "MCP clients",
        "arguments are text",
        f"{MCP_SPEC}: a prompt's arguments are strings and have no schema",
        _prompt_not_text,
        {**GOOD_PROMPT, "arguments": [{"name": "shots", "type": "integer"}]},
    ),
]
RESOURCE_RULES = [
    Rule("every host", "everything is described", PORTABLE, _resource_undescribed, {**GOOD_RESOURCE, "mimeType": ""}),
    Rule(
        "MCP clients",
        "an address with a scheme and at most one plain variable, at its end",
        f"{MCP_SPEC}: addresses are URIs, templates RFC 6570; clients fill in level 1 of it",
        _resource_without_scheme,
        {**GOOD_RESOURCE, "uri": "jobs/{?state*}"},
    ),
]
KINDS: list[tuple[list[Rule], Mapping[str, Json], Json]] = [
    (TOOL_RULES, TOOLS, GOOD_TOOL),
    (PROMPT_RULES, PROMPTS, GOOD_PROMPT),
    (RESOURCE_RULES, RESOURCES, GOOD_RESOURCE),
]
ALL = [(rule, definitions, good) for rules, definitions, good in KINDS for rule in rules]


@pytest.mark.parametrize(("rule", "definitions", "good"), ALL, ids=[str(rule) for rule, _, _ in ALL])
def test_every_definition_obeys_the_rule(rule: Rule, definitions: Mapping[str, Json], good: Json) -> None:
    found = {name: list(rule.faults(definition)) for name, definition in definitions.items()}
    assert not any(found.values()), f"{rule} ({rule.source}): {found}"
    assert not list(rule.faults(good))


@pytest.mark.parametrize("rule", [rule for rule, _, _ in ALL], ids=str)
def test_the_rule_detects_a_broken_definition(rule: Rule) -> None:
    assert list(rule.faults(rule.broken))


def test_every_kind_of_definition_is_linted_and_every_host_has_a_rule() -> None:
    assert (len(TOOLS), len(PROMPTS), len(RESOURCES)) == (6, 4, 6)
    assert {rule.host for rule, _, _ in ALL} >= {"Anthropic", "OpenAI", "Gemini", "VS Code", "Cursor"}
    assert all(rule.source for rule, _, _ in ALL)


@pytest.mark.filterwarnings(IMPORT_WARNING)
def test_the_instructions_stay_within_their_token_limit() -> None:
    assert tokens(INSTRUCTIONS) <= INSTRUCTIONS_TOKENS

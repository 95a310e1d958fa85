"""How plugin systems, stores and catalogs describe this server: every file is generated from the code.

    uv run python -m tests.test_packaging    # writes them, with server.json and the bundle's manifest

Where each format is described:

- Agent Plugins: https://github.com/agentplugins/agent-plugins-spec/blob/main/spec/1.0.0.md
- Claude Code: https://code.claude.com/docs/en/plugins-reference
- Gemini CLI: https://github.com/google-gemini/gemini-cli/blob/main/docs/extensions/reference.md
- Docker: https://github.com/docker/mcp-registry/blob/main/CONTRIBUTING.md
- Smithery: https://smithery.ai/docs/config/smithery.yaml
- llms.txt: https://llmstxt.org; llms-install.md: https://docs.cline.bot/mcp/mcp-marketplace
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bundle.manifest import ROOT, project
from hailuo_mcp.app import load_settings
from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.mcp.tools import definitions

NAME = "hailuo"
"""The server's name in configurations."""
TITLE = "Hailuo video"
PLUGIN = "https://agent-plugins.org/schemas/1.0.0"
DOCS = {
    "docs/gateways.md": "which gateways sell Hailuo, and which key to get",
    "docs/hosts.md": "adding the server to an assistant",
    "docs/models.md": "models, their parameters and prices",
    "docs/costs.md": "every price with its source, and budgets",
    "docs/money-and-media.md": "how jobs, images and clips are handled",
    "docs/settings.md": "all environment variables",
    "docs/errors.md": "all error codes",
    "docs/troubleshooting.md": "symptoms and fixes",
    "docs/privacy.md": "what leaves the machine",
    "docs/deployment.md": "serving a team over HTTP",
}
"""The pages that a language model should know of."""


def keys() -> dict[str, str]:
    """Variable to gateway."""
    return {f"{kind.name.upper()}_API_KEY": kind.title for kind in GATEWAYS}


def listings() -> dict[str, str]:
    """Path in the checkout to content."""
    about = project()
    source = about["urls"]["Source"]
    meta = {"name": about["name"], "version": about["version"], "description": about["description"]}
    more: dict[str, Any] = {
        "author": {"name": "The hailuo-mcp authors", "url": source},
        "homepage": source,
        "repository": source,
        "license": about["license"],
        "keywords": about["keywords"],
    }
    start: dict[str, Any] = {"command": "uvx", "args": [about["name"]]}
    from_environment = {variable: f"${{{variable}:-}}" for variable in keys()}
    return {
        "plugin/plugin.json": _json({"$schema": f"{PLUGIN}/plugin.schema.json", **meta, **more}),
        # Keys are not part of a plugin: the server takes them from the client's environment.
        "plugin/mcp.json": _json(
            {"$schema": f"{PLUGIN}/mcp.schema.json", "mcpServers": {NAME: {"type": "stdio", **start}}}
        ),
        "plugin/.claude-plugin/plugin.json": _json(
            {**meta, **more, "mcpServers": {NAME: {**start, "env": from_environment}}}
        ),
        ".claude-plugin/marketplace.json": _json(
            {
                "name": about["name"],
                "owner": {"name": "The hailuo-mcp authors"},
                "plugins": [{**meta, "source": "./plugin", "category": "media"}],
            }
        ),
        "gemini-extension.json": _json(
            {
                **meta,
                "mcpServers": {NAME: start},
                "settings": [
                    {
                        "name": f"Key of {title}",
                        "description": f"Optional: offers the models of {title}. Without any key the sandbox answers.",
                        "envVar": variable,
                        "sensitive": True,
                    }
                    for variable, title in keys().items()
                ],
            }
        ),
        "smithery.yaml": _yaml(_smithery(start)),
        "deploy/docker-mcp-registry/server.yaml": _yaml(_docker(source, about)),
        "deploy/docker-mcp-registry/tools.json": _json(_tools()),
        "llms.txt": _llms(about, source),
        "llms-install.md": _llms_install(about, source),
    }


def _smithery(start: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        variable: {"type": "string", "title": f"Key of {title}", "description": f"Offers the models of {title}."}
        for variable, title in keys().items()
    }
    command = f"config => ({{ command: '{start['command']}', args: {json.dumps(start['args'])}, env: config }})"
    return {
        "startCommand": {
            "type": "stdio",
            "configSchema": {"type": "object", "required": [], "properties": properties},
            "commandFunction": command,
            "exampleConfig": {next(iter(keys())): "your-key"},
        }
    }


def _docker(source: str, about: Mapping[str, Any]) -> dict[str, Any]:
    name = about["name"]
    return {
        "name": name,
        "image": f"mcp/{name}",
        "type": "server",
        "meta": {"category": "ai", "tags": list(about["keywords"])},
        "about": {
            "title": TITLE,
            "description": about["description"],
            "icon": "https://raw.githubusercontent.com/hailuo-mcp/hailuo-mcp/main/bundle/icon.png",
        },
        "source": {"project": source, "branch": "main"},
        # The image serves HTTP by default; clients of the catalog start it over stdio.
        "run": {"command": ["serve", "--stdio"], "volumes": [f"{{{{{name}.clips}}}}:/clips"]},
        "config": {
            "description": "At least one gateway's key; without any, the sandbox answers with previews.",
            "secrets": [
                {"name": f"{name}.{variable.lower()}", "env": variable, "example": f"<{variable}>"}
                for variable in keys()
            ],
            "parameters": {
                "type": "object",
                "properties": {"clips": {"type": "string", "description": "Where clips are saved."}},
                "required": ["clips"],
            },
        },
    }


def _tools() -> list[dict[str, Any]]:
    """What the Docker catalog shows without starting the server."""
    tools: list[dict[str, Any]] = []
    for tool in definitions(Catalog(GATEWAYS, load_settings({}))):
        properties: Mapping[str, Mapping[str, Any]] = tool.input_schema.get("properties", {})
        tools.append(
            {
                "name": tool.name,
                "description": tool.description,
                "arguments": [
                    {"name": name, "type": _type(schema), "desc": schema.get("description", "")}
                    for name, schema in properties.items()
                ],
            }
        )
    return tools


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "string")
    return kind if isinstance(kind, str) else next(k for k in kind if k != "null")


def _llms(about: Mapping[str, Any], source: str) -> str:
    lines = [f"# {about['name']}", "", f"> {about['description']}", ""]
    lines += ["The tools: " + ", ".join(tool["name"] for tool in _tools()) + ".", "", "## Docs", ""]
    lines += [f"- [{Path(path).stem}]({source}/blob/main/{path}): {summary}" for path, summary in DOCS.items()]
    lines += ["", "## Installation", "", f"- [llms-install.md]({source}/blob/main/llms-install.md): for an assistant"]
    return "\n".join(lines) + "\n"


def _llms_install(about: Mapping[str, Any], source: str) -> str:
    entry = {"mcpServers": {NAME: {"command": "uvx", "args": [about["name"]], "env": dict.fromkeys(keys(), "")}}}
    return f"""# Installing {about["name"]} for a user

This page is for an assistant that installs the server on its user's machine.

1. Check for uv: `uv --version`. If it is missing, install it as <https://docs.astral.sh/uv/> says.
2. Ask the user which gateway's key they have. One is enough; none is needed to try the server (the sandbox
   answers then, and nothing is charged). Never write a key into a file that is shared, and never repeat it in the chat.

   | variable | gateway |
   | --- | --- |
{chr(10).join(f"   | `{variable}` | {title} |" for variable, title in keys().items())}

3. Add the server to the configuration of the host. Leave out the variables of keys that the user does not have:

   ```json
{chr(10).join("   " + line for line in json.dumps(entry, indent=2).splitlines())}
   ```

   Or, from a terminal: `uv tool install {about["name"]}`, then `hailuo-mcp install HOST`, which keeps the rest of
   the file and a backup.
4. Let the user restart the host. The first start downloads packages and can take a minute.
5. Check: call `list_models`. With a key, `sandbox` is `false` there. If something is wrong, `hailuo-mcp doctor`
   says what.

Source: {source}
"""


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _yaml(value: object) -> str:
    head = "# Made by bundle/listings.py.\n"
    return head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def write() -> None:
    for path, text in listings().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

"""The bundle's manifest, generated from the code, so that models, settings, tools and version are written in one place.
The format: https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md
"""

import tomllib
from pathlib import Path
from typing import Any

from hailuo_mcp.app import load_settings
from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import Settings, variables
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.mcp.tools import definitions

ROOT = Path(__file__).parent.parent
ENTRY_POINT = "server.py"
COMMAND = ("run", "--frozen", "--directory", "${__dirname}", ENTRY_POINT)
"""The arguments with which the host calls uv: the locked versions, independent of the host's working directory."""
TITLES = {
    "output_dir": "Folder for clips",
    "max_jobs_per_day": "Jobs a day, at most",
    "max_usd_per_day": "US dollars a day, at most",
    "fix_images": "Fix images that would be refused",
}
"""The settings on the host's settings page, with their labels. All others keep their defaults in a bundle."""


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def manifest() -> dict[str, Any]:
    about = project()
    source = about["urls"]["Source"]
    fields = user_config()
    return {
        "manifest_version": "0.4",
        "name": about["name"],
        "display_name": "Hailuo video",
        "version": about["version"],
        "description": about["description"],
        "long_description": (
            "Submits a video job in one turn and polls it over later ones; the clip is saved as soon as it is done. "
            "Without any key the built-in sandbox answers: previews that cost nothing."
        ),
        "author": {"name": "The hailuo-mcp authors", "url": source},
        "repository": {"type": "git", "url": f"{source}.git"},
        "homepage": source,
        "documentation": f"{source}#readme",
        "support": f"{source}/issues",
        # It names the gateways that receive prompts and images; their own policies are theirs to link to.
        "privacy_policies": [f"{source}/blob/main/docs/privacy.md"],
        "icon": "icon.png",
        "server": {
            "type": "uv",
            "entry_point": ENTRY_POINT,
            "mcp_config": {
                "command": "uv",
                "args": list(COMMAND),
                "env": {variable_of(field): f"${{user_config.{field}}}" for field in fields},
            },
        },
        "tools": [
            {"name": tool.name, "description": tool.description} for tool in definitions(Catalog(GATEWAYS, _plain()))
        ],
        "prompts_generated": True,
        "keywords": about["keywords"],
        "license": about["license"],
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": about["requires-python"]},
        },
        "user_config": fields,
    }


def user_config() -> dict[str, dict[str, Any]]:
    """The fields of the host's settings page: keys first, because most users need nothing else. None is required, and
    only switches have a default: an empty field is an unset variable."""
    keys = {
        f"{kind.name}_api_key": {
            "type": "string",
            "title": f"{kind.title} API key",
            "description": f"Without it, the models of {kind.title} are not offered; without any, the sandbox answers.",
            "sensitive": True,
            "required": False,
        }
        for kind in GATEWAYS
    }
    addresses = {
        f"{kind.name}_base_url": {
            "type": "string",
            "title": f"{kind.title} address",
            "description": f"Only for another region or a proxy; empty: {kind.hosts['base']}",
            "required": False,
        }
        for kind in GATEWAYS
    }
    return {**keys, **{name: _field(name) for name in TITLES}, **addresses}


def variable_of(field: str) -> str:
    """The environment variable of a field."""
    return (PREFIX if field in TITLES else "") + field.upper()


def _field(setting: str) -> dict[str, Any]:
    declared = Settings.model_fields[setting]
    kind = str(declared.annotation)
    field: dict[str, Any] = {
        "type": "string",
        "title": TITLES[setting],
        "description": variables()[PREFIX + setting.upper()],
        "required": False,
    }
    if declared.annotation is bool:
        return {**field, "type": "boolean", "default": declared.default}
    if "int" in kind or "float" in kind:
        return {**field, "type": "number", "min": 0}
    return {**field, "type": "directory"} if declared.annotation is Path else field


def _plain() -> Settings:
    """The settings of an environment in which every model is available."""
    return load_settings({})

"""The links that add the server to a host with one click. They contain what `hailuo-mcp install HOST --portable`
writes; the README's table of them is generated.

VS Code: https://code.visualstudio.com/api/extension-guides/ai/mcp#create-an-mcp-installation-url
Cursor: https://cursor.com/docs/context/mcp/install-links
"""

import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from hailuo_mcp.cli.installer import NAME, InstallSpec, find_host
from hailuo_mcp.cli.installer.command import PORTABLE
from hailuo_mcp.cli.installer.entry import new_entry, new_inputs

VSCODE = "https://insiders.vscode.dev/redirect/mcp/install"
CURSOR = "https://cursor.com/en/install-mcp"
"""Pages of the hosts' makers that open the host: many sites, GitHub among them, do not turn `vscode:` and `cursor:`
into links."""


def vscode(variables: Sequence[str]) -> str:
    """The host asks for each of these variables, and stores the values in its secret store."""
    host, spec = find_host("vscode"), _install_spec(variables)
    fields = {"name": NAME, "config": _compact(new_entry(host, spec))}
    if inputs := new_inputs(host, spec):
        fields["inputs"] = _compact(inputs)
    return f"{VSCODE}?{urlencode(fields, quote_via=quote)}"


def cursor(variables: Sequence[str]) -> str:
    """The host takes these variables from its own environment."""
    host, spec = find_host("cursor"), _install_spec(variables)
    config = base64.b64encode(_compact(new_entry(host, spec)).encode()).decode()
    return f"{CURSOR}?{urlencode({'name': NAME, 'config': config}, quote_via=quote)}"


def _install_spec(variables: Sequence[str]) -> InstallSpec:
    return InstallSpec(PORTABLE, keys={variable: SecretStr("only its name goes along") for variable in variables})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

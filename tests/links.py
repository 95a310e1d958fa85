"""The links that add the server to a host with one click. They contain what `hailuo-mcp install HOST --portable`
writes; the README's table of them is generated.

VS Code: https://code.visualstudio.com/api/extension-guides/ai/mcp#create-an-mcp-installation-url
Cursor: https://cursor.com/docs/context/mcp/install-links
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from hailuo_mcp.cli.installer import NAME, InstallSpec, Machine, Place, find_host
from hailuo_mcp.cli.installer.command import PORTABLE
from hailuo_mcp.cli.installer.entry import new_entry, new_inputs

VSCODE = "https://insiders.vscode.dev/redirect/mcp/install"
CURSOR = "https://cursor.com/en/install-mcp"
"""Pages of the hosts' makers that open the host: many sites, GitHub among them, do not turn `vscode:` and `cursor:`
into links."""
_ANYWHERE = Machine("linux", Path("/home/user"), {}, Path("/home/user"))


def vscode(variables: Sequence[str]) -> str:
    """The host asks for each of these variables, and stores the values in its secret store."""
    place, spec = _install_spec("vscode", variables)
    fields = {"name": NAME, "config": _compact(new_entry(find_host("vscode"), place, spec))}
    if inputs := new_inputs(place, spec):
        fields["inputs"] = _compact(inputs)
    return f"{VSCODE}?{urlencode(fields, quote_via=quote)}"


def cursor(variables: Sequence[str]) -> str:
    """The host takes these variables from its own environment."""
    place, spec = _install_spec("cursor", variables)
    config = base64.b64encode(_compact(new_entry(find_host("cursor"), place, spec)).encode()).decode()
    return f"{CURSOR}?{urlencode({'name': NAME, 'config': config}, quote_via=quote)}"


def _install_spec(host: str, variables: Sequence[str]) -> tuple[Place, InstallSpec]:
    place = find_host(host).place("user", _ANYWHERE)
    assert place
    return place, InstallSpec(
        PORTABLE, keys={variable: SecretStr("only its name goes along") for variable in variables}
    )


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

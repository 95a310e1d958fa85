"""The hosts that this server can be installed in: where each keeps its configuration, what our entry in it looks like,
and how it is put there and taken away without touching anything else.

    for found in hosts.survey():    # every host, every place on this machine
        found.host.title, found.place.path, found.exists, found.entries, found.problem
"""

from hailuo_mcp.cli.installer.editing import ConfigChange, install, printed, uninstall
from hailuo_mcp.cli.installer.entries import DetectedConfig, Entry, detect, survey
from hailuo_mcp.cli.installer.files import ConfigError
from hailuo_mcp.cli.installer.host import Host, Keys, Place, Scope
from hailuo_mcp.cli.installer.known import all, find
from hailuo_mcp.cli.installer.launcher import Launcher, launcher
from hailuo_mcp.cli.installer.machine import Machine
from hailuo_mcp.cli.installer.shape import NAME, InstallSpec, may_be_shown

__all__ = [
    "NAME",
    "ConfigChange",
    "ConfigError",
    "DetectedConfig",
    "Entry",
    "Host",
    "InstallSpec",
    "Keys",
    "Launcher",
    "Machine",
    "Place",
    "Scope",
    "all",
    "detect",
    "find",
    "install",
    "launcher",
    "may_be_shown",
    "printed",
    "survey",
    "uninstall",
]

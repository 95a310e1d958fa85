"""Installing this server in hosts: where each keeps its configuration, what our entry looks like there, and how it is
added and removed without touching anything else.

    for found in installer.detect_all():    # every host, every place on this machine
        found.host.title, found.place.path, found.entries, found.problem
"""

from hailuo_mcp.cli.installer.change import ConfigChange, install, snippet, uninstall
from hailuo_mcp.cli.installer.config_file import ConfigError
from hailuo_mcp.cli.installer.detect import DetectedConfig, Entry, detect, detect_all
from hailuo_mcp.cli.installer.entry import NAME, InstallSpec, may_be_shown
from hailuo_mcp.cli.installer.hosts import Host, KeyStorage, Place, Scope
from hailuo_mcp.cli.installer.known_hosts import HOSTS, find_host
from hailuo_mcp.cli.installer.launcher import Launcher, find_launcher
from hailuo_mcp.cli.installer.machine import Machine

__all__ = [
    "HOSTS",
    "NAME",
    "ConfigChange",
    "ConfigError",
    "DetectedConfig",
    "Entry",
    "Host",
    "InstallSpec",
    "KeyStorage",
    "Launcher",
    "Machine",
    "Place",
    "Scope",
    "detect",
    "detect_all",
    "find_host",
    "find_launcher",
    "install",
    "may_be_shown",
    "snippet",
    "uninstall",
]

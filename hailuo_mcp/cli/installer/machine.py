"""The facts about this machine that decide where hosts keep their configuration."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

System = Literal["macos", "windows", "linux"]


@dataclass(frozen=True, slots=True)
class Machine:
    """The system, the user's home directory, the environment, and the current project's directory."""

    system: System
    home: Path
    environ: Mapping[str, str]
    project: Path

    @staticmethod
    def here() -> "Machine":
        systems: Mapping[str, System] = {"darwin": "macos", "win32": "windows"}
        return Machine(systems.get(sys.platform, "linux"), Path.home(), os.environ, Path.cwd())

    @property
    def roaming(self) -> Path:
        """Where applications keep a user's settings."""
        match self.system:
            case "macos":
                return self.home / "Library" / "Application Support"
            case "windows":
                return self.directory("APPDATA", self.home / "AppData" / "Roaming")
            case "linux":
                return self.dot_config

    @property
    def dot_config(self) -> Path:
        """Where command lines keep a user's settings; some use it on macOS too."""
        return self.directory("XDG_CONFIG_HOME", self.home / ".config")

    @property
    def local(self) -> Path:
        """Windows only: where a user's settings stay on the machine."""
        return self.directory("LOCALAPPDATA", self.home / "AppData" / "Local")

    def directory(self, variable: str, default: Path) -> Path:
        """The directory that an environment variable names, else the default."""
        return Path(value) if (value := self.environ.get(variable)) else default

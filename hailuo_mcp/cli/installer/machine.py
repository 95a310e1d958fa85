"""What of this machine decides where hosts keep their configuration."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

System = Literal["macos", "windows", "linux"]


@dataclass(frozen=True, slots=True)
class Machine:
    """The system, the user's home directory, the environment, and the directory of the project at hand."""

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
        """Where applications keep the settings of a user."""
        match self.system:
            case "macos":
                return self.home / "Library" / "Application Support"
            case "windows":
                return self.named("APPDATA", self.home / "AppData" / "Roaming")
            case "linux":
                return self.named("XDG_CONFIG_HOME", self.home / ".config")

    @property
    def local(self) -> Path:
        """Windows only: the part of a user's settings that stays on the machine."""
        return self.named("LOCALAPPDATA", self.home / "AppData" / "Local")

    def named(self, variable: str, default: Path) -> Path:
        """The directory that a variable names, if it does."""
        return Path(value) if (value := self.environ.get(variable)) else default

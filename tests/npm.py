"""npm packages that tests run, installed from a lock file."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import unavailable

INSTALL_SECONDS = 600


def install(source: Path, directory: Path, *also: str, options: tuple[str, ...] = ()) -> None:
    """Install what `source` locks into `directory`, and copy the files named in `also` there. No package's own scripts
    are run. `options` are further ones of `npm ci`."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        unavailable("Node 20 or later with npm is not installed")
    for name in ("package.json", "package-lock.json", *also):
        shutil.copy(source / name, directory / name)
    quiet = ("--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    command = [npm, "ci", *quiet, *options]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"npm ci failed:\n{done.stdout}{done.stderr}")

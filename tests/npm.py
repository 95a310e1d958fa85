"""npm packages that tests run, installed from a lock file."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

INSTALL_SECONDS = 600


def unavailable(reason: str) -> NoReturn:
    """Skip the test; in CI, where nothing may be missing, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"CI needs this: {reason}")
    pytest.skip(reason)


def install(source: Path, directory: Path, *also: str) -> None:
    """Install what `source` locks into `directory`, and copy the files named in `also` there. No package's own scripts
    are run."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        unavailable("Node 20 or later with npm is not installed")
    for name in ("package.json", "package-lock.json", *also):
        shutil.copy(source / name, directory / name)
    command = [npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"npm ci failed:\n{done.stdout}{done.stderr}")

"""Build the bundle, validate it, and leave it in `dist/`.

    uv run python -m bundle.build [--out DIRECTORY]

It contains the wheel, a project that requires it with the `media` extra, and a lock file with the versions that this
checkout is tested with. The host's uv installs Python and the packages, so that one bundle serves every system. Needs
Node with npm.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bundle.manifest import ENTRY_POINT, ROOT, manifest, project

HERE = Path(__file__).parent
PROJECT = """\
# Made by bundle/build.py.
[project]
name = "{name}-bundle"
version = "{version}"
requires-python = "{python}"
dependencies = ["{name}[media]"]

[tool.uv]
package = false

[tool.uv.sources]
{name} = {{ path = "{wheel}" }}
"""


def build(out: Path) -> Path:
    """Build the bundle, and return where it is.

    Raises:
        subprocess.CalledProcessError: a step failed; its output is on stderr.
    """
    about = project()
    with tempfile.TemporaryDirectory() as scratch:
        staging, tools = Path(scratch) / "bundle", Path(scratch) / "tools"
        staging.mkdir()
        tools.mkdir()
        _run(uv(), "build", "--quiet", "--wheel", "--no-create-gitignore", "--out-dir", str(staging), cwd=ROOT)
        (wheel,) = staging.glob("*.whl")
        fields = {"name": about["name"], "version": about["version"], "python": about["requires-python"]}
        (staging / "pyproject.toml").write_text(PROJECT.format(**fields, wheel=wheel.name))
        (staging / "manifest.json").write_text(json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n")
        for path in (HERE / ENTRY_POINT, HERE / "icon.png", ROOT / "LICENSE", ROOT / "README.md"):
            shutil.copy(path, staging)
        shutil.copy(ROOT / "uv.lock", staging)  # keeps the locked versions
        _run(uv(), "lock", "--quiet", cwd=staging)
        target = out.absolute() / f"{about['name']}-{about['version']}.mcpb"
        mcpb = install_tool(tools)
        _run(mcpb, "validate", str(staging / "manifest.json"), cwd=staging)
        _run(mcpb, "pack", str(staging), str(target), cwd=staging)
    return target


def install_tool(directory: Path) -> str:
    """Install the locked `mcpb` below a directory, and return its command."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, directory)
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed to validate and pack the bundle: install Node 20 or later.")
    _run(
        npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=directory
    )
    return str(directory / "node_modules" / ".bin" / ("mcpb.cmd" if os.name == "nt" else "mcpb"))


def uv() -> str:
    """uv sets UV to its own path in the processes that it runs."""
    return os.environ.get("UV") or shutil.which("uv") or sys.exit("uv is needed to build the bundle.")


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Build, validate and pack the bundle for Claude Desktop.")
    arguments.add_argument("--out", type=Path, default=ROOT / "dist", help="Default: dist/")
    print(build(arguments.parse_args().out))

"""Runs all benchmarks, and prints each figure next to its baseline.

    uv run python -m benchmarks [--write] [NAME ...]

`--write` writes the table, the date and the machine into `docs/benchmarks.md`. Nothing is asserted: figures depend on
the machine, and ratios less so, because a figure and its floor are measured in turns. It takes about six minutes.
"""

import argparse
import logging
import os
import pkgutil
import platform
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks.figures import Figure, table

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
MEASURED = re.compile(r"(<!-- measured -->\n).*(<!-- end of measured -->\n)", re.DOTALL)


def discovered() -> Mapping[str, Callable[[], list[Figure]]]:
    """Every module here with a function `figures`, by name."""
    names = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name != "__main__"]
    modules = {name: import_module(f"benchmarks.{name}") for name in names}
    return {name: module.figures for name, module in modules.items() if hasattr(module, "figures")}


def machine() -> str:
    """The machine that was measured, in one line; nothing that identifies it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def report(figures: list[Figure], loads: tuple[float, float]) -> str:
    """The table, below a line with date and machine; `loads` are the load averages before and after."""
    before, after = loads
    busy = "" if max(loads) < (os.cpu_count() or 1) else "; the machine was busy with other work"
    head = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; load average {before:.1f} before, {after:.1f} after{busy}."
    return f"{head}\n\n{table(figures)}"


def main() -> None:
    benchmarks = discovered()
    parser = argparse.ArgumentParser(description="All benchmarks, as ratios to their floors.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(benchmarks)}; none: all")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    names: list[str] = options.names or list(benchmarks)
    if unknown := sorted({*names} - benchmarks.keys()):
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(benchmarks)}")
    if options.write and len(names) < len(benchmarks):
        parser.error("--write is for a run of all benchmarks")
    logging.disable(logging.INFO)
    before = os.getloadavg()[0]
    figures = [figure for name in names for figure in benchmarks[name]()]
    text = report(figures, (before, os.getloadavg()[0]))
    print(text, end="")
    if options.write:
        PAGE.write_text(MEASURED.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", PAGE.read_text()))


if __name__ == "__main__":
    main()

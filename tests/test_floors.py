"""The floors of ARCHITECTURE.md: imports run downward only, and on one floor only to the left."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hailuo_mcp"
NAME = PACKAGE.name
FLOORS = (
    ("errors", "callers", "tenants", "settings", "telemetry", "logs"),
    ("jobs", "params", "links", "sending", "hosts"),
    ("ledger", "media", "gateways.base"),
    ("gateways",),
    ("catalog",),
    ("accounts", "submission", "tracking", "watching", "studio"),
    (
        *("boundary", "views", "player", "prompts", "resources", "tools", "tasks", "listening", "server"),
        *("auth", "web", "http"),
    ),
    ("app",),
    ("cli",),
    ("__main__",),
)
"""A name stands for a module and for all that a package of that name holds."""
LEFT_TO_RIGHT = 0, 5, 6
"""The floors whose modules stand in an order. On the others, modules import none of their floor but of their own
package; gateways not even that."""
SANDBOX = "sandbox"
SANDBOX_USERS = ("app", "cli")
LAZY = {"app": ("sandbox",), "cli": ("",), "ledger.opening": ("ledger",), "telemetry": ("telemetry",)}
"""Who imports modules of the package inside functions, for start-up time, and from where."""


def _modules() -> dict[str, Path]:
    found = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")}
    return {".".join(parts).removesuffix("__init__").rstrip("."): path for path, parts in found.items()}


MODULES = _modules()


@cache
def _imports(module: str) -> frozenset[tuple[str, bool]]:
    """The modules of the package that a module imports, and whether it does so inside a function."""
    return frozenset(_read_imports(module))


def _read_imports(module: str) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(MODULES[module].read_text())
    local = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name == NAME or name.startswith(f"{NAME}."):
                yield _nearest(name.removeprefix(NAME).lstrip(".")), id(node) in local


def _nearest(name: str) -> str:
    """The module that holds this name."""
    while name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def _is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.") or not place


def _place(module: str) -> tuple[int, int]:
    """Floor, and place on it, of the longest name that covers the module."""
    matches = [
        (len(name), floor, position)
        for floor, names in enumerate(FLOORS)
        for position, name in enumerate(names)
        if _is_in(module, name)
    ]
    assert matches, f"{module} stands on no floor: name it here and in ARCHITECTURE.md"
    _, floor, position = max(matches)
    return floor, position


HOUSE = sorted(module for module in MODULES if module and not _is_in(module, SANDBOX))


@pytest.mark.parametrize("module", HOUSE)
def test_imports_run_downward_and_to_the_left_only(module: str) -> None:
    floor, position = _place(module)
    for imported, _ in _imports(module):
        if not imported or _is_in(imported, SANDBOX):  # the package itself says only its version
            continue
        below, left = _place(imported)
        at_home = (below, left) == (floor, position) and not _is_in(module, "gateways")
        left_of_it = below == floor and floor in LEFT_TO_RIGHT and left < position
        assert below < floor or left_of_it or at_home, f"{module} imports {imported}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_of_one_package_import_each_other_in_no_circle(module: str) -> None:
    seen: set[str] = set()
    ahead = {imported for imported, local in _imports(module) if not local}
    while ahead:
        next_one = ahead.pop()
        assert next_one != module, f"{module} imports itself by way of others"
        if next_one not in seen:
            seen.add(next_one)
            ahead |= {imported for imported, local in _imports(next_one) if not local}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_sandbox_and_the_rest_know_nothing_of_each_other(module: str) -> None:
    for imported, _ in _imports(module):
        if _is_in(module, SANDBOX):
            assert _is_in(imported, SANDBOX), f"{module} imports {imported}"
        elif _is_in(imported, SANDBOX):
            assert any(_is_in(module, user) for user in SANDBOX_USERS), f"{module} imports {imported}"


@pytest.mark.parametrize("module", HOUSE)
def test_an_import_inside_a_function_saves_start_up_time_and_dodges_no_circle(module: str) -> None:
    allowed = next((places for user, places in LAZY.items() if _is_in(module, user)), ())
    for imported, local in _imports(module):
        if local:
            assert any(_is_in(imported, place) for place in allowed), f"{module} imports {imported} inside a function"


def test_every_floor_is_lived_on() -> None:
    lived_on = {_place(module) for module in HOUSE}
    assert lived_on == {(floor, position) for floor, names in enumerate(FLOORS) for position in range(len(names))}

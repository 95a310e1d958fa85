"""What the import contract in `pyproject.toml` cannot express: which imports are allowed inside functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "hailuo_mcp"
NAME = PACKAGE.name
LAZY = {
    "app": ("sandbox",),
    "cli": ("",),
    "catalog.custom_models": ("catalog.custom_models",),
    "ledger.opening": ("ledger",),
    "sandbox": ("sandbox",),
    "telemetry": ("telemetry",),
}
"""Which modules import modules of the package inside functions, for a faster start."""


def _modules() -> dict[str, Path]:
    found = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")}
    return {".".join(parts).removesuffix("__init__").rstrip("."): path for path, parts in found.items()}


MODULES = _modules()


def _local_imports(module: str) -> Iterator[str]:
    """The modules of the package that a module imports inside a function."""
    for function in ast.walk(ast.parse(MODULES[module].read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from (name.removeprefix(f"{NAME}.") for name in names if name.startswith(f"{NAME}."))


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.") or not package


@pytest.mark.parametrize("module", sorted(MODULES))
def test_import_inside_a_function_is_allowed_only_where_listed(module: str) -> None:
    allowed = next((places for user, places in LAZY.items() if _is_in(module, user)), ())
    for imported in _local_imports(module):
        assert any(_is_in(imported, place) for place in allowed), f"{module} imports {imported} inside a function"

"""The package's floors: who may import whom, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import vidstyle

#: From the ground up. A module imports lower floors or its own package.
FLOORS = (
    {"encoding", "errors", "explain", "file_settings", "frames", "heap", "moments", "out_of_memory"},
    {"control_settings", "outputs"},
    {"config", "part_file", "protocols"},
    {"media", "imaging", "preset_template", "weights"},
    {"stylizers", "flow", "temporal"},
    {"controls"},
    {"pipeline", "training", "evaluation"},
    {"compose", "report", "used_files"},
    {"planning", "sidecar"},
    {"rendering"},
    {"previewing"},
    {"api"},
    {"ui"},
    {"cli"},
)
#: Libraries that only one package knows.
OWNERS = {"av": "media", "PIL": "media", "click": "cli", "tqdm": "cli", "fastapi": "ui", "uvicorn": "ui"}
#: Modules that ``vidstyle --help`` loads, so torch stays out of them.
LIGHT = ("errors", "frames", "config", "control_settings", "encoding", "explain", "moments", "protocols", "cli/main")

ROOT = Path(vidstyle.__file__).parent
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


@cache
def imported_names(path: Path, at_run_time: bool = False) -> frozenset[str]:
    """Dotted names a module imports; with ``at_run_time`` only those that importing it really loads."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in _loaded(tree) if at_run_time else ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names.update({node.module or ""}, (f"{node.module}.{alias.name}" for alias in node.names))
    return frozenset(names)


def _loaded(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _loaded(child)


def unit_of(path: Path) -> str:
    """``media`` of media/reader.py, ``api`` of api.py."""
    return path.with_suffix("").parts[0]


def floor_of(unit: str) -> int:
    return next(number for number, units in enumerate(FLOORS) if unit in units)


def test_every_module_has_a_floor() -> None:
    units = {unit_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert units == set().union(*FLOORS)


@pytest.mark.parametrize("path", [p for p in MODULES if not p.name.startswith("__") or len(p.parts) > 1], ids=str)
def test_a_module_imports_lower_floors_or_its_own_package(path: Path) -> None:
    own = unit_of(path)
    units = {name.split(".")[1] for name in imported_names(path) if name.startswith("vidstyle.")} - {"__version__"}
    for unit in units - {own}:
        assert floor_of(unit) < floor_of(own), f"{path} reaches up to vidstyle.{unit}"


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owner_only(library: str) -> None:
    importers = {path for path in MODULES if any(n.split(".")[0] == library for n in imported_names(path))}
    assert importers
    assert {unit_of(path) for path in importers} == {OWNERS[library]}


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_no_torch(module: str) -> None:
    loaded = {name.split(".")[0] for name in imported_names(Path(f"{module}.py"), at_run_time=True)}
    assert not loaded & {"torch", "torchvision", "cv2", "av", "numpy", "PIL"}


def test_no_module_is_long() -> None:
    # More than 400 lines needs a reason, which then stands here.
    reasons: dict[str, str] = {}
    long = {str(p): n for p in MODULES if (n := len((ROOT / p).read_text(encoding="utf-8").splitlines())) > 400}
    assert long.keys() <= reasons.keys(), long

"""Who may import whom, what loads at import, and which names are public."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hieratk

ROOT = Path(hieratk.__file__).parent

# From the foundation up: a room may import the rooms before it, and itself.
ROOMS = (
    "errors",
    "diagnostics",
    "documents",
    "taxonomy",
    "crosswalk",
    "rasters",
    "exchange",
    "remap",
    "transfer",
    "config",
    "protocols",
    "plugins",
    "tensors",
    "kernels",
    "losses",
    "decoding",
    "metrics",
    "heads",
    "networks",
    "models",
    "wrapping",
    "translu",
    "data",
    "checkpoints",
    "prediction",
    "training",
    "calibration",
    "report",
    "testing",
    "commands",
)
DOORS = {
    "yaml": {"documents"},
    "rasterio": {"rasters"},
    "kornia": {"data"},
    "typer": {"commands"},
    "rich": {"commands", "diagnostics"},
    "networkx": {"taxonomy", "transfer"},
    "rdflib": {"exchange"},
    "PIL": {"report"},
    "safetensors": {"checkpoints"},
    "torchmetrics": {"metrics"},
}
TORCH_FREE = ROOMS[: ROOMS.index("tensors")]
FILES = sorted(path for path in ROOT.rglob("*.py") if "taxonomies" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path, *, runtime_only: bool = False) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden: set[ast.AST] = set()
    if runtime_only:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                hidden.update(child for body in node.body for child in ast.walk(body))
    found = []
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found.append((node.lineno, node.module or ""))
            if node.module == "hieratk":
                found += [(node.lineno, f"hieratk.{alias.name}") for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_up_the_list_only(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in ROOMS, f"{path}: a room that docs/design.md does not know"
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] == "hieratk" and len(parts) > 1 and parts[1] in ROOMS:
            assert ROOMS.index(parts[1]) <= ROOMS.index(room), f"{path}:{line}: {room} imports {parts[1]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_one_library_one_door(path: Path) -> None:
    for line, name in imports(path):
        library = name.split(".")[0]
        if library in DOORS:
            assert room_of(path) in DOORS[library], f"{path}:{line}: {library} comes in through {DOORS[library]} only"


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) in TORCH_FREE], ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_below_the_torch_line_name_no_torch(path: Path) -> None:
    for line, name in imports(path, runtime_only=True):
        assert name.split(".")[0] not in ("torch", "kornia", "safetensors"), f"{path}:{line}: {name}"


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


HEAVY = {"numpy", "torch", "kornia", "rasterio", "PIL", "networkx", "sklearn", "scipy"}


def test_importing_hieratk_loads_nothing_heavy() -> None:
    loaded = loaded_by("import hieratk")
    assert "hieratk" in loaded
    assert not loaded & HEAVY


def test_validating_a_taxonomy_loads_nothing_heavy() -> None:
    command = "from hieratk.commands import app; app(['taxonomy', 'validate', 'mm5b'], standalone_mode=False)"
    loaded = loaded_by(command)
    assert {"hieratk", "yaml"} <= loaded
    assert not loaded & HEAVY


def test_public_names() -> None:
    assert sorted(hieratk.__all__) == [
        *("HieratkError", "Level", "Node", "Tables", "Taxonomy"),
        *("compile", "load", "names", "plan", "validate"),
    ]
    for name in hieratk.__all__:
        assert getattr(hieratk, name).__doc__, f"hieratk.{name} has no docstring"


def test_every_public_function_and_class_has_a_docstring() -> None:
    missing = []
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            missing.append(str(path))
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                missing.append(f"{path}:{node.lineno} {node.name}")
    assert not missing


def test_nothing_registers_or_reads_the_environment_at_import() -> None:
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            assert not (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and room_of(path) != "commands"
            ), f"{path}:{node.lineno} calls something at import"

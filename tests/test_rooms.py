"""In which direction the modules of catdog and train import each other, those imported for types alone included."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

# From the lowest floor to the highest. A module may import what lies on its own floor or below, and no circle.
FLOORS = [
    ["catdog.errors"],
    ["catdog.files", "catdog.memory", "catdog.terminal"],
    ["catdog.settings"],
    ["catdog.photo"],
    ["catdog.models"],
    ["catdog.keras_file"],
    ["catdog.engine"],
    ["catdog.verdict"],
    ["catdog.classifier"],
    ["catdog.comparator"],
    ["catdog"],
    ["catdog.adopt", "catdog.collection", "catdog.folder", "catdog.plain_text", "catdog.wording"],
    ["catdog.cluster"],
    ["catdog.monitoring", "catdog.pages"],
    ["catdog.flask_app", "catdog.gradio_app"],
    ["catdog.many", "catdog.web"],  # former names
    ["catdog.__main__"],
    ["train.folders", "train.quiet"],
    ["train.data", "train.networks"],
    ["train.measure"],
    ["train.export", "train.fit"],
    ["train.report"],
    ["train.tune"],
    ["train.publish"],
    ["train.__main__"],
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def modules() -> dict[str, ast.Module]:
    """Every module of the two packages, by name."""
    paths = [path for package in ("catdog", "train") for path in sorted((ROOT / package).rglob("*.py"))]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths)
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in zip(names, paths, strict=True)}


MODULES = modules()


def imported(module: str) -> Iterator[str]:
    """The modules of the two packages that a module imports, anywhere in it."""
    for node in ast.walk(MODULES[module]):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            names = [f"{node.module}.{name}" for name in names]
        for name in names:
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            if name and name != module:
                yield name


GRAPH = {module: set(imported(module)) for module in MODULES}


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_there_is_no_circle():
    # A package that offers names of its own modules is not below them.
    order = list(graphlib.TopologicalSorter(GRAPH).static_order())
    assert order.index("catdog.errors") < order.index("catdog.comparator") < order.index("train.__main__")


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    if module == "train":
        return
    up = {other for other in GRAPH[module] if FLOOR[room(other)] > FLOOR[room(module)]}
    assert not up
    assert module.startswith("train") or not any(other.startswith("train") for other in GRAPH[module])


def test_no_two_modules_share_a_name():
    names = Counter(name.rpartition(".")[2] for name in MODULES if not name.endswith(".__main__"))
    assert not [name for name, count in names.items() if count > 1]


def test_every_room_says_what_it_is_for():
    for name, tree in MODULES.items():
        assert ast.get_docstring(tree), name

"""What importing loads, and in which direction the modules of catdog depend on each other."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import PATIENCE, ROOT

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "catdog").rglob("*.py"))
}
# Each may import those before it. Surfaces come last, so that no part of the core knows one.
CORE = [
    "errors", "files", "sureness", "novelty", "disagreement", "spec", "preprocessing", "config", "reading", "weights",
    "batching", "memory", "engine", "explain", "compare", "classify",
]  # fmt: skip
SURFACES = ["ui", "web", "__main__"]
HEAVY = ["keras", "tensorflow", "openvino", "gradio", "flask", "huggingface_hub"]


def tree(module: str) -> ast.AST:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Absolute names of everything a module imports, anywhere in it but for types only."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in at_run_time(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{name}.{alias.name}" for alias in node.names)


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from at_run_time(child)


def module_of(name: str) -> str | None:
    """The catdog module that an imported name belongs to."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def part(module: str) -> str:
    """`errors` for catdog.errors, `ui` for catdog.ui.cards, empty for catdog itself."""
    return "".join(module.split(".")[1:2])


GRAPH = {module: {module_of(name) for name in imports(module)} - {None} for module in MODULES}


def test_the_modules_are_found():
    assert {f"catdog.{name}" for name in CORE} <= MODULES.keys()
    assert "catdog.compare" in GRAPH["catdog"]
    assert {"catdog.errors", "catdog.spec"} <= GRAPH["catdog.preprocessing"]


@pytest.mark.parametrize("name", CORE)
def test_imports_point_one_way(name):
    allowed = {*CORE[: CORE.index(name)]}
    imported = {part(module) for module in GRAPH[f"catdog.{name}"]}
    assert "" not in imported, "the core imports its modules, not the package"
    assert not imported & ({*CORE, *SURFACES} - allowed - {name})


def test_only_surfaces_import_surfaces():
    for module, imported in GRAPH.items():
        if part(module) not in SURFACES:
            assert not {part(other) for other in imported} & {*SURFACES}, module


def test_there_are_no_cycles():
    # A package and its modules count as one: `catdog.ui` imports what it offers from its modules.
    graph = {}
    for module, imported in GRAPH.items():
        graph.setdefault(part(module), set()).update({part(other) for other in imported} - {part(module)})
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("errors") < order.index("compare") < order.index("")


def test_catdog_never_imports_train_or_the_tests():
    for module in MODULES:
        assert not {name.split(".")[0] for name in imports(module)} & {"train", "tests", "app"}, module


def test_only_config_reads_the_environment():
    def names(module: str) -> set[str]:
        nodes = list(ast.walk(tree(module)))
        return {getattr(node, field, "") for node in nodes for field in ("attr", "name", "id")}

    readers = {module for module in MODULES if names(module) & {"environ", "environb", "getenv", "getenvb"}}
    assert readers == {"catdog.config"}


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, catdog, catdog.compare, catdog.weights, catdog.__main__\n"
        f"print([name for name in {HEAVY} if name in sys.modules], catdog.Comparator.__name__)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert (result.stdout, result.stderr) == ("[] Comparator\n", "")


def test_the_public_names_exist():
    import catdog

    assert all(getattr(catdog, name) for name in catdog.__all__)
    assert catdog.__all__ == sorted(catdog.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = catdog.nothing


def test_a_process_that_decodes_starts_with_little():
    code = "import sys, catdog.classify.workers\nprint([name for name in sys.modules if name.startswith('catdog.')])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert not {"catdog.compare", "catdog.engine", "tqdm"} & set(ast.literal_eval(result.stdout))
    assert "catdog.classify.decoding" in result.stdout

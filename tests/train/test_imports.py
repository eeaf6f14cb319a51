"""train is Keras 3 code: it runs on whichever backend Keras was told to use."""

import ast
from pathlib import Path

MODULES = sorted((Path(__file__).parents[2] / "train").rglob("*.py"))
BACKENDS = {"tensorflow", "tf_keras", "jax", "torch", "openvino"}
# PyTorch alone does not tell Keras about its GPUs, and only TensorFlow has a batch norm that Keras does not use.
ALLOWED = {"hardware": {"torch"}, "fused": {"tensorflow"}}


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_no_backend_is_named_and_no_surface_imported():
    found = [(path.stem, imported(path)) for path in MODULES]  # several are called __init__ or __main__
    assert {"trainer", "augment", "architectures"} <= {name for name, _ in found}
    assert {name: names & BACKENDS for name, names in found if names & BACKENDS} == ALLOWED
    assert not [name for name, names in found if names & {"gradio", "flask", "app", "tests"}]

"""What importing catdog loads, and which module reads the environment."""

import ast

import pytest

from tests.conftest import ROOT
from tests.processes import python

HEAVY = {"keras", "tensorflow", "openvino", "gradio", "flask", "huggingface_hub", "prometheus_client", "mcp"}


def test_only_settings_reads_the_environment():
    def names(path) -> set[str]:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        return {getattr(node, field, "") for node in nodes for field in ("attr", "name", "id")}

    paths = (ROOT / "catdog").rglob("*.py")
    readers = {path.name for path in paths if names(path) & {"environ", "environb", "getenv", "getenvb"}}
    assert readers == {"settings.py"}


IMPORTS = """
import sys
import catdog.folder.workers
print(*sys.modules)
import catdog, catdog.comparator, catdog.models.locate, catdog.__main__
catdog.Comparator
print(*sys.modules)
import catdog.flask_app
print(*sys.modules)
"""


def test_importing_loads_nothing_heavy():
    """Not what processes that decode need, nor the library and the command line, nor the service."""
    result = python(IMPORTS)
    decoding, library, service = ({*line.split()} for line in result.stdout.splitlines())
    assert result.stderr == "" and "catdog.folder.decoding" in decoding
    assert not decoding & {"catdog.comparator", "catdog.engine", "tqdm", *HEAVY}
    assert not library & HEAVY
    assert not service & {"keras", "tensorflow", "h5py", "gradio"}


def test_the_public_names_exist():
    import catdog

    assert all(getattr(catdog, name) for name in catdog.__all__)
    assert catdog.__all__ == sorted(catdog.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = catdog.nothing

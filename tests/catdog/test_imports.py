"""What importing catdog loads, and which module reads the environment."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT
from tests.processes import python

HEAVY = ["keras", "tensorflow", "openvino", "gradio", "flask", "huggingface_hub", "prometheus_client", "mcp"]


def test_only_settings_reads_the_environment():
    def names(path) -> set[str]:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        return {getattr(node, field, "") for node in nodes for field in ("attr", "name", "id")}

    paths = (ROOT / "catdog").rglob("*.py")
    readers = {path.name for path in paths if names(path) & {"environ", "environb", "getenv", "getenvb"}}
    assert readers == {"settings.py"}


def test_importing_loads_nothing_heavy():
    result = python(
        "import sys, catdog, catdog.comparator, catdog.models.locate, catdog.__main__\n"
        f"print([name for name in {HEAVY} if name in sys.modules], catdog.Comparator.__name__)"
    )
    assert (result.stdout, result.stderr) == ("[] Comparator\n", "")


def test_importing_the_service_loads_no_model():
    result = python("import sys, catdog.flask_app; print({'keras', 'tensorflow', 'h5py', 'gradio'} & {*sys.modules})")
    assert result.stdout == "set()\n"


def test_the_public_names_exist():
    import catdog

    assert all(getattr(catdog, name) for name in catdog.__all__)
    assert catdog.__all__ == sorted(catdog.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = catdog.nothing


def test_a_process_that_decodes_starts_with_little():
    result = python(
        "import sys, catdog.folder.workers\nprint([name for name in sys.modules if name.startswith('catdog.')])"
    )
    assert not {"catdog.comparator", "catdog.engine", "tqdm"} & set(ast.literal_eval(result.stdout))
    assert "catdog.folder.decoding" in result.stdout

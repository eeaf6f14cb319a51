"""The wheel of `pip install .`, installed in an environment of its own and used far from the repository.

Its dependencies are lent by the environment of the tests (a .pth file), so this checks the package's own
files, its metadata and its command, and not that the pins can be installed: the lock does that.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import catdog
from tests.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.long
SOURCES = ("catdog", "weights", "examples", "pyproject.toml", "README.md", "LICENSE")
MADE_BY_TOOLS = shutil.ignore_patterns("__pycache__", "*.pyi")
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("build")
    for name in (
        *SOURCES,
        *(path.name for path in ROOT.glob("requirements*.txt")),
    ):  # a copy, as building leaves its traces in the folder that it builds
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / "source" / name, ignore=MADE_BY_TOOLS)
        else:
            shutil.copy(source, folder / "source")
    build = [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, folder / "source"]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """The folder of programs of an environment that has the wheel, and the dependencies of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    installed = folder.joinpath(*Path(sysconfig.get_path("purelib")).relative_to(sys.prefix).parts)
    (installed / "lent.pth").write_text(sysconfig.get_path("purelib"))
    programs = folder / Path(sysconfig.get_path("scripts")).name
    python = next(programs.glob("python*"))
    install = [*PIP, "--python", python, "install", "--no-compile", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True, text=True)
    return programs


@pytest.fixture
def run(programs, tmp_path, monkeypatch):
    """Run a program of that environment in an empty folder; return what it prints."""
    monkeypatch.delenv("PYTHONPATH", raising=False)

    def run(program: str, *arguments: str | Path) -> str:
        command = [shutil.which(program, path=programs), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheel_holds_every_file_and_its_requirements(wheel):
    folders = {"catdog": "catdog", "weights": "catdog/data/weights", "examples": "catdog/data/examples"}
    wanted = {
        f"{inside}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, inside in folders.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".pyi")
    }
    archive = zipfile.ZipFile(wheel)
    assert {name for name in archive.namelist() if ".dist-info/" not in name} == wanted
    (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    metadata = message_from_bytes(archive.read(name))
    pins = re.findall(r"^\w.*", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert metadata["Version"] == catdog.__version__
    required = [*map(Requirement, metadata.get_all("Requires-Dist"))]
    assert {one for one in required if "extra" not in str(one.marker)} == {*map(Requirement, pins)}
    tune = {one.name for one in required if str(one.marker) == 'extra == "tune"'}
    assert {"matplotlib", "optuna"} < tune
    ray = {one.name for one in required if str(one.marker) == 'extra == "ray"'}
    assert ray == {"ray", "pyarrow"}


@pytest.mark.usefixtures("bundled_comparator")  # so that the command finds the models converted
def test_the_command_judges_a_photo_and_goes_by_its_name(run, tmp_path):
    photo = shutil.copy(EXAMPLES / "cat.jpg", tmp_path)
    answer = json.loads(run("catdog", "predict", "--json", "--model", "efficientnet_lite2", photo))
    assert (answer["prediction"], answer["source"]) == ("Cat", "bundled")
    assert [verdict["model"] for verdict in answer["models"]] == ["efficientnet_lite2"]
    assert run("catdog", "--version") == f"catdog {catdog.__version__}\n"
    assert "Usage: catdog predict" in run("catdog", "predict", "--help")


def test_the_installed_pages_find_their_files(run, tmp_path):
    code = """if True:
        import catdog, catdog.flask_app, catdog.pages.examples, catdog.gradio_app.theme
        client = catdog.flask_app.create_app(settings=catdog.Settings(weights="empty")).test_client()
        paths = "/", "/openapi.json", "/assets/catdog.css", "/assets/catdog.js", "/assets/catdog.svg"
        print(catdog.__file__, *(client.get(path).status_code for path in paths))
        print(all(path.is_file() for path in catdog.gradio_app.theme.STYLES), *catdog.pages.examples.find())
    """
    (tmp_path / "empty").mkdir()
    where, *rest = run("python", "-c", code).split()
    assert not Path(where).is_relative_to(ROOT)
    assert rest == ["503", "200", "200", "200", "200", "True", "cat", "dog", "blurred", "duck", "owl"]

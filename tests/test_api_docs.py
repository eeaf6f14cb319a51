"""docs/api.md: its clients run as they stand, but for the address, and its tables leave nothing out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catdog import errors
from catdog.flask_app import create_app, form
from tests.catdog.flask_app.test_openapi import COMPONENTS, DOCUMENT, check
from tests.conftest import ROOT
from tests.servers import served_app, served_page

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
CLIENTS = [(language, code) for language, code in BLOCKS if language != "json"]
SCHEMAS = COMPONENTS["schemas"]
PAGE, SERVICE = "http://127.0.0.1:7860", "http://127.0.0.1:5000"


@pytest.fixture(scope="module")
def addresses(tiny_comparator):
    """Address in the text -> address of a server of these tests."""
    with served_page(tiny_comparator) as (_, url), served_app(create_app(tiny_comparator)) as port:
        yield {PAGE: url, SERVICE: f"http://127.0.0.1:{port}"}


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Path:
    """A folder in which Node.js finds @gradio/client, of the version that the text names."""
    npm = shutil.which("npm")
    if not (npm and shutil.which("node")):
        pytest.skip("needs node and npm on the PATH")
    folder = tmp_path_factory.mktemp("node")
    package = re.search(r"npm install (@gradio/client@[\d.]+)", TEXT)[1]
    command = [npm, "install", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=60000", package]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install {package}: {done.stderr.strip().splitlines()[-1]}")
    return folder


@pytest.mark.parametrize(("language", "code"), CLIENTS, ids=[language for language, _ in CLIENTS])
def test_client(language, code, addresses, tiny_weights, tiny_comparator, cat, request):
    for written, served in addresses.items():
        code = code.replace(written, served)
    if language == "js":
        script = request.getfixturevalue("node") / "client.mjs"
        script.write_text(code)
        command = ["node", script]
    else:
        command = {"python": [sys.executable, "-c", code], "sh": ["sh", "-e", "-c", code]}[language]
    environment = os.environ | {"CATDOG_WEIGHTS": str(tiny_weights), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert repr(tiny_comparator.compare(cat).confidence) in done.stdout
    if "not a photo" in code or "README.md" in code:
        assert "is not a photo" in done.stdout


def test_there_is_a_client_of_every_kind():
    languages = [language for language, _ in CLIENTS]
    assert languages == [*["python"] * 6, "js", "sh", "python", "sh", "python", "js", "python"]


def test_the_answer_is_as_described():
    (example,) = (json.loads(code) for language, code in BLOCKS if language == "json")
    check(example, SCHEMAS["Comparison"])
    fields = {*SCHEMAS["Comparison"]["properties"], *(f"models[].{name}" for name in SCHEMAS["Verdict"]["properties"])}
    assert {*re.findall(r"^\| `([a-z_\[\].]+)` \| [a-z]", TEXT, re.MULTILINE)} == fields


def test_every_error_is_listed_with_its_status():
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", TEXT, re.MULTILINE))
    assert [*listed.values()] == sorted(listed.values())
    assert {*listed} == {*SCHEMAS["Problem"]["properties"]["code"]["enum"]}
    for kind in [*vars(errors).values(), *vars(form).values()]:
        if isinstance(kind, type) and issubclass(kind, errors.CatDogError) and kind.code in listed:
            assert listed[kind.code] == str(kind.status)


def test_every_route_is_listed():
    for path, item in DOCUMENT["paths"].items():
        assert all(f"`{method.upper()} {path}`" in TEXT for method in item)

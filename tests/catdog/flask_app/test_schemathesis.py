"""openapi.json is valid OpenAPI 3.1, and nothing that schemathesis makes of it surprises the running application."""

import os
import re
import shutil
import subprocess
import sysconfig

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from catdog.comparator import Comparator
from tests.catdog import fakes
from tests.conftest import ROOT

from . import schemathesis_hooks
from .conftest import served

SCHEMATHESIS = shutil.which("schemathesis", path=sysconfig.get_path("scripts"))
EXAMPLES = 10  # requests per operation, at most; hundreds more find nothing either


def test_the_description_is_valid(client):
    document = client.get("/openapi.json").json
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_declared_type_of_photo_is_tried(client):
    form = client.get("/openapi.json").json["paths"]["/predict"]["post"]["requestBody"]["content"]
    declared = form["multipart/form-data"]["encoding"]["file"]["contentType"].split(", ")
    assert {*declared} == {*schemathesis_hooks.PHOTOS, "application/octet-stream"}


@pytest.fixture
def address():
    """A server whose models answer at once."""
    with served(Comparator([fakes.fixed("scratch_cnn", 0.1), fakes.fixed("xception", 0.6)])) as port:
        yield f"http://127.0.0.1:{port}"


def test_schemathesis_finds_nothing(address, tmp_path):
    environment = os.environ | {"SCHEMATHESIS_HOOKS": schemathesis_hooks.__name__, "PYTHONPATH": str(ROOT)}
    command = [
        SCHEMATHESIS, "run", f"{address}/openapi.json", "--checks=all", "--generation-deterministic",
        f"--max-examples={EXAMPLES}", "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    requests, passed = re.search(r"(\d+) generated, (\d+) passed", done.stdout).groups()
    assert requests == passed
    assert int(requests) > EXAMPLES

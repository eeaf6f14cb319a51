"""The stand-in Hub on its own; tests/train/publish tests what it keeps and who may write to it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.conftest import ROOT
from tests.hub.metadata import problems_of


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        ("---\na: [\n---\n", "model", "no YAML"),
        ("---\n- a\n---\n", "model", "mapping"),
        ("---\nmodel-index:\n- results:\n  - dataset: {type: 'two words'}\n    metrics: []\n---\n", "model", "pattern"),
        ("---\nmodel-index:\n- results:\n  - dataset: {type: x}\n    metrics: [{type: a}]\n---\n", "model", "value"),
        ("---\ntitle: x\n---\n", "space", "sdk"),
        ("---\nsdk: gradio\ncolorTo: orange\n---\n", "space", "colorTo"),
        (f"---\nsdk: gradio\nshort_description: {'x' * 61}\n---\n", "space", "60"),
    ],
)
def test_front_matter_that_the_hub_refuses(content, kind, said):
    [problem] = problems_of(content, kind)
    assert said in problem


def test_it_serves_on_its_own_and_says_how_to_use_it():
    command = [sys.executable, "-m", "tests.hub", "--fault", "403", "1", "GET .*whoami"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        endpoint = re.search(r"http://\S+", process.stdout.readline())[0]
        api = HfApi(endpoint=endpoint, token="hf_read_only")
        with pytest.raises(HfHubHTTPError, match="403"):
            api.whoami()
        assert api.whoami()["auth"]["accessToken"]["role"] == "read"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.communicate()

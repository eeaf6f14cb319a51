"""app.py: it serves the page, or says in a sentence why it cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.catdog.gradio_app.calls import call, data_url
from tests.conftest import PATIENCE, ROOT
from tests.servers import free_port, running, taken_port, until_it_answers


def app(folder: Path, **environment: str):
    """A process of `python app.py`, started in `folder`."""
    return running([sys.executable, ROOT / "app.py"], folder, **environment)


def assert_exits_1_with(process: subprocess.Popen, words: str) -> None:
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert words in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"CATDOG_WEIGHTS": "/nowhere"}, "/nowhere"), ({"CATDOG_MAX_PIXELS": "many"}, "CATDOG_MAX_PIXELS")],
)
def test_app_without_models_or_with_bad_settings_says_so(tmp_path, environment, words):
    with app(tmp_path, **environment) as process:
        assert_exits_1_with(process, words)


def test_app_whose_port_is_taken_says_so(tmp_path, tiny_weights):
    with (
        taken_port() as port,
        app(tmp_path, CATDOG_WEIGHTS=str(tiny_weights), GRADIO_SERVER_PORT=port, GRADIO_NUM_PORTS="1") as process,
    ):
        assert_exits_1_with(process, port)


def test_app_serves_from_any_folder_until_interrupted(tmp_path, tiny_weights, cat):
    port = free_port()
    with app(tmp_path, CATDOG_WEIGHTS=str(tiny_weights), GRADIO_SERVER_PORT=port) as process:
        url = f"http://127.0.0.1:{port}"
        until_it_answers(url, process)
        event, (_, _, comparison) = call(url, {"url": data_url(cat.read_bytes())})
        assert event == "complete" and len(comparison["models"]) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0

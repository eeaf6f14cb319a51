"""Commands heed the environment, but for the folder of models that they name."""

import os

import pytest

from catdog.settings import BUNDLED_WEIGHTS
from train.__main__ import main
from train.measure.served import settings_for


def test_all_settings_count_but_the_place_of_the_models_and_limits_of_uploads(tmp_path, monkeypatch):
    values = {"WEIGHTS": "elsewhere", "HUB_REPO": "user/name", "ENGINE": "openvino", "THREADS": "3"}
    for name, value in (values | {"MAX_UPLOAD_MB": "1", "MAX_PIXELS": "1"}).items():
        monkeypatch.setenv(f"CATDOG_{name}", value)
    settings = settings_for(tmp_path)
    assert (settings.weights, settings.hub_repo) == (tmp_path, None)
    assert (settings.engine, settings.threads) == ("openvino", 3)
    assert settings.max_upload_bytes == 2**30 and settings.max_pixels > 1e7


@pytest.mark.parametrize("command", ["calibrate", "evaluate", "report", "insight", "compare", "card"])
def test_every_command_heeds_them(command, tiny_data, tiny_weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CATDOG_ENGINE", "steam")
    arguments = [command, "--weights", str(tiny_weights)]
    if command not in ("compare", "card"):
        arguments += ["--data", str(tiny_data)]
    if command in ("report", "insight"):
        arguments += ["--out", str(tmp_path)]
    if command == "insight":
        arguments += ["--strangers", str(tiny_data / "test")]
    assert main(arguments) == 1
    assert "CATDOG_ENGINE must be one of" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--weights", f"nowhere{os.pathsep}weights"]])
@pytest.mark.parametrize("command", ["calibrate", "evaluate"])
def test_the_specs_of_the_shipped_models_only_change_when_told_to(command, more, tiny_data, monkeypatch, capsys):
    monkeypatch.chdir(BUNDLED_WEIGHTS.parent)
    before = [path.read_bytes() for path in sorted(BUNDLED_WEIGHTS.glob("*.json"))]
    assert main([command, "--data", str(tiny_data), *more]) == 1
    assert "--weights" in capsys.readouterr().err
    assert [path.read_bytes() for path in sorted(BUNDLED_WEIGHTS.glob("*.json"))] == before


@pytest.mark.parametrize("command", ["calibrate", "evaluate"])
def test_specs_on_the_hub_are_not_changed(command, tiny_data, tiny_weights, capsys):
    weights = f"{tiny_weights}{os.pathsep}user/models"
    assert main([command, "--data", str(tiny_data), "--weights", weights, "--overwrite"]) == 1
    assert "user/models" in capsys.readouterr().err

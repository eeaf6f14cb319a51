"""The page of a study whose best recipe and whose only option that matters are known."""

import math

import numpy as np
import pytest

from catdog import InvalidSettings

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install -r requirements-tune.txt")
from train.tune import study_report  # noqa: E402

where, TrialState = optuna.distributions, optuna.trial.TrialState
SPACE = {
    "learning_rate": where.FloatDistribution(1e-4, 1e-2, log=True),
    "dropout": where.FloatDistribution(0, 0.5),
    "stages": where.CategoricalDistribution(["24x2", "32x2"]),
}


@pytest.fixture
def study():
    """Thirty trials, which are better the nearer the rate is to 1e-3; half of them were stopped, and one diverged."""
    study, random = optuna.create_study(), np.random.default_rng(0)
    study.set_user_attr("options", {"name": "scratch_cnn", "data": "photos", "limit": 3000})
    study.set_user_attr("settings", {"validation photos": 1000})
    for number in range(30):
        params = {
            "learning_rate": 10 ** random.uniform(-4, -2),
            "dropout": random.uniform(0, 0.5),
            "stages": str(random.choice(["24x2", "32x2"])),
        }
        loss = 0.3 + math.log10(params["learning_rate"] / 1e-3) ** 2
        state = TrialState.COMPLETE if loss < 0.5 else TrialState.PRUNED
        diverged = number == 29
        study.add_trial(
            optuna.create_trial(
                state=TrialState.PRUNED if diverged else state,
                params=params,
                distributions=SPACE,
                value=None if diverged else loss,
                intermediate_values={} if diverged else {50: loss + 0.1},
                user_attrs={"why": "no number"} if diverged else {"accuracy": 0.9},
            )
        )
    return study


def test_the_page_names_the_best_and_what_matters_and_counts_those_that_were_stopped(study, tmp_path, monkeypatch):
    monkeypatch.setattr(study_report, "RESAMPLES", 8)
    found = study_report.report(study, tmp_path)
    best = min((trial for trial in study.trials if trial.value), key=lambda trial: trial.value)
    assert found["trial"] == best.number and found["log_loss"] == best.value
    assert found["ended"] + found["stopped"] == 30 and found["ended"] > 5 < found["stopped"]
    assert found["command"].startswith("python -m train fit scratch_cnn --data photos --learning-rate ")
    shares = found["shares"]
    assert next(iter(shares)) == "learning_rate" and found["percentage"] == 50
    middle, low, high = shares["learning_rate"]
    assert 0.5 < low <= middle <= high <= 1
    assert all(shares[name][2] < 0.4 for name in ("dropout", "stages"))
    names = {"README.md", "history.png", "importance.png", "parallel.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    page = (tmp_path / "README.md").read_text()
    assert all(name in page for name in names - {"README.md"}) and page.count("\n| ") == 31


def test_few_trials_have_no_importance_and_none_has_no_page(study, tmp_path):
    few = optuna.create_study()
    for name, value in study.user_attrs.items():
        few.set_user_attr(name, value)
    with pytest.raises(InvalidSettings):
        study_report.report(few, tmp_path)
    few.add_trial(study.best_trial)
    (tmp_path / "importance.png").touch()  # an earlier study's
    assert study_report.report(few, tmp_path)["shares"] == {}
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "history.png"}

"""`python -m benchmarks` runs to its end and writes down what it saw: a small run, whose figures mean nothing."""

import json
import re
import sys

import pytest

from benchmarks import aims, comparing, markdown, plain, plan, processes, worker
from benchmarks.__main__ import PAGE, RESULTS, main
from catdog import Settings, load
from tests.conftest import EXAMPLES
from tests.tiny import write_tiny_model

SHIPPED = json.loads(RESULTS.read_text())


@pytest.mark.long
def test_a_quick_run_measures_everything_and_replaces_no_figures(tiny_weights, tmp_path, capsys):
    before = RESULTS.read_bytes(), PAGE.read_bytes()
    files = [tmp_path / "results.json", tmp_path / "page.md"]
    arguments = ["--weights", tiny_weights, "--data", tmp_path, "--results", files[0], "--page", files[1]]
    assert main(["--quick", *map(str, arguments)]) == 0
    assert (RESULTS.read_bytes(), PAGE.read_bytes()) == before
    results, text = json.loads(files[0].read_text()), files[1].read_text()
    assert text == markdown.render(results) and text in capsys.readouterr().out
    assert "> A quick run" in text and "nan" not in text  # and no figure is missing: the template would not have it
    assert {model["name"] for model in results["models"]} == {"scratch_cnn", "xception"}
    compare, folder, memory = results["compare"], results["folder"], results["serving"]["peak_megabytes"]
    assert compare["ratio"] == pytest.approx(compare["plain"]["p50"] / compare["catdog"]["p50"])  # of one turn
    for clients, servers in results["serving"]["clients"].items():
        for row in servers.values():
            assert row["count"] == int(clients)
            assert row["ratio"] == pytest.approx(row["photos_per_second"] / servers["plain"]["photos_per_second"])
    for name in ("tensorflow", "bare", "engines"):
        assert folder[f"to_{name}"]["ratio"] == pytest.approx(folder["classify"] / folder[name])
    assert 10 < memory["flask"] < memory["plain"] < 10_000
    assert 0 < results["start"]["warm"] < results["start"]["cold"]
    for by_model in results["large"]["agreement"].values():
        assert all(row["photos"] == 2 and 0 < row["one_grey_level"] < 1 for row in by_model.values())


def test_a_quick_run_of_one_part_says_that_its_figures_mean_nothing(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.browser.measure", lambda *_: SHIPPED["browser"])
    assert main(["--quick", "--browser"]) == 0
    assert "> A quick run" in capsys.readouterr().out


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_plain_way_gives_the_answers_of_a_model_with_an_output_for_neither(seed, tmp_path):
    spec = write_tiny_model(tmp_path, "scratch_cnn", classes=("cat", "dog", "neither"), seed=seed)
    spec.replace(classes=("cat", "dog"), neither={"threshold": 0.3}).write(tmp_path / "scratch_cnn.json")
    (model,) = plain.load(tmp_path)
    path = EXAMPLES / "cat.jpg"
    with open(path, "rb") as photo:
        answer = plain.judge([model], photo)["scratch_cnn"]
    (verdict,) = load(Settings(weights=str(tmp_path), engine="tensorflow")).compare(path).models
    assert (answer["label"], answer["confidence"]) == (verdict.label, pytest.approx(verdict.confidence, abs=0.02))


def test_the_shipped_page_shows_the_shipped_figures():
    text = PAGE.read_text()
    assert text == markdown.render(SHIPPED) and "A quick run" not in text
    assert all(len(line) <= 120 or line.startswith("|") for line in text.splitlines())
    rows = [line for line in text.splitlines() if re.search(r"\| (yes|no|not measured) \|$", line)]
    assert len(rows) == len(aims.check(SHIPPED)) == 19


def test_aims_are_met_or_not():
    def met(**changes) -> dict[str, bool | None]:
        return {aim.what: aim.met for aim in aims.check(SHIPPED | changes)}

    start = "first answer of the command line, warm start"
    assert [met(start={"warm": seconds})[start] for seconds in (1.5, 1.51)] == [True, False]
    compare = "compare(), relative to the plain way"
    assert [met(compare=plan.versus([ratio], [1]))[compare] for ratio in (8, 7.9)] == [True, False]


def test_a_run_without_models_says_why(tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("results.json", "page.md")]
    assert main(["--quick", "--weights", str(tmp_path), "--results", files[0], "--page", files[1]]) == 1
    assert "holds no model spec" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--data", "missing"],
        ["--page", "missing/page.md"],
        ["--large", "0"],
        ["--large", "-1"],
        ["--browser", "--ray=1"],
    ],
)
def test_what_cannot_be_measured_is_said_before_it_is_tried(options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--quick", *options]) == 2
    assert options[0] in capsys.readouterr().err


def test_sides_take_turns_whose_ratios_are_compared():
    order = []
    sides = {name: lambda name=name: order.append(name) or len(order) for name in "ab"}
    assert plan.in_turns(2, sides) == {"a": [1, 3], "b": [2, 4]}
    assert order == ["a", "b", "a", "b"]
    assert plan.versus([10, 30, 8], [5, 5, 2]) == {"ratio": 4, "lowest": 2, "highest": 6}


def test_compare_is_measured_turn_by_turn():
    class Stub:
        def __init__(self, *turns):
            self.turns = iter(turns)

        def ask(self, task, **arguments):
            return next(self.turns) if task == "compare" else {}

    catdog, plain = Stub([5, 5, 9], [5, 5, 9], [2, 2, 9]), Stub([10], [30], [8])
    figures = comparing.measure(plan.Plan(rounds=3), catdog, plain, ["photo"])
    assert (figures["ratio"], figures["lowest"], figures["highest"]) == (4, 2, 6)
    assert figures["plain"]["count"] == 3 and figures["catdog"]["p50"] == 5000


def test_photos_are_spread_or_repeated():
    assert plan.some(list(range(10)), 5) == ["0", "2", "4", "6", "8"]
    assert plan.some([1, 2], 5) == ["1", "2", "1", "2", "1"]


def test_durations_become_percentiles_in_milliseconds():
    figures = plan.milliseconds([0.001] * 99 + [1.0])
    assert figures == {"p50": 1.0, "p95": 1.0, "p99": pytest.approx(10.99), "count": 100}


def test_a_process_that_ends_says_why():
    command = [sys.executable, "-c", "import sys; sys.exit('no luck')"]
    with (
        pytest.raises(processes.Failed, match=r"ended with 1 and gave no answer\.\nno luck"),
        processes.started(command, {}, stdout=processes.subprocess.PIPE) as process,
    ):
        processes.line_of(process)


def test_a_task_that_hangs_ends(tiny_weights, monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 0.01)
    environment = {"CATDOG_WEIGHTS": str(tiny_weights)}
    with pytest.raises(processes.Failed), worker.worker("catdog", environment) as catdog:
        catdog.ask("describe")

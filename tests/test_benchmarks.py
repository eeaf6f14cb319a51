"""`python -m benchmarks` runs to its end and writes down what it saw: a small run, whose figures mean nothing."""

from __future__ import annotations

import json
import re
import sys

import pytest

from benchmarks import aims, comparing, markdown, plan, processes
from benchmarks.__main__ import PAGE, RESULTS, main

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def run(tiny_weights, tmp_path_factory):
    """A quick run on tiny models: (results, page)."""
    folder = tmp_path_factory.mktemp("benchmarks")
    results, text = folder / "results.json", folder / "benchmarks.md"
    arguments = ["--weights", tiny_weights, "--data", folder, "--results", results, "--page", text]
    assert main(["--quick", *map(str, arguments)]) == 0
    return json.loads(results.read_text()), text.read_text()


def test_every_figure_is_there(run):
    results, _ = run
    models = {"scratch_cnn", "xception"}
    assert {model["name"] for model in results["models"]} == models
    for figures in (results["compare"], results["large"]["compare"]):
        for name in ("catdog", "plain"):
            assert 0 < figures[name]["p50"] <= figures[name]["p95"] <= figures[name]["p99"]
        assert figures["ratio"] == pytest.approx(figures["plain"]["p50"] / figures["catdog"]["p50"])  # of one turn
    for clients, servers in results["serving"]["clients"].items():
        assert servers.keys() == {"flask", "gradio", "plain"}
        for row in servers.values():
            assert row["count"] == int(clients) and row["photos_per_second"] > 0
            assert row["ratio"] == pytest.approx(row["photos_per_second"] / servers["plain"]["photos_per_second"])
    folder = results["folder"]
    for name in ("tensorflow", "bare", "engines"):
        assert folder[f"to_{name}"]["ratio"] == pytest.approx(folder["classify"] / folder[name])
    assert all(10 < megabytes < 10_000 for megabytes in results["serving"]["peak_megabytes"].values())
    assert results["serving"]["peak_megabytes"]["plain"] > results["serving"]["peak_megabytes"]["flask"]
    assert 0 < results["start"]["warm"] < results["start"]["cold"]
    assert len(results["large"]["agreement"]) == 2
    for by_model in results["large"]["agreement"].values():
        assert by_model.keys() == models
        assert all(row["photos"] == 2 and 0 < row["one_grey_level"] < 1 for row in by_model.values())
    assert results["machine"]["cores"] >= 1 and results["machine"]["libraries"]["openvino"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", results["date"]) and results["quick"]


def test_the_page_shows_them(run):
    results, text = run
    assert text == markdown.render(results)
    assert "> A quick run" in text and "nan" not in text
    assert all(len(line) <= 120 or line.startswith("|") for line in text.splitlines())
    rows = [line for line in text.splitlines() if re.search(r"\| (yes|no|not measured) \|$", line)]
    assert len(rows) == len(aims.check(results)) == 11
    (compare,) = (row for row in rows if row.startswith("| compare(), "))
    assert re.search(r"\| at least 8× \| (\S+)× \| \1 to \1× \| (yes|no) \|$", compare)  # of one turn
    assert "A quick run" not in markdown.render(results | {"quick": False})


def test_aims_are_met_or_not(run):
    results, _ = run

    def met(**changes) -> dict[str, bool | None]:
        return {aim.what: aim.met for aim in aims.check(results | changes)}

    start = "first answer of the command line, warm start"
    assert [met(start={"warm": seconds})[start] for seconds in (1.5, 1.51)] == [True, False]
    compare = "compare(), to the plain way"
    assert [met(compare=plan.versus([ratio], [1]))[compare] for ratio in (8, 7.9)] == [True, False]
    folder = {"to_tensorflow": plan.versus([2.5], [1]), "to_bare": plan.versus([0.79], [1])}
    assert [aim.met for aim in aims.check(results | {"folder": folder}) if "classify" in aim.what] == [True, False]


def test_a_run_without_models_says_why(tmp_path, capsys):
    files = [str(tmp_path / name) for name in ("results.json", "page.md")]
    assert main(["--quick", "--weights", str(tmp_path), "--results", files[0], "--page", files[1]]) == 1
    assert "holds no model spec" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [["--data", "missing"], ["--page", "missing/page.md"], ["--large", "0"], ["--large", "-1"]]
)
def test_what_cannot_be_measured_is_said_before_it_is_tried(options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["--quick", *options])
    assert ended.value.code == 2
    assert f"argument {options[0]}: " in capsys.readouterr().err


def test_a_quick_run_replaces_no_figures(run, monkeypatch, capsys):
    results, _ = run
    before = RESULTS.read_bytes(), PAGE.read_bytes()
    monkeypatch.setattr("benchmarks.__main__.measure", lambda *args, **options: dict(results))
    assert main(["--quick"]) == 0
    assert capsys.readouterr().out.startswith("# Benchmarks\n")
    assert (RESULTS.read_bytes(), PAGE.read_bytes()) == before


def test_the_shipped_page_shows_the_shipped_figures():
    assert PAGE.read_text() == markdown.render(json.loads(RESULTS.read_text()))


def test_sides_take_turns():
    order = []
    sides = {name: lambda name=name: order.append(name) or len(order) for name in "ab"}
    assert plan.in_turns(2, sides) == {"a": [1, 3], "b": [2, 4]}
    assert order == ["a", "b", "a", "b"]


def test_ratios_are_those_of_turns():
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
    assert plan.milliseconds([0.001] * 99 + [1.0]) == {
        "p50": 1.0,
        "p95": 1.0,
        "p99": pytest.approx(10.99),
        "count": 100,
    }


def test_a_process_that_ends_says_why():
    command = [sys.executable, "-c", "import sys; sys.exit('no luck')"]
    with (
        pytest.raises(processes.Failed, match=r"ended with 1 and gave no answer\.\nno luck"),
        processes.started(command, {}, stdout=processes.subprocess.PIPE) as process,
    ):
        processes.line_of(process)

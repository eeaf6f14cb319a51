"""What `make bench` measures of the page without a server."""

import json

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import markdown, plan
from tests.conftest import CHROMIUM

pytestmark = pytest.mark.browser


@pytest.fixture
def measure(static_weights, tmp_path, monkeypatch):
    """measure(page) -> the exit status of the command, and the files that it writes about the page in this folder."""
    files = [tmp_path / "results.json", tmp_path / "page.md"]
    options = ["--weights", static_weights, "--data", tmp_path, "--results", files[0], "--page", files[1]]

    def measured(page):
        monkeypatch.setattr(benchmarks, "STATIC", page)
        return benchmarks.main(["--quick", "--browser", *map(str, options)]), files

    return measured


def test_a_visit_is_measured(static_page, measure):
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    status, (results, page) = measure(static_page)
    assert status == 0
    results = json.loads(results.read_text())
    assert page.read_text() == markdown.render(results)
    kept = json.loads(benchmarks.RESULTS.read_text())
    assert results == kept | {"browser": results["browser"], "quick": True}
    found = results["browser"]
    assert 0 < found["first"] <= found["all"]
    assert 0 < found["photo"] < 1000 * found["all"]
    assert found["models_bytes"] == sum(path.stat().st_size for path in static_page.glob("models/*.bin"))
    assert found["runtime_bytes"] > 10_000_000 > found["page_bytes"] > 50_000
    agreement = found["agreement"]
    assert agreement["photos"] == plan.QUICK.browser_photos and agreement["labels_changed"] == 0
    assert 0 <= agreement["largest_change"] <= 0.02


def test_without_a_page_nothing_is_measured_or_written(measure, tmp_path, capsys):
    status, files = measure(tmp_path / "none")
    assert status == 1 and "make static" in capsys.readouterr().err
    assert not any(path.exists() for path in files)

"""What `make bench` measures of the page without a server."""

from __future__ import annotations

import pytest

from benchmarks import browser, plan
from tests.conftest import CHROMIUM

pytestmark = pytest.mark.browser


def test_a_visit_is_measured(static_page, static_weights, cat):
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    found = browser.measure(plan.QUICK, static_page, static_weights, [cat])
    assert 0 < found["first"] <= found["all"]
    assert 0 < found["photo"] < 1000 * found["all"]
    assert found["models_bytes"] == sum(path.stat().st_size for path in static_page.glob("models/*.bin"))
    assert found["runtime_bytes"] > 10_000_000 > found["page_bytes"] > 50_000
    agreement = found["agreement"]
    assert agreement["photos"] == plan.QUICK.browser_photos and agreement["labels_changed"] == 0
    assert 0 <= agreement["largest_change"] <= 0.02


def test_without_a_page_nothing_is_measured(tmp_path, cat):
    assert browser.measure(plan.QUICK, tmp_path / "none", tmp_path, [cat]) is None

"""What every page must keep to, in every state."""

from __future__ import annotations

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")


def settle(page) -> None:
    """Wait until no animation runs: opacity and widths are final."""
    page.wait_for_function(
        "document.getAnimations().every(a => a.playState !== 'running' || a.effect.getTiming().iterations === Infinity)"
    )


def assert_looks_right(page) -> None:
    """Nothing runs over the edge, and axe finds nothing that keeps anybody out: WCAG 2 A and AA, and good practice."""
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()

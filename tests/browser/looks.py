"""What every page must keep to, in every state."""

from __future__ import annotations

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")


# Not `wait_for_function`, which a page's Content-Security-Policy may forbid.
SETTLED = """() => Promise.allSettled(document.getAnimations()
  .filter((animation) => animation.effect.getTiming().iterations !== Infinity)
  .map((animation) => animation.finished))"""


def settle(page) -> None:
    """Wait until all animations that end have ended: opacity and widths are final."""
    page.evaluate(SETTLED)


def assert_looks_right(page) -> None:
    """Nothing runs over the edge, and axe finds nothing that keeps anybody out: WCAG 2 A and AA, and good practice."""
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()

"""Pages in a browser, and what each must keep to, in every state."""

import contextlib
import re
from collections.abc import Callable

import pytest

from tests.conftest import WAIT

PHONE, DESKTOP, HEIGHT = 360, 1440, 800

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright").expect


@contextlib.contextmanager
def watched(chromium, expected: tuple[str, ...], *, kinds: tuple[str, ...] = ()):
    """opened(url, width, **options) -> a page; at the end, nothing was asked of others and nothing failed.

    `kinds` are the kinds of messages in the console that count as failures, all if empty, but for the `expected`.
    """
    contexts, strangers, failures = [], [], []

    def heard(message) -> None:
        if not kinds or message.type in kinds:
            failures.append(message.text)

    def opened(url: str, width: int, **options):
        options = {"viewport": {"width": width, "height": HEIGHT}, "reduced_motion": "reduce"} | options
        contexts.append(chromium.new_context(**options))
        contexts[-1].set_default_timeout(WAIT)
        page = contexts[-1].new_page()
        page.on("request", lambda request: None if is_local(request.url) else strangers.append(request.url))
        page.on("console", heard)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    unexpected = [text for text in failures if not any(words in text for words in expected)]
    assert (strangers, unexpected) == ([], []), (strangers, unexpected)


def is_local(url: str) -> bool:
    return re.match(r"(https?|ws)://127\.0\.0\.1[:/]|data:|blob:", url) is not None


# Drops or pastes files made in the page, as the browser would.
TRANSFER = """([kind, place, files]) => {
  const data = new DataTransfer();
  for (const [name, type, content] of files) {
    const bytes = typeof content === 'number' ? new Uint8Array(content) : Uint8Array.from(content);
    data.items.add(new File([bytes], name, {type}));
  }
  const options = {bubbles: true, cancelable: true};
  const event = kind === 'paste' ? new ClipboardEvent(kind, {...options, clipboardData: data})
    : new DragEvent(kind, {...options, dataTransfer: data});
  document.querySelector(place).dispatchEvent(event);
}"""


def transfer(page, kind: str, *files: tuple[str, str, bytes | int], place: str = "body") -> None:
    """`drop` or `paste` files, each (name, type, content or how many bytes)."""
    content = [[name, type, data if isinstance(data, int) else list(data)] for name, type, data in files]
    page.evaluate(TRANSFER, [kind, place, content])


# From now on, whatever is chosen or dropped is a folder: nothing in it can be read.
FOLDERS = "void (Blob.prototype.slice = () => ({arrayBuffer: () => Promise.reject(new DOMException())}))"

# A frame in which the page hears of a new scheme, and the end of all animations that end, and of those that begin as
# others end: colours are final.
SETTLED = """async () => {
  await new Promise(requestAnimationFrame);
  const ends = ({playState, effect}) => playState === "running" && effect.getTiming().iterations !== Infinity;
  for (let running; (running = document.getAnimations().filter(ends)).length;) {
    await Promise.allSettled(running.map(({finished}) => finished));
  }
}"""
FITS = "document.documentElement.scrollWidth <= innerWidth"
VIOLATIONS = """async (rules) => {
  const {violations} = await axe.run({resultTypes: ["violations"], preload: false, ...rules});
  return violations.map(({id, nodes}) => [id, ...nodes.map(({target, failureSummary}) => [target, failureSummary])]);
}"""
# Contrast depends on the scheme, all else that axe looks at on neither.
LOOKS = [(PHONE, "dark", {"runOnly": ["color-contrast"]}), (DESKTOP, "light", {})]


def opened_anew(page, url: str):
    """The same page as a new visitor has it on a desktop, but for the files that were fetched before."""
    page.set_viewport_size({"width": DESKTOP, "height": HEIGHT})
    page.emulate_media(color_scheme="light")
    page.context.clear_permissions()
    page.goto(url)
    return page


def wait_until(page, holds: Callable[[], object]) -> None:
    """Wait until `holds()` is true, which may ask `page.evaluate`.

    Not with `page.wait_for_function`, which evaluates words in the page from the second try on: the static page's
    Content-Security-Policy forbids it.
    """
    for _ in range(WAIT // 20):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"it did not come true in {WAIT} ms")


def assert_looks_right(page) -> None:
    """Nothing runs over the edge, and axe finds nothing that keeps anybody out: WCAG 2 A and AA, and good practice.

    First on a phone and dark, then on a desktop and light, which it stays.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.Axe().axe_script)
    for width, scheme, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme)
        page.evaluate(SETTLED)
        wait_until(page, lambda: page.evaluate(FITS))
        violations = page.evaluate(VIOLATIONS, rules)
        assert violations == [], (width, scheme, violations)

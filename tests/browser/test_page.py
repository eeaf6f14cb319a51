"""The page in a real Chromium: what a visitor sees and does, and what leaves the machine (nothing)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catdog import ui
from tests.catdog.photos import heic, noise

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "tests" / "screenshots"
PHONE, DESKTOP = 360, 1440

# Every text of the cards and the banner with its colour and the first opaque colour behind it.
TEXTS = """() => {
  const texts = document.querySelectorAll('.cd-head *, .cd-results *, .cd-examples *, .cd-hint, .cd-about, strong');
  const fill = element => getComputedStyle(element).backgroundColor;
  const ground = element => {
    while (element.parentElement && /, 0\\)$|transparent/.test(fill(element))) element = element.parentElement;
    return fill(element.parentElement ? element : document.body);
  };
  return [...texts]
    .filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .map(element => [element.textContent.trim().slice(0, 30), getComputedStyle(element).color, ground(element)]);
}"""


@pytest.fixture(scope="module")
def url(tiny_comparator):
    demo = ui.build(tiny_comparator)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options(tiny_comparator.settings))
    yield url
    demo.close(verbose=False)


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=[PHONE, DESKTOP])
def width(request):
    return request.param


@pytest.fixture
def page(chromium, url, width, scheme):
    """The open page; at the end, nothing was asked of another machine and nothing failed."""
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    strangers, failures = [], []
    page.on("request", lambda request: None if is_local(request.url) else strangers.append(request.url))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(url)
    page.wait_for_selector(".cd-card")
    yield page
    page.close()
    assert strangers == []
    assert failures == []


def is_local(url: str) -> bool:
    return re.match(r"(https?|ws)://127\.0\.0\.1[:/]|data:|blob:", url) is not None


def choose(page, path: Path) -> None:
    page.set_input_files("#cd-photo input[type=file]", path)


def banner(page, text: str | re.Pattern[str]) -> str:
    """The text of the banner, once it holds `text`."""
    heading = page.locator(".cd-banner h2", has_text=text)
    heading.wait_for(timeout=20_000)
    return page.locator(".cd-banner").inner_text()


def verdicts(page) -> dict[str, str]:
    cards = page.locator(".cd-card")
    return {card.get_attribute("data-model"): card.locator("strong").inner_text() for card in cards.all()}


def settle(page) -> None:
    """Wait until no animation runs: opacity and widths are final."""
    page.wait_for_function("document.getAnimations().every(a => a.playState !== 'running')")


def screenshot(page, scheme: str, width: int, state: str) -> None:
    settle(page)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{state}-{scheme}-{width}.png", full_page=True)


def assert_looks_right(page) -> None:
    """Nothing runs over the edge, and all text reaches the contrast of WCAG AA."""
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    texts = page.evaluate(TEXTS)
    assert len(texts) > 10
    assert [text for text in texts if contrast(text[1], text[2]) < 4.5] == []


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_visit(page, tiny_comparator, cat, dog, tmp_path, scheme, width):
    """Empty page -> a photo -> an example -> cleared -> a file that is no photo."""
    assert "Waiting for a photo" in banner(page, "Waiting")
    assert page.locator("[aria-live=polite] .cd-results").count() == 1
    assert_looks_right(page)
    screenshot(page, scheme, width, "empty")

    choose(page, cat)
    banner(page, re.compile("models"))
    expected = {verdict.model: verdict.label.capitalize() for verdict in tiny_comparator.compare(cat).models}
    assert verdicts(page) == expected
    photo = page.locator("#cd-photo img")
    assert photo.get_attribute("alt") and photo.evaluate("image => image.naturalWidth") == 800
    assert_looks_right(page)
    screenshot(page, scheme, width, "result")

    page.click("[aria-label='Remove Image']")
    banner(page, "Waiting")
    page.get_by_role("button", name="Try the dog photo").press("Enter")
    banner(page, re.compile("models"))
    assert verdicts(page) == {v.model: v.label.capitalize() for v in tiny_comparator.compare(dog).models}

    page.click("[aria-label='Remove Image']")
    banner(page, "Waiting")
    text = tmp_path / "letter.jpg"
    text.write_text("Dear cat,")
    choose(page, text)
    assert "not a photo" in banner(page, "No verdict")
    assert page.locator(".cd-banner[role=alert]").count() == 1
    assert_looks_right(page)
    screenshot(page, scheme, width, "error")


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light")], indirect=True)
def test_photo_that_the_browser_cannot_show_is_judged(page, tmp_path):
    path = tmp_path / "phone.heic"
    path.write_bytes(heic(noise()))
    choose(page, path)
    banner(page, re.compile("models"))
    assert len(verdicts(page)) == 2


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light")], indirect=True)
def test_file_over_the_limit_is_refused_before_it_is_sent(page, tmp_path, tiny_comparator):
    path = tmp_path / "big.jpg"
    path.write_bytes(bytes(tiny_comparator.settings.max_upload_bytes + 1))
    choose(page, path)
    page.locator(".toast-wrap", has_text=re.compile("maximum|exceeds", re.I)).wait_for(timeout=10_000)
    assert "Waiting" in banner(page, "Waiting")


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "dark")], indirect=True)
def test_cards_stand_side_by_side_on_a_desktop(page):
    first, second = (card.bounding_box() for card in page.locator(".cd-card").all())
    assert first["y"] == second["y"] and first["x"] + first["width"] <= second["x"]

"""One photo: what a visitor sees and does."""

from __future__ import annotations

import re
import threading

import pytest

from catdog import Settings
from catdog.compare import Classifier, Comparator
from tests.catdog import fakes
from tests.catdog.photos import heic, noise
from tests.conftest import CHROMIUM, PATIENCE, QUIET

from .conftest import launched
from .looks import assert_looks_right

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright").expect


def choose(page, path) -> None:
    page.set_input_files("#cd-photo input[type=file]", path)


def expect_headline(page, text: str | re.Pattern[str]) -> None:
    expect(page.locator(".cd-banner h2").first).to_contain_text(text)


def verdicts(page) -> list[str]:
    return page.locator(".cd-cards[data-state=done] .cd-card strong").all_inner_texts()


def test_visit(any_page, photo, tmp_path):
    """Empty page -> cat -> dispute -> neither -> cleared -> a file that is no photo."""
    page = any_page
    expect_headline(page, "Waiting for a photo")
    assert page.locator("[aria-live=polite] .cd-banner").count() == 1
    assert page.locator(".cd-card").count() == 3
    assert_looks_right(page)

    choose(page, photo(fakes.CAT))
    expect_headline(page, "All three models say cat")
    assert verdicts(page) == ["Cat"] * 3
    expect(page.locator(".cd-worth").first).to_have_text("About 1 in 50 answers this sure is wrong.")
    assert page.locator("#cd-photo img").get_attribute("alt")
    assert_looks_right(page)

    choose_again(page, photo(fakes.DISPUTED, "disputed.png"))
    expect_headline(page, "The models disagree")
    expect(page.locator(".cd-banner p").first).to_contain_text("Xception was right 30 of 40 times")
    assert verdicts(page) == ["Cat", "Dog", "Dog"]
    assert_looks_right(page)

    choose_again(page, photo(fakes.NEITHER, "neither.png"))
    expect_headline(page, "Probably neither a cat nor a dog")
    assert_looks_right(page)

    text = tmp_path / "letter.jpg"
    text.write_text("Dear cat,")
    choose_again(page, text)
    expect_headline(page, "No verdict")
    expect(page.locator(".cd-banner[role=alert]")).to_contain_text("not a photo")
    assert verdicts(page) == []
    assert_looks_right(page)


def choose_again(page, path) -> None:
    page.click("[aria-label='Remove Image']")
    expect_headline(page, "Waiting for a photo")
    choose(page, path)


def test_on_a_phone_the_verdict_comes_into_view(page, photo):
    page.set_viewport_size({"width": 360, "height": 500})
    choose(page, photo(fakes.CAT))
    expect_headline(page, "All three models say cat")
    expect(page.locator(".cd-banner").first).to_be_in_viewport(ratio=0.9)


def test_maps_can_be_switched_off_and_on(page, photo):
    choose(page, photo(fakes.CAT))
    maps = page.locator(".cd-map")
    expect(maps).to_have_count(3)
    assert maps.first.evaluate("image => image.naturalWidth > 0")
    assert "Heat map over the photo" in maps.first.get_attribute("alt")
    expect(page.locator(".cd-legend")).to_contain_text("One scale for all models")
    page.get_by_label("Show what the models looked at").uncheck()
    expect(maps).to_have_count(0)
    assert verdicts(page) == ["Cat"] * 3
    page.get_by_label("Show what the models looked at").check()
    expect(maps).to_have_count(3)


def test_an_example_has_an_address_that_leads_to_it(page, open_page, photo):
    page.get_by_role("button", name="Try the dog photo").press("Enter")
    expect(page.locator(".cd-cards[data-state=done]")).to_be_visible()
    assert page.url.endswith("?example=dog")

    other = open_page(page.url)
    expect(other.locator(".cd-cards[data-state=done]")).to_be_visible()
    assert verdicts(other) == verdicts(page)
    expect(other.locator("#cd-photo img")).to_have_js_property("naturalWidth", 800)
    pressed = other.locator(".cd-examples [aria-pressed=true]")
    expect(pressed).to_have_text("Dog")

    other.click("[aria-label='Remove Image']")
    expect_headline(other, "Waiting for a photo")
    assert "example" not in other.url
    expect(pressed).to_have_count(0)


def test_an_address_of_no_example_says_so(open_page, url):
    page = open_page(f"{url}?example=nobody")
    expect_headline(page, "No verdict")
    expect(page.locator(".cd-banner").first).to_contain_text("choose one of cat, dog")


def test_a_photo_that_the_browser_cannot_show_is_judged(page, tmp_path):
    path = tmp_path / "phone.heic"
    path.write_bytes(heic(noise()))
    choose(page, path)
    expect(page.locator(".cd-cards[data-state=done] .cd-card")).to_have_count(3)
    expect(page.locator("#cd-photo img")).to_have_attribute("src", re.compile("^data:image/svg"))


def test_a_file_over_the_limit_is_refused_before_it_is_sent(page, tmp_path):
    path = tmp_path / "big.jpg"
    path.write_bytes(bytes(Settings().max_upload_bytes + 1))
    choose(page, path)
    page.locator(".toast-wrap", has_text=re.compile("maximum|exceeds", re.I)).wait_for(timeout=10_000)
    expect_headline(page, "Waiting for a photo")


def test_cards_stand_side_by_side_on_a_desktop(page):
    boxes = [card.bounding_box() for card in page.locator(".cd-card").all()]
    assert len({box["y"] for box in boxes}) == 1
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] < boxes[1]["x"] + boxes[1]["width"] <= boxes[2]["x"]
    names = [card.get_attribute("data-model") for card in page.locator(".cd-card").all()]
    assert names == ["scratch_cnn", "xception", "mobilenet_v2"]


# The part of the page that has the focus.
FOCUSED = """() => {
  const parts = {tab: '[role=tab]', photo: '#cd-photo', example: '.cd-examples', maps: '#cd-maps', end: 'footer'};
  return Object.keys(parts).find((name) => document.activeElement.closest(parts[name])) ?? null;
}"""


def test_the_keyboard_goes_from_the_tabs_over_photo_and_examples_to_the_maps(page):
    reached = []
    while "end" not in reached and len(reached) < 40:
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
    order = list(dict.fromkeys(filter(None, reached)))
    assert order == ["tab", "photo", "example", "maps", "end"]
    assert reached.count("example") == 5


@pytest.fixture
def camera(chromium):
    """A browser whose camera shows a test picture."""
    allowed = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=[*QUIET, *allowed])
    yield browser
    browser.close()


def test_the_camera_takes_a_photo(camera, url):
    page = camera.new_page()
    page.goto(url)
    page.get_by_label("Capture from camera").click()
    page.get_by_role("button", name="Access Webcam").click()
    page.wait_for_function(
        "document.querySelector('#cd-photo video')?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA"
    )
    page.get_by_label("capture photo").click()
    expect(page.locator(".cd-cards[data-state=done] .cd-card")).to_have_count(3)


class Slow(fakes.Colours):
    """Models that answer when they may."""

    def __init__(self, may: threading.Event):
        super().__init__(0.3)
        self.may = may

    def __call__(self, batch):
        self.may.wait(2 * PATIENCE)
        return super().__call__(batch)


@pytest.fixture
def slow():
    """The address of a page with one place for a photo, and the event that lets its models answer."""
    may = threading.Event()
    comparator = Comparator([Classifier(fakes.spec("xception"), Slow(may))], settings=Settings(max_waiting=1))
    with launched(comparator) as url:
        yield url, may
        may.set()


def test_loading_and_busy(open_page, slow, photo):
    url, may = slow
    first, second = open_page(url), open_page(url)
    choose(first, photo(fakes.CAT))
    expect_headline(first, "Looking at your photo")
    expect(first.locator(".cd-cards[aria-busy=true]")).to_be_visible()
    assert_looks_right(first)

    choose(second, photo(fakes.DOG, "dog.png"))
    expect_headline(second, "Please wait a moment")
    expect(second.locator(".cd-banner").first).to_contain_text("Many people are asking at the moment")
    assert_looks_right(second)

    may.set()
    expect_headline(first, "Xception says cat")
    second.get_by_role("button", name="Try again").click()
    expect_headline(second, "Xception says dog")


def test_a_full_queue_says_so(open_page, photo):
    with launched(fakes.comparator(), max_size=0) as url:
        page = open_page(url)
        choose(page, photo(fakes.CAT))
        expect_headline(page, "No verdict on this one")
        expect(page.locator(".cd-banner p").first).to_contain_text("too many people may be asking")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()

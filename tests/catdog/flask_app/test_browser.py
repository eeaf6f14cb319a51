"""The page in a real Chromium: what the script adds, what works without it, and how it fits a screen."""

import os
import re

import pytest

from tests.browser.looks import (
    DESKTOP,
    FOLDERS,
    assert_looks_right,
    expect,
    opened_anew,
    transfer,
    wait_until,
    watched,
)
from tests.catdog import fakes
from tests.catdog.photos import encoded, heic, noise

from .conftest import served

pytestmark = pytest.mark.browser

PHOTO = "0.jpg", "image/jpeg", encoded(fakes.photo(fakes.CAT), "JPEG")
# It says that it is a photo.
NO_PHOTO = {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"%PDF-1.7"}


@pytest.fixture(scope="module")
def server(port):
    return f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def knowing():
    """The address of a server on three models that know everything that models can know."""
    with served(fakes.comparator()) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def opened(chromium):
    """opened(url, width, **options) -> a page."""
    with watched(chromium, ("the server responded with a status of 4", "ERR_INTERNET_DISCONNECTED")) as opened:
        yield opened


@pytest.fixture(scope="module")
def kept_page(opened):
    """One page for all tests, each of which opens it anew."""
    return opened("about:blank", DESKTOP)


@pytest.fixture
def page(kept_page, server):
    return opened_anew(kept_page, server)


@pytest.fixture
def knowing_page(kept_page, knowing):
    return opened_anew(kept_page, knowing)


def send(page, photo, script: bool = True) -> None:
    """Choose a photo; the script sends it, and without one the button does."""
    page.set_input_files("#file", photo)
    if not script:
        page.click("form button:not(.scripted)")


def expect_verdicts(page, count: int = 2) -> None:
    expect(page.locator(".cd-cards[data-state=done] .cd-card")).to_have_count(count)
    expect(page.locator("#headline .cd-banner:not([data-accent=error])")).to_have_count(1)


def expect_error(page, text: str) -> None:
    expect(page.locator("#headline")).to_contain_text(text)
    expect(page.locator("#headline .cd-banner")).to_have_attribute("data-accent", "error")
    expect(page.locator(".cd-cards[data-state=done]:visible")).to_have_count(0)


def test_a_chosen_photo_is_sent_and_a_bad_file_takes_the_place_of_its_verdicts(page, server, cat):
    expect(page.locator("#preview")).to_be_hidden()
    page.set_input_files("#file", cat)
    expect_verdicts(page)
    expect(page.locator("#preview")).to_be_visible()
    assert page.locator("#preview").evaluate("image => image.naturalWidth") > 0
    assert page.url == server
    page.set_input_files("#file", NO_PHOTO)
    expect_error(page, "not a photo")
    expect(page.locator("#preview")).to_be_hidden()
    page.set_input_files("#file", cat)
    expect_verdicts(page)


def test_one_photo_can_be_dropped_or_pasted_and_what_is_none_leaves_it_and_its_verdict(page):
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    alert = page.locator("#headline .cd-banner[role=alert]")
    transfer(page, "drop")
    expect(alert).to_contain_text("no file")
    expect(page.locator("#headline .cd-banner")).to_have_count(1)
    for kind in ("drop", "paste"):
        with page.expect_response(lambda response: response.request.method == "POST"):
            transfer(page, kind, PHOTO)
        expect_verdicts(page)
        expect(alert).to_have_count(0)
    for count, words in ((0, "no file"), (2, "one photo at a time")):
        for kind in ("drop", "paste"):
            transfer(page, kind, *[PHOTO] * count)
            expect(alert).to_contain_text(words)
    for name, mime, size in (("large.jpg", "image/jpeg", 2**20 + 1), ("notes.txt", "text/plain", 9)):
        page.set_input_files("#file", {"name": name, "mimeType": mime, "buffer": bytes(size)})
        expect(alert).to_contain_text(name)
        expect(alert.locator("button")).to_have_count(0)
        expect_verdicts(page)
        expect(page.locator("#preview")).to_have_attribute("alt", "The photo 0.jpg")
    assert sent.count("POST") == 2
    page.get_by_label("Show what the models looked at").uncheck()
    expect(alert).to_have_count(0)
    expect_verdicts(page)
    page.evaluate(FOLDERS)
    transfer(page, "drop", PHOTO)
    expect(alert).to_contain_text("If it is a folder, open it")
    expect_verdicts(page)
    assert sent.count("POST") == 3


# The first photo is read only when `release` is called.
SLOW_DISK = """() => {
  const slice = Blob.prototype.slice, read = new Promise((resolve) => { window.release = resolve; });
  Blob.prototype.slice = function (...range) {
    const part = slice.apply(this, range);
    if (this.name === 'slow.jpg') part.arrayBuffer = () => read;
    return part;
  };
}"""


def test_a_photo_from_a_slow_disk_does_not_take_the_place_of_a_later_one(page):
    page.evaluate(SLOW_DISK)
    transfer(page, "drop", ("slow.jpg", *PHOTO[1:]))
    transfer(page, "drop", PHOTO)
    expect_verdicts(page)
    page.evaluate("release(); new Promise((resolve) => setTimeout(resolve, 200))")
    expect_verdicts(page)
    expect(page.locator("#preview")).to_have_attribute("alt", "The photo 0.jpg")


def answer_busy(route) -> None:
    """What a server in front of ours may say."""
    route.fulfill(status=429, json={"error": {"code": "busy", "message": "Too many photos."}})


@pytest.mark.parametrize(
    ("fail", "words"),
    [(lambda route: route.abort("internetdisconnected"), "did not answer"), (answer_busy, "Too many photos.")],
    ids=["gone", "busy"],
)
def test_a_server_that_fails_can_be_asked_again(page, server, cat, fail, words):
    page.route(server, fail)
    send(page, cat)
    expect_error(page, words)
    page.unroute(server)
    page.get_by_role("button", name="Try again").click()
    expect_verdicts(page)


def test_the_keyboard_reaches_the_photo_and_on_a_phone_the_verdict_comes_into_view(page, cat):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    assert page.locator("#drop").evaluate("label => getComputedStyle(label).outlineStyle") == "solid"
    page.set_viewport_size({"width": 360, "height": 500})
    page.set_input_files("#file", cat)
    expect_verdicts(page)
    expect(page.locator("#headline .cd-banner")).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_it_fits_the_screen(opened, server, cat, script):
    page = opened(server, DESKTOP, java_script_enabled=script)
    send(page, cat, script)
    expect_verdicts(page)
    assert script or "cat.jpg" in page.locator("section").inner_text()
    for width in (320, 360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        for part in page.locator("h1, label, article, #headline, footer").all():
            box = part.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        first, second = (card.bounding_box() for card in page.locator("article").all())
        assert (first["y"] == second["y"]) == (width >= 768)


def png(colour: tuple[int, int, int]) -> dict:
    return {"name": "photo.png", "mimeType": "image/png", "buffer": encoded(fakes.photo(colour), "PNG")}


def test_every_state_looks_right(knowing_page):
    page = knowing_page
    assert_looks_right(page)
    for accent, colour in {"cat": fakes.CAT, "split": fakes.DISPUTED, "neither": fakes.NEITHER}.items():
        send(page, png(colour))
        expect(page.locator("#headline .cd-banner")).to_have_attribute("data-accent", accent)
        expect(page.locator(".cd-map")).to_have_count(3)
        assert_looks_right(page)
    page.set_input_files("#file", NO_PHOTO)
    expect_error(page, "not a photo")
    assert_looks_right(page)


def test_maps_can_be_switched_off_and_an_example_has_an_address(knowing_page, knowing):
    page = knowing_page
    page.get_by_role("link", name="Dog").click()
    expect_verdicts(page, 3)
    assert page.url == f"{knowing}?example=dog"
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator(".cd-map")).to_have_count(3)
    page.get_by_label("Show what the models looked at").uncheck()
    expect(page.locator(".cd-map")).to_have_count(0)
    send(page, png(fakes.CAT))
    expect(page.locator("#headline .cd-banner")).to_have_attribute("data-accent", "cat")
    expect(page).to_have_url(knowing)
    expect(page.locator(".cd-map")).to_have_count(0)
    page.get_by_label("Show what the models looked at").check()
    expect(page.locator(".cd-map")).to_have_count(3)


def test_it_opens_with_an_example_and_what_the_models_say_can_be_saved(knowing_page, knowing):
    page = knowing_page
    maps = page.locator(".cd-cards[data-state=example] .cd-map:visible")
    expect(maps).to_have_count(3)
    page.get_by_label("Show what the models looked at").uncheck()
    expect(maps).to_have_count(0)
    send(page, png(fakes.CAT))
    expect_verdicts(page, 3)
    expect(page.locator("[data-do=link]")).to_be_hidden()
    for kind, begins in (("json", b"{"), ("picture", b"\x89PNG")):
        with page.expect_download() as download:
            page.click(f"[data-do={kind}]")
        assert download.value.path().read_bytes().startswith(begins)
    page.get_by_role("link", name="Dog").click()
    expect(page.locator("[data-do=link]")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-do=link]")
    expect(page.locator("[data-do=link]")).to_have_text("Copied")
    expect(page.locator("[data-do=link]")).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == page.url == f"{knowing}?example=dog"


def test_a_photo_that_the_browser_cannot_show_is_shown_all_the_same(knowing_page):
    page = knowing_page
    page.set_input_files("#file", {"name": "x.heic", "mimeType": "image/heic", "buffer": heic(noise())})
    expect_verdicts(page, 3)
    expect(page.locator("#preview")).to_have_attribute("src", re.compile("^data:image/jpeg"))
    assert page.locator("#preview").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_a_photo_that_was_chosen_before_the_script_came_or_before_coming_back_is_sent(kept_page, knowing, cat):
    page, held = kept_page, []
    page.route("**/catdog.js", lambda route: held.append(route))
    page.goto(knowing, wait_until="commit")
    page.set_input_files("#file", cat)
    wait_until(page, lambda: held)
    held[0].continue_()
    page.unroute("**/catdog.js")
    expect_verdicts(page, 3)
    page.get_by_role("link", name="Dog").click()
    expect(page.locator("[aria-current]")).to_have_count(1)
    page.go_back()
    expect(page.locator("#preview")).to_have_attribute("alt", "The photo cat.jpg")
    expect_verdicts(page, 3)


def test_a_photo_that_changed_since_it_was_chosen_is_to_be_chosen_again(knowing_page, tmp_path):
    page, path = knowing_page, tmp_path / "a.png"
    path.write_bytes(encoded(fakes.photo(fakes.CAT), "PNG"))
    page.set_input_files("#file", path)
    expect_verdicts(page, 3)
    os.utime(path, (0, 0))
    page.get_by_label("Show what the models looked at").uncheck()
    expect(page.locator("#headline [role=alert]")).to_contain_text("choose it again")
    expect_verdicts(page, 3)


def test_the_field_for_an_address_takes_text_that_is_dropped_on_it_and_leaves_photos_to_the_page(knowing_page):
    page, field = knowing_page, "#url"
    box = page.locator(field).bounding_box()
    mouse = {"x": box["x"] + 5, "y": box["y"] + 5}
    text = {"items": [{"mimeType": "text/plain", "data": "https://example.org/cat.jpg"}], "dragOperationsMask": 1}
    browser = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "data": text, **mouse})
    expect(page.locator(field)).to_have_value("https://example.org/cat.jpg")
    expect(page.locator("#headline .cd-banner[role=alert]")).to_have_count(0)
    for kind in ("drop", "paste"):
        page.reload()
        transfer(page, kind, PHOTO, place=field)
        expect_verdicts(page, 3)
        expect(page.locator("#preview")).to_have_attribute("alt", "The photo 0.jpg")

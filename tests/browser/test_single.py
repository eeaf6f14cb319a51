"""One photo: what a visitor sees and does."""

import io
import os
import re

import httpx
import pytest
from PIL import Image

from catdog import Comparison, Settings
from tests.catdog import fakes
from tests.catdog.photos import heic, noise

from .conftest import launched
from .looks import DESKTOP, FOLDERS, PHONE, assert_looks_right, expect, transfer, wait_until

pytestmark = pytest.mark.browser


def choose(page, path) -> None:
    page.set_input_files("#cd-photo input[type=file]", path)


def expect_headline(page, text: str | re.Pattern[str]) -> None:
    expect(page.locator(".cd-banner h2").first).to_contain_text(text)


def verdicts(page) -> list[str]:
    return page.locator(".cd-cards[data-state=done] .cd-card strong").all_inner_texts()


def test_visit(page, photo, tmp_path):
    """Empty page -> cat -> dispute -> neither -> cleared -> a file that is no photo."""
    expect_headline(page, "Waiting for a photo")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_css("color-scheme", scheme)
    assert page.locator("[aria-live=polite] .cd-banner").count() == 1
    assert page.locator(".cd-card").count() == 3
    assert_looks_right(page)

    choose(page, photo(fakes.CAT))
    expect_headline(page, "All three models say cat")
    assert verdicts(page) == ["Cat"] * 3
    expect(page.locator(".cd-worth").first).to_contain_text("1 in 50")
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


def paste(page, path) -> None:
    transfer(page, "paste", ("pasted", "image/png", path.read_bytes()))


def drop(page, *files, place: str = "#cd-photo .upload-container") -> None:
    transfer(page, "drop", *files, place=place)


TOO_LARGE = Settings().max_upload_bytes + 1
NO_PHOTOS = {
    "notes.txt": [("notes.txt", "text/plain", b"Dear cat,")],
    "all.zip": [("all.zip", "application/zip", 9)],
    "letter.pdf": [("letter.pdf", "application/pdf", 9)],
    "clip.mp4": [("clip.mp4", "video/mp4", 9)],
    "drawing.svg": [("drawing.svg", "", 9)],
    "large.jpg": [("large.jpg", "image/jpeg", TOO_LARGE)],
    "2 files": [("a.png", "image/png", 9), ("b.png", "image/png", 9)],
    "no file": [],
}


def expect_objection(page, words: str, headline: str) -> None:
    """There is an alert above the headline, and all else is as it was."""
    expect(page.locator(".cd-banner[role=alert]")).to_have_count(1)
    expect(page.locator(".cd-banner[role=alert]")).to_contain_text(words)
    expect(page.locator(".cd-banner h2").last).to_contain_text(headline)
    assert verdicts(page) == ["Cat"] * 3
    expect(page.locator("#cd-photo .image-frame img")).to_have_js_property("naturalWidth", 320)
    assert page.locator(".toast-body").count() == 0


def test_what_is_no_photo_is_named_and_leaves_the_photo_and_its_verdict(page, photo, tmp_path):
    drop(page, *NO_PHOTOS["notes.txt"])
    expect(page.locator(".cd-banner")).to_have_count(1)
    expect_headline(page, "Not accepted")
    choose(page, photo(fakes.CAT))
    expect(page.locator(".cd-banner[role=alert]")).to_have_count(0)
    expect_headline(page, "say cat")
    for words, files in NO_PHOTOS.items():
        drop(page, *files)
        expect_objection(page, words, "say cat")
    assert_looks_right(page)
    for name in ("notes.txt", "large.jpg"):
        (tmp_path / name).write_bytes(b"Dear cat,")
    os.truncate(tmp_path / "large.jpg", TOO_LARGE)
    for name in ("notes.txt", "large.jpg"):
        choose(page, tmp_path / name)
        expect_objection(page, name, "say cat")
    drop(page, ("photo", "image/png", photo(fakes.DOG).read_bytes()), place="footer")
    expect_headline(page, "say dog")
    expect(page.locator(".cd-banner[role=alert]")).to_have_count(0)
    drop(page, ("photo", "image/png", photo(fakes.CAT).read_bytes()), place="#cd-address :is(input, textarea)")
    expect_headline(page, "say cat")
    page.evaluate(FOLDERS)
    drop(page, ("cats", "", 0))
    expect(page.locator(".cd-banner[role=alert]")).to_contain_text("If it is a folder, open it")


def test_the_content_decides_where_name_and_type_say_nothing(page, photo):
    drop(page, ("IMG_0001.HEIC", "", heic(noise())))
    expect(page.locator(".cd-cards[data-state=done] .cd-card")).to_have_count(3)
    expect(page.locator("#cd-photo .image-frame img")).to_have_attribute("src", re.compile("^data:image/svg"))
    for name, kind in (("photo", ""), ("Photo.PNG", ""), ("download", "application/octet-stream")):
        drop(page, (name, kind, photo(fakes.CAT).read_bytes()))
        expect_headline(page, "say cat")
        drop(page, (name, kind, b"Dear cat,"))
        expect_headline(page, "No verdict")
        expect(page.locator(".cd-banner[role=alert]")).to_contain_text("not a photo")


def test_a_clipboard_without_a_photo_is_told_and_leaves_the_photo(page, photo):
    choose(page, photo(fakes.CAT))
    expect_headline(page, "say cat")
    button = page.get_by_label("Paste from clipboard")
    button.click()
    expect_objection(page, "Ctrl", "say cat")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('cat')")
    button.click()
    expect_objection(page, "no file", "say cat")
    page.keyboard.press("Control+v")
    expect_objection(page, "no file", "say cat")


# A browser whose cameras are those of `cameras`, and fail with the error named by `failing`, or which has none of this.
CAMERAS = """if (location.search) {
  Object.defineProperty(navigator, 'mediaDevices', {value: undefined});
} else {
  Object.assign(navigator.mediaDevices ?? {}, {
    enumerateDevices: async () => window.cameras,
    getUserMedia: async () => { throw new DOMException('', window.failing); },
  });
}"""


def test_without_a_camera_the_page_says_why(unkept, url, photo):
    page = unkept
    button = page.get_by_label("Capture from camera")
    page.add_init_script(CAMERAS)
    page.goto(url)
    page.wait_for_selector(".cd-card", state="attached")
    choose(page, photo(fakes.CAT))
    expect_headline(page, "say cat")
    page.evaluate("window.cameras = [{kind: 'audioinput'}]")
    button.click()
    expect_objection(page, "No camera", "say cat")
    page.evaluate("window.cameras = [{kind: 'videoinput'}]")
    button.click()
    expect(page.locator(".cd-banner[data-accent=idle]")).to_be_visible()
    for name, words in {"NotAllowedError": "not allowed", "NotReadableError": "Another program"}.items():
        page.evaluate("name => { window.failing = name; }", name)
        page.get_by_role("button", name="Access Webcam").click()
        expect(page.locator(".cd-banner[role=alert]")).to_contain_text(words)

    page.goto(f"{url}?tab=one")
    button.click()
    expect(page.locator(".cd-banner[role=alert]")).to_contain_text("https")


def test_a_photo_can_be_pasted_whatever_is_shown_and_goes_to_the_tab_that_is_open(page, photo):
    paste(page, photo(fakes.CAT))
    expect_headline(page, "All three models say cat")
    paste(page, photo(fakes.DOG))
    expect_headline(page, "All three models say dog")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "/upload?" in request.url else None)
    page.get_by_role("tab", name="You against the models").click()
    paste(page, photo(fakes.DOG))
    page.get_by_role("tab", name="One photo").click()
    paste(page, photo(fakes.DISPUTED))
    expect_headline(page, "The models disagree")
    assert len(sent) == 1
    page.get_by_role("tab", name="Many at once").click()
    paste(page, photo(fakes.DOG))
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(1)
    assert len(sent) == 2


def test_the_button_for_uploads_asks_for_another_photo_and_leaves_the_camera(page, photo):
    page.evaluate("navigator.mediaDevices.enumerateDevices = async () => [{kind: 'videoinput'}]")
    button = page.get_by_label("Upload file")
    page.get_by_label("Capture from camera").click()
    expect(page.get_by_role("button", name="Access Webcam")).to_be_visible()
    with page.expect_file_chooser() as chosen:
        button.click()
    expect(page.get_by_role("button", name="Access Webcam")).to_have_count(0)
    chosen.value.set_files(photo(fakes.CAT))
    expect_headline(page, "say cat")
    for ask, colour, headline in (
        (button.click, fakes.DOG, "say dog"),
        (lambda: button.press("Enter"), fakes.CAT, "say cat"),
    ):
        with page.expect_file_chooser() as chosen:
            ask()
        assert len(verdicts(page)) == 3  # the photo is there until another is
        chosen.value.set_files(photo(colour))
        expect_headline(page, headline)


def test_the_page_stays_english_where_gradio_translates_and_knows_its_examples(open_page, url):
    page = open_page(f"{url}?example=nobody", locale="de-DE")
    expect(page.get_by_label("Laden Sie ein Bild hier ab").first).to_be_attached()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.evaluate("document.documentElement.lang = 'de'")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect_headline(page, "No verdict")
    expect(page.locator(".cd-banner").first).to_contain_text("cat, dog")


def test_on_a_phone_verdict_and_buttons_are_in_reach_and_maps_can_be_switched_off_and_on(page, photo):
    page.set_viewport_size({"width": PHONE, "height": 500})
    choose(page, photo(fakes.CAT))
    expect_headline(page, "All three models say cat")
    expect(page.locator(".cd-banner").first).to_be_in_viewport(ratio=0.9)
    for name in ("Fullscreen", "Remove Image"):
        box = page.get_by_label(name).bounding_box()
        assert min(box["width"], box["height"]) >= 32

    maps = page.locator(".cd-map")
    expect(maps).to_have_count(3)
    assert maps.first.evaluate("image => image.naturalWidth > 0")
    assert "Heat map over the photo" in maps.first.get_attribute("alt")
    expect(page.locator(".cd-legend")).to_be_visible()
    expect(page.locator(".cd-costs dd").first).to_be_hidden()
    page.locator(".cd-costs summary").first.click()
    expect(page.locator(".cd-costs dd").first).to_be_visible()
    page.get_by_label("Show what the models looked at").uncheck()
    expect(maps).to_have_count(0)
    assert verdicts(page) == ["Cat"] * 3
    page.get_by_label("Show what the models looked at").check()
    expect(maps).to_have_count(3)
    page.get_by_label("Fullscreen").click()
    expect(page.locator("#cd-photo")).to_have_css("height", "500px")


def test_on_a_desktop_the_legend_is_above_the_fold_and_cards_stand_side_by_side_where_there_is_room(page, photo):
    page.set_viewport_size({"width": DESKTOP, "height": 900})
    choose(page, photo(fakes.CAT))
    expect_headline(page, "say cat")
    expect(page.locator(".cd-legend")).to_be_in_viewport(ratio=1)
    expect(page.locator(".cd-costs dd").first).to_be_visible()
    expect(page.locator(".cd-costs summary").first).to_be_hidden()
    for width, rows in {PHONE: 3, 768: 2, 1100: 1, DESKTOP: 1, 1920: 1}.items():
        page.set_viewport_size({"width": width, "height": 800})
        tops = page.locator(".cd-card").evaluate_all("cards => cards.map((card) => card.getBoundingClientRect().y)")
        assert len(set(tops)) == rows
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        main = page.locator("main").first.bounding_box()
        assert main["x"] == pytest.approx(width - main["x"] - main["width"], abs=1), "in the middle"


def test_back_leads_to_the_tab_or_example_before_and_each_has_an_address(page, url):
    pressed, tab = (page.locator(state) for state in ("[data-example][aria-pressed=true]", "[aria-selected=true]"))
    for name in ("dog", "cat"):
        page.get_by_role("button", name=f"Try the {name} photo").press("Enter")
        expect(page.locator(".cd-cards[data-state=done]")).to_be_visible()
        expect(page).to_have_url(f"{url}?example={name}")
    for name in ("Many at once", "You against the models"):
        page.get_by_role("tab", name=name).click()
    expect(page).to_have_url(f"{url}?tab=quiz")
    for search, selected, example in (
        ("?tab=many", "Many at once", "Cat"),
        ("?example=cat", "One photo", "Cat"),
        ("?example=dog", "One photo", "Dog"),
    ):
        page.go_back()
        expect(page).to_have_url(url + search)
        expect(tab).to_have_text(selected)
        expect(pressed).to_have_text(example)
        if selected == "One photo":
            expect(page.locator(".cd-cards[data-state=done]")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(url)
    expect_headline(page, "Waiting for a photo")
    expect(pressed).to_have_count(0)
    expect(page.locator(".cd-cards[data-state=example] .cd-map")).to_have_count(3)
    page.go_forward()
    expect(pressed).to_have_text("Dog")
    expect(page.locator(".cd-cards[data-state=done]")).to_be_visible()
    seen = verdicts(page)

    page.goto(f"{url}?tab=quiz")
    expect(tab).to_have_text("You against the models")
    page.goto(f"{url}?example=dog")
    expect(page.locator(".cd-cards[data-state=done]")).to_be_visible()
    assert verdicts(page) == seen
    expect(page.locator("#cd-photo img")).to_have_js_property("naturalWidth", 800)
    expect(pressed).to_have_text("Dog")
    page.click("[aria-label='Remove Image']")
    expect_headline(page, "Waiting for a photo")
    assert "example" not in page.url
    expect(pressed).to_have_count(0)


def test_what_the_models_say_can_be_saved_and_the_link_of_an_example_copied(page, photo):
    choose(page, photo(fakes.CAT))
    expect(page.locator("[data-do=link]")).to_be_hidden()
    page.get_by_role("button", name="Try the dog photo").click()
    expect(page.locator("[data-do=link]")).to_be_visible()
    expect(page.locator(".cd-cards[data-state=done]")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-do=link]")
    expect(page.locator("[data-do=link]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    with page.expect_download() as download:
        page.click("[data-do=json]")
    comparison = Comparison.model_validate_json(download.value.path().read_bytes())
    assert [verdict.label.capitalize() for verdict in comparison.models] == verdicts(page)
    assert all(verdict.heatmap for verdict in comparison.models)
    with page.expect_download() as download:
        page.click("[data-do=picture]")
    with Image.open(download.value.path()) as picture:
        width, height = picture.size
        assert len(picture.convert("RGB").resize((64, 64)).getcolors(5000)) > 500, "a photo is on it"
    cards = page.locator(".cd-cards").bounding_box()
    assert width > 2 * cards["width"] and height > 2 * cards["height"]


def test_other_sites_show_a_picture_of_the_page_itself(url):
    head = httpx.get(url).text
    tags = dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):[^"]*)" content="([^"]*)">', head))
    assert head.count('property="og:image"') == head.count('name="twitter:card"') == 1
    assert tags["og:title"] == "Cat or dog?" and tags["og:description"]
    with Image.open(io.BytesIO(httpx.get(tags["og:image"]).content)) as picture:
        assert list(map(str, picture.size)) == [tags["og:image:width"], tags["og:image:height"]]


# The part of the page that has the focus.
FOCUSED = """() => {
  const parts = {tab: '[role=tab]', photo: '#cd-photo', example: '.cd-examples', maps: '#cd-maps', end: 'footer'};
  return Object.keys(parts).find((name) => document.activeElement.closest(parts[name])) ?? null;
}"""


def test_the_keyboard_goes_from_the_tabs_over_photo_and_examples_to_the_maps_and_sees_where_it_is(page):
    for name in ("Upload file", "Show what the models looked at"):  # Gradio mounts them one after the other
        expect(page.get_by_label(name)).to_be_visible()
    reached = []
    while "end" not in reached and len(reached) < 40:
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
    order = list(dict.fromkeys(filter(None, reached)))
    assert order == ["tab", "photo", "example", "maps", "end"]
    assert reached.count("example") == 5
    maps = page.get_by_label("Show what the models looked at")
    maps.press("Shift")
    expect(maps).to_have_css("outline-style", "solid")


# Remembers what kind of picture the page asks the browser for.
ASKED = """() => {
  const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (wanted) => { window.asked = wanted.video; return ask(wanted); };
}"""


def test_the_camera_takes_a_photo(page):
    page.get_by_label("Capture from camera").click()
    page.evaluate(ASKED)
    page.get_by_role("button", name="Access Webcam").click()
    filming = "document.querySelector('#cd-photo video')?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA"
    wait_until(page, lambda: page.evaluate(filming))
    assert page.evaluate("asked") == {
        "facingMode": "environment", "width": {"ideal": 1920}, "height": {"ideal": 1440},
    }  # fmt: skip
    page.get_by_label("capture photo").click()
    expect(page.locator(".cd-cards[data-state=done] .cd-card")).to_have_count(3)


def test_loading_and_busy(open_page, stepwise, photo):
    url, model = stepwise(max_waiting=1)
    first, second = open_page(url), open_page(url)
    choose(first, photo(fakes.CAT))
    expect_headline(first, "Looking at your photo")
    expect(first.locator(".cd-cards[aria-busy=true]")).to_be_visible()
    assert_looks_right(first)

    choose(second, photo(fakes.DOG, "dog.png"))
    expect_headline(second, "Please wait a moment")
    expect(second.locator(".cd-banner").first).to_contain_text("Try again")
    assert_looks_right(second)

    model.turns.release(1000)
    expect_headline(first, "Xception says cat")
    second.get_by_role("button", name="Try again").click()
    expect_headline(second, "Xception says dog")


def test_trying_again_fetches_the_photo_of_an_address_once_more(page, photo):
    choose(page, photo(fakes.CAT))
    expect_headline(page, "say cat")
    page.get_by_label("Or its address").fill("https://example.org/dog.png")
    page.get_by_role("button", name="Fetch it").click()
    expect_headline(page, "Please wait a moment")
    page.get_by_role("button", name="Try again").click()
    expect_headline(page, "say dog")


def test_a_full_queue_says_so(open_page, photo):
    with launched(fakes.comparator(), max_size=0) as url:
        page = open_page(url)
        page.get_by_role("button", name="Try the dog photo").click()
        expect_headline(page, "No verdict")
        choose(page, photo(fakes.CAT))
        expect(page.locator(".cd-banner p").first).to_contain_text("busy")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()

"""Many photos at once: progress, the gallery, tables, the download, and stopping."""

from __future__ import annotations

import csv
import zipfile

import pytest

from tests.catdog import fakes
from tests.catdog.photos import encoded

from .looks import assert_looks_right

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright").expect


@pytest.fixture
def archive(tmp_path):
    """A zip of labelled photos, one of them strange, and a text."""
    photos = {
        "pets/cats/1.png": fakes.CAT, "pets/cats/2.png": fakes.DISPUTED, "pets/dogs/1.png": fakes.DOG,
        "pets/dogs/2.png": (190, 40, 40), "pets/owl.png": fakes.NEITHER,
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for name, colour in photos.items():
            archive.writestr(name, encoded(fakes.photo(colour), "PNG"))
        archive.writestr("pets/dogs/notes.txt", "not a photo")
    return tmp_path / "pets.zip"


def open_tab(page) -> None:
    page.get_by_role("tab", name="Many at once").click()
    expect(page.locator("#cd-many h2")).to_have_text("Waiting for photos")


def send(page, *paths) -> None:
    page.set_input_files("#cd-files input[type=file]", paths)
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(len(paths))
    page.get_by_role("button", name="Judge them").click()


def test_a_labelled_zip(any_page, archive, tmp_path):
    page = any_page
    open_tab(page)
    assert_looks_right(page)
    send(page, archive)
    expect(page.locator("#cd-many h2").first).to_have_text("5 photos judged")
    expect(page.locator(".cd-item h3").first).to_have_text("pets/owl.png")
    expect(page.locator(".cd-item h3").nth(1)).to_have_text("pets/cats/2.png")
    expect(page.locator(".cd-scores tbody tr").first).to_contain_text("3 of 4")
    expect(page.locator(".cd-matrices table")).to_have_count(3)
    expect(page.locator(".cd-failures")).to_contain_text("pets/dogs/notes.txt")
    assert page.locator(".cd-item img").first.evaluate("image => image.naturalWidth > 0")
    assert_looks_right(page)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download all figures as CSV").click()
    download.value.save_as(tmp_path / "catdog.csv")
    with open(tmp_path / "catdog.csv", encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 5 * 3 + 1 and rows[0]["verdict"] == "neither"


def test_nothing_single_photos_and_our_examples(open_page, url, page, photo):
    open_tab(page)
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator("#cd-many [role=alert]")).to_contain_text("No photos were sent")
    send(page, photo(fakes.CAT, "a.png"), photo(fakes.DOG, "b.png"))
    expect(page.locator("#cd-many h2").first).to_have_text("2 photos judged")
    assert page.locator(".cd-scores").count() == 0

    page = open_page(url)
    open_tab(page)
    page.get_by_role("button", name="Or fill in our examples").click()
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(5)
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator("#cd-many h2").first).to_have_text("5 photos judged")


def test_stopping_keeps_what_was_done(open_page, stepwise, photo):
    url, model = stepwise()
    page = open_page(url)
    open_tab(page)
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_disabled()
    send(page, *(photo((200, i, i), f"{i:02}.png") for i in range(20)))
    expect(stop).to_be_enabled()
    model.turns.release()
    expect(page.locator("progress")).to_be_visible()
    expect(page.locator("#cd-many h2")).to_contain_text("of 20 photos")
    assert_looks_right(page)
    stop.click()
    expect(stop).to_be_disabled()
    model.turns.release(1000)
    expect(page.locator("#cd-many h2").first).to_contain_text("Stopped after")
    assert 1 <= page.locator(".cd-item").count() < 20
    expect(page.get_by_role("button", name="Judge them")).to_be_enabled()


def test_whoever_leaves_keeps_nobody_waiting(open_page, stepwise, photo):
    url, model = stepwise()
    page = open_page(url)
    open_tab(page)
    send(page, *(photo((200, i, i), f"{i:02}.png") for i in range(20)))
    model.turns.release()
    expect(page.locator("#cd-many h2")).to_contain_text("of 20 photos")
    page.close()
    other = open_page(url)
    expect(other.locator(".cd-banner h2")).to_have_text("Waiting for a photo")

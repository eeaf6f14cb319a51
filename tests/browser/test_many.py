"""Many photos at once: progress, the gallery, tables, the download, and stopping."""

import csv
import os
import zipfile

import pytest

from catdog import Settings
from tests.catdog import fakes
from tests.catdog.photos import encoded

from .looks import assert_looks_right, expect

pytestmark = pytest.mark.browser


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


def test_a_labelled_zip(page, archive, tmp_path):
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
    for kind, names in KINDS.items():
        page.locator(f".cd-kinds [value={kind}]").check()
        assert sorted(page.locator(".cd-item:visible h3").all_inner_texts()) == names
    dialog = look_closer(page, "pets/cats/2.png")
    assert_looks_right(page)
    close(dialog)
    for _ in range(2):
        close(look_closer(page, "pets/owl.png"))

    with page.expect_download() as download:
        page.get_by_role("link", name="Download all figures as CSV").click()
    download.value.save_as(tmp_path / "catdog.csv")
    with open(tmp_path / "catdog.csv", encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 5 * 3 + 1 and rows[0]["verdict"] == "neither"


# Which of these photos are wrong, disputed, of neither.
KINDS = {
    "wrong": ["pets/dogs/2.png"], "disputed": ["pets/cats/2.png", "pets/owl.png"], "neither": ["pets/owl.png"],
    "all": ["pets/cats/1.png", "pets/cats/2.png", "pets/dogs/1.png", "pets/dogs/2.png", "pets/owl.png"],
}  # fmt: skip


def look_closer(page, name: str):
    page.get_by_role("button", name=f"Look closer at {name}").press("Enter")
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog).to_be_visible()
    expect(dialog.locator(".cd-map")).to_have_count(3)
    expect(dialog.locator("> img")).to_have_js_property("naturalWidth", 320)
    return dialog


def close(dialog) -> None:
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_other_photos_take_away_the_results_and_end_the_run(open_page, stepwise, photo):
    url, model = stepwise()
    page = open_page(url)
    open_tab(page)
    photos = [photo((200, i, i), f"{i:02}.png") for i in range(4)]
    send(page, photos[0])
    model.turns.release()
    expect(page.locator(".cd-item")).to_have_count(1)
    page.set_input_files("#cd-files input[type=file]", photos[1:])
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(4)
    expect(page.locator("#cd-many [data-accent=idle]")).to_be_visible()
    page.get_by_role("button", name="Judge them").click()
    model.turns.release()
    expect(page.locator("#cd-many h2")).to_contain_text("of 4 photos")
    page.get_by_label("Clear").click()
    expect(page.locator("#cd-many [data-accent=idle]")).to_be_visible()
    expect(page.get_by_role("button", name="Judge them")).to_be_enabled()
    model.turns.release(1000)
    send(page, photos[1])
    expect(page.locator(".cd-item h3")).to_have_text(["01.png"])


def test_files_that_are_too_large_are_left_out_by_name(page, photo, tmp_path):
    open_tab(page)
    large = [tmp_path / f"large{i}.jpg" for i in range(7)]
    for path in large:
        path.write_bytes(b"")
        os.truncate(path, Settings().max_upload_bytes + 1)
    page.set_input_files("#cd-files input[type=file]", [*large, photo(fakes.CAT, "cat.png")])
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(1)
    alert = page.locator("#cd-left-out [role=alert]")
    expect(alert).to_contain_text("“large4.jpg” and 2 others")
    assert page.locator(".toast-body").count() == 0
    assert_looks_right(page)
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator(".cd-item")).to_have_count(1)
    for path in large:
        os.truncate(path, Settings().max_upload_bytes)
    page.set_input_files("#cd-files input[type=file]", large * 2)
    expect(alert).to_contain_text("200 MB")


def test_nothing_single_photos_and_our_examples(page, photo):
    open_tab(page)
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator("#cd-many [role=alert]")).to_contain_text("No photos were sent")
    send(page, photo(fakes.CAT, "a.png"), photo(fakes.DOG, "b.png"))
    expect(page.locator("#cd-many h2").first).to_have_text("2 photos judged")
    assert page.locator(".cd-scores").count() == 0

    page.get_by_label("Clear").click()
    expect(page.locator("#cd-many [data-accent=idle]")).to_be_visible()
    page.get_by_role("button", name="Or fill in our examples").click()
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(5)
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator("#cd-many h2").first).to_have_text("5 photos judged")


def test_stopping_keeps_what_was_done_and_whoever_leaves_keeps_nobody_waiting(open_page, stepwise, photo):
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

    while model.turns.acquire(blocking=False):
        pass
    page.get_by_role("button", name="Judge them").click()
    model.turns.release()
    expect(page.locator("progress")).to_be_visible()
    page.close()
    other = open_page(url)
    expect(other.locator(".cd-banner h2")).to_have_text("Waiting for a photo")

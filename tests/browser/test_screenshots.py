"""The screenshots of the docs, with the bundled models: made on request, not tested.

    python -m pytest tests/browser/test_screenshots.py --screenshots docs/screenshots

As WebP: it keeps the colours of photos and maps, in a fifth of what PNG takes.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from catdog import load
from catdog.flask_app import create_app
from catdog.gradio_app import quiz_tab
from catdog.pages import examples
from tests.servers import served_app, served_page

from .conftest import DESKTOP, PHONE
from .looks import settle

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright").expect


@pytest.fixture(scope="module")
def folder(request) -> Path:
    folder = request.config.getoption("--screenshots")
    if folder is None:
        pytest.skip("takes screenshots on request: --screenshots FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def comparator(folder):
    comparator = load()
    yield comparator
    comparator.close()


@pytest.fixture(scope="module")
def gradio_url(comparator):
    with served_page(comparator) as (_, url):
        yield url


@pytest.fixture(scope="module")
def flask_url(comparator):
    with served_app(create_app(comparator)) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture
def photos(comparator, tmp_path) -> dict[str, Path]:
    """A photo for each kind of verdict that the bundled photos bring out, and a file that is no photo."""
    (tmp_path / "letter.jpg").write_text("Dear cat,")
    found = {"cat": examples.find()["cat"], "error": tmp_path / "letter.jpg"}
    for path in [*examples.find().values(), *quiz_tab.find(comparator.specs)]:
        comparison = comparator.compare(path)
        kind = "neither" if comparison.verdict == "neither" else "cat" if comparison.agree else "disputed"
        found.setdefault(kind, path)
    return found


@pytest.fixture(params=[PHONE, DESKTOP])
def width(request) -> int:
    return request.param


@pytest.fixture
def shoot(folder, width):
    """shoot(page, name): write the whole page as a picture."""

    def write(page, name: str) -> None:
        settle(page)
        page.mouse.move(0, 0)
        page.evaluate("Promise.all([...document.images].map((image) => image.decode().catch(() => {})))")
        image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        image.save(folder / f"{name}-{width}.webp", quality=85, method=6)

    return write


ANSWERED = ".cd-cards[data-state=done], .cd-banner[role=alert]"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_photo(open_page, gradio_url, shoot, width, scheme, photos):
    for name in photos if scheme == "light" else ["cat"]:
        page = open_page(gradio_url, width, scheme)
        page.set_input_files("#cd-photo input[type=file]", photos[name])
        expect(page.locator(ANSWERED)).to_be_visible()
        shoot(page, f"gradio-{name}{'-dark' if scheme == 'dark' else ''}")


def test_many(open_page, gradio_url, shoot, width, comparator, photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in examples.find().values():
            archive.write(path, path.name)
        for path, label in quiz_tab.find(comparator.specs).items():
            archive.write(path, f"{label}s/{path.name}")
        archive.write(photos["error"], "dogs/letter.jpg")
    page = open_page(gradio_url, width)
    page.get_by_role("tab", name="Many at once").click()
    page.set_input_files("#cd-files input[type=file]", tmp_path / "pets.zip")
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(1)
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator(".cd-item")).to_have_count(15)
    shoot(page, "gradio-many-results")


def test_quiz(open_page, gradio_url, shoot, width):
    page = open_page(gradio_url, width)
    page.get_by_role("tab", name="You against the models").click()
    page.evaluate("Math.random = () => 0.6")  # the same order each time
    page.get_by_role("button", name="Start the quiz").click()
    question = page.locator(".cd-question:not([hidden])")
    for number in range(10):
        truth = question.get_attribute("data-truth")
        question.locator(f"[data-label={truth}]" if number % 3 else ".cd-answers button >> nth=0").click()
        if number == 2:
            shoot(page, "gradio-quiz-answer")
        question.locator("[data-do=next]").click()
    shoot(page, "gradio-quiz-score")


def test_flask(chromium, flask_url, shoot, width, photos):
    for name, path in photos.items():
        page = chromium.new_context(viewport={"width": width, "height": 800}).new_page()
        page.goto(flask_url)
        page.set_input_files("#file", path)
        expect(page.locator(ANSWERED)).to_be_visible()
        shoot(page, f"flask-{name}")
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=False, color_scheme="dark"
    )
    page = context.new_page()
    page.goto(flask_url)
    page.set_input_files("#file", photos["cat"])
    page.click("form button")
    expect(page.locator(ANSWERED)).to_be_visible()
    shoot(page, "flask-without-script-dark")

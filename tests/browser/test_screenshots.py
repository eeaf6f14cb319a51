"""The screenshots of the docs, with the bundled models: made on request, not tested.

    python -m pytest tests/browser/test_screenshots.py --screenshots docs/screenshots

As WebP: it keeps the colours of photos and maps, in a fifth of what PNG takes.
"""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from catdog import load
from catdog.flask_app import create_app
from catdog.gradio_app import quiz_tab
from catdog.pages import examples
from tests.conftest import PATIENCE
from tests.servers import served_app

from .conftest import DESKTOP, PHONE, launched
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


class Held:
    """A Comparator that can be made to stop answering after some photos."""

    def __init__(self, comparator):
        self.comparator = comparator
        self.go_on()

    def hold_after(self, photos: int) -> None:
        self.turns = threading.Semaphore(photos)

    def go_on(self) -> None:
        held, self.turns = getattr(self, "turns", None), threading.Semaphore(1_000_000)
        if held:
            held.release(1000)

    def __getattr__(self, name: str):
        return getattr(self.comparator, name)

    def look(self, *arguments, **options):
        self.turns.acquire(timeout=2 * PATIENCE)
        return self.comparator.look(*arguments, **options)

    def close(self) -> None:
        """Several pages share the models, which are closed with the tests."""


@pytest.fixture(scope="module")
def comparator(folder):
    comparator = load()
    yield Held(comparator)
    comparator.close()


@pytest.fixture(scope="module")
def gradio_url(comparator):
    with launched(comparator) as url:
        yield url


@pytest.fixture(scope="module")
def flask_url(comparator):
    with served_app(create_app(comparator)) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def photos(comparator) -> dict[str, Path]:
    """A photo for each kind of verdict that the bundled photos bring out."""
    found = {"cat": examples.find()["cat"]}
    for path in [*examples.find().values(), *quiz_tab.find(comparator.specs)]:
        comparison = comparator.compare(path)
        kind = "neither" if comparison.verdict == "neither" else "agreed" if comparison.agree else "disputed"
        found.setdefault(kind, path)
    return found


@pytest.fixture
def letter(tmp_path) -> Path:
    (tmp_path / "letter.jpg").write_text("Dear cat,")
    return tmp_path / "letter.jpg"


@pytest.fixture
def archive(tmp_path, comparator, letter) -> Path:
    """All bundled photos, those of the quiz in labelled folders, and a letter."""
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in examples.find().values():
            archive.write(path, path.name)
        for path, label in quiz_tab.find(comparator.specs).items():
            archive.write(path, f"{label}s/{path.name}")
        archive.write(letter, "dogs/letter.jpg")
    return tmp_path / "pets.zip"


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


def judged(page) -> None:
    expect(page.locator(".cd-cards[data-state=done]")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_photo(open_page, gradio_url, shoot, width, scheme, comparator, photos, letter):
    def look(name: str, path: Path) -> None:
        page = open_page(gradio_url, width, scheme)
        page.set_input_files("#cd-photo input[type=file]", path)
        judged(page)
        shoot(page, f"gradio-{name}{'-dark' if scheme == 'dark' else ''}")

    if scheme == "dark":
        return look("cat", photos["cat"])
    page = open_page(gradio_url, width)
    shoot(page, "gradio-empty")
    comparator.hold_after(0)
    page.set_input_files("#cd-photo input[type=file]", photos["cat"])
    expect(page.locator(".cd-cards[aria-busy=true]")).to_be_visible()
    shoot(page, "gradio-loading")
    comparator.go_on()
    judged(page)
    for name in {"cat", "neither", "disputed"} & set(photos):
        look(name, photos[name])
    page = open_page(gradio_url, width)
    page.set_input_files("#cd-photo input[type=file]", letter)
    expect(page.locator(".cd-banner[role=alert]")).to_be_visible()
    shoot(page, "gradio-error")
    return None


def test_busy(open_page, shoot, width, comparator):
    with launched(comparator, max_size=0) as url:
        page = open_page(url, width)
        page.get_by_role("button", name="Try the duck photo").click()
        expect(page.locator(".cd-banner[role=alert]")).to_be_visible()
        page.locator(".toast-wrap").evaluate("element => element.remove()")
        shoot(page, "gradio-busy")


def test_many(open_page, gradio_url, shoot, width, comparator, archive):
    page = open_page(gradio_url, width)
    page.get_by_role("tab", name="Many at once").click()
    shoot(page, "gradio-many-empty")
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator("#cd-many [role=alert]")).to_be_visible()
    shoot(page, "gradio-many-error")
    page.set_input_files("#cd-files input[type=file]", archive)
    expect(page.locator("#cd-files .file-preview tr")).to_have_count(1)
    comparator.hold_after(6)
    page.get_by_role("button", name="Judge them").click()
    expect(page.locator("progress")).to_have_attribute("max", "16")
    shoot(page, "gradio-many-progress")
    comparator.go_on()
    expect(page.locator(".cd-item")).to_have_count(15)
    shoot(page, "gradio-many-results")


def test_quiz(open_page, gradio_url, shoot, width):
    page = open_page(gradio_url, width)
    page.get_by_role("tab", name="You against the models").click()
    shoot(page, "gradio-quiz-start")
    page.evaluate("Math.random = () => 0.6")  # the same order each time
    page.get_by_role("button", name="Start the quiz").click()
    question = page.locator(".cd-question:not([hidden])")
    expect(question).to_have_count(1)
    shoot(page, "gradio-quiz-question")
    for number in range(10):
        truth = question.get_attribute("data-truth")
        question.locator(f"[data-label={truth}]" if number % 3 else ".cd-answers button >> nth=0").click()
        if number == 2:
            shoot(page, "gradio-quiz-answer")
        question.locator("[data-do=next]").click()
    shoot(page, "gradio-quiz-score")


def test_flask(chromium, flask_url, shoot, width, photos, letter):
    def opened(path: Path | None = None, **options):
        context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
        page = context.new_page()
        page.goto(flask_url)
        if path:
            page.set_input_files("#file", path)
        return page

    shoot(opened(), "flask-empty")
    for name in {"cat", "disputed", "neither"} & set(photos):
        page = opened(photos[name])
        judged(page)
        shoot(page, f"flask-{name}")
    page = opened(letter)
    expect(page.locator(".cd-banner[role=alert]")).to_be_visible()
    shoot(page, "flask-error")
    page = opened(photos["cat"], java_script_enabled=False, color_scheme="dark")
    page.click("form button")
    judged(page)
    shoot(page, "flask-without-script-dark")

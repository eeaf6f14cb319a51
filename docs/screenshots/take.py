"""Take screenshots of both pages, with the bundled models, to look at: `python -m docs.screenshots.take`.

README shows gradio-cat-1440.webp, and Git ignores the others.

As WebP: it keeps the colours of photos and maps, in much smaller files than PNG.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from catdog import load
from catdog.flask_app import create_app
from catdog.gradio_app import quiz_tab
from catdog.pages import examples
from tests.browser.looks import DESKTOP, PHONE, SETTLED
from tests.conftest import CHROMIUM, QUIET
from tests.servers import served_app, served_page

ANSWERED = ".cd-cards[data-state=done], .cd-banner[role=alert]"


def photos(comparator, folder: Path) -> dict[str, Path]:
    """A photo for each kind of verdict that the bundled photos bring out, and a file that is no photo."""
    (folder / "letter.jpg").write_text("Dear cat,")
    found = {"cat": examples.find()["cat"], "error": folder / "letter.jpg"}
    for path in [*examples.find().values(), *quiz_tab.find(comparator.specs)]:
        comparison = comparator.compare(path)
        kind = "neither" if comparison.verdict == "neither" else "cat" if comparison.agree else "disputed"
        found.setdefault(kind, path)
    return found


def labelled(comparator, folder: Path, letter: Path) -> Path:
    """A zip of all bundled photos, those of the quiz labelled, and a file that is no photo."""
    with zipfile.ZipFile(folder / "pets.zip", "w") as archive:
        for path in examples.find().values():
            archive.write(path, path.name)
        for path, label in quiz_tab.find(comparator.specs).items():
            archive.write(path, f"{label}s/{path.name}")
        archive.write(letter, "dogs/letter.jpg")
    return folder / "pets.zip"


def take(browser, comparator, page_url: str, service_url: str, sent: Path, out: Path, width: int) -> None:
    def opened(url: str, **options):
        page = browser.new_context(viewport={"width": width, "height": 800}, **options).new_page()
        page.goto(url)
        return page

    def shoot(page, name: str, *, scripts: bool = True) -> None:
        if scripts:  # without them a page draws no frame to wait for
            page.evaluate(SETTLED)
        page.mouse.move(0, 0)
        page.evaluate("Promise.all([...document.images].map((image) => image.decode().catch(() => {})))")
        image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        image.save(out / f"{name}-{width}.webp", quality=85, method=6)

    kinds = photos(comparator, sent)
    for scheme, suffix, names in (("light", "", kinds), ("dark", "-dark", ["cat"])):
        for name in names:
            page = opened(page_url, color_scheme=scheme)
            page.set_input_files("#cd-photo input[type=file]", kinds[name])
            page.wait_for_selector(ANSWERED)
            shoot(page, f"gradio-{name}{suffix}")

    page = opened(page_url)
    page.get_by_role("tab", name="Many at once").click()
    page.set_input_files("#cd-files input[type=file]", labelled(comparator, sent, kinds["error"]))
    page.wait_for_selector("#cd-files .file-preview tr")
    page.get_by_role("button", name="Judge them").click()
    page.wait_for_selector(".cd-item")
    shoot(page, "gradio-many-results")

    page = opened(page_url)
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

    for name, path in kinds.items():
        page = opened(service_url)
        page.set_input_files("#file", path)
        page.wait_for_selector(ANSWERED)
        shoot(page, f"flask-{name}")
    page = opened(service_url, java_script_enabled=False, color_scheme="dark")
    page.set_input_files("#file", kinds["cat"])
    page.click("form button:not(.scripted)")
    page.wait_for_selector(ANSWERED)
    shoot(page, "flask-without-script-dark", scripts=False)


if __name__ == "__main__":
    out = Path(__file__).parent
    with contextlib.ExitStack() as stack:
        comparator = stack.enter_context(contextlib.closing(load()))
        _, page_url = stack.enter_context(served_page(comparator))
        port = stack.enter_context(served_app(create_app(comparator)))
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=CHROMIUM, args=QUIET)
        sent = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for width in (PHONE, DESKTOP):
            take(browser, comparator, page_url, f"http://127.0.0.1:{port}/", sent, out, width)
        browser.close()

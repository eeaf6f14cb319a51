"""The page without a server in Chromium, with one thread: until its answers come, and what a visitor fetches."""

import base64
import contextlib
import datetime
import json
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from catdog import Settings, load
from catdog.models.spec import ModelSpec, find_specs

from .plan import EXAMPLES, Plan, some
from .processes import PATIENCE, free_port, python, started, wait_until_it_answers

OPTIONS = ["--no-sandbox", "--disable-gpu"]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
VERDICT, ALL = ".cd-card:not([data-accent=none])", ".cd-cards[data-state=done]"
# The bytes of a photo -> the answer of all models, and how many milliseconds it took.
ANSWER = """async (bytes) => {
  const {answerTo} = await import("./asking.js");
  const file = new File([Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0))], "photo");
  const start = performance.now();
  const {comparison, message} = await answerTo(file, 192);
  return {comparison, message, milliseconds: performance.now() - start};
}"""


def measure(plan: Plan, folder: Path, weights: Path, photos: list[Path]) -> dict[str, Any] | None:
    """Medians of `plan.starts` visits with an empty cache; None without Chromium, or a page of these models.

    folder  the page, as `make static` builds it, of the models in `weights`

    first, all  seconds from opening the page with an example until one model, and until all models, answered
    photo       milliseconds of a further photo, all models
    *_bytes     what was fetched until then
    agreement   how far answers to `plan.browser_photos` of the photos are from those of Python
    """
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not chromium or not _is_of(folder, weights):
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser, port = playwright.chromium.launch(executable_path=chromium, args=OPTIONS), free_port()
        server = python("-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, port)
        with started(server, {}, stdout=subprocess.DEVNULL) as process:
            wait_until_it_answers(port, "/index.html", process)
            url = f"http://127.0.0.1:{port}/"
            visits = [_visit(browser, url, folder, plan) for _ in range(plan.starts)]
            agreement = _agreement(browser, url, weights, some(photos, plan.browser_photos))
        browser.close()
    figures = {name: statistics.median(visit[name] for visit in visits) for name in visits[0]}
    return {**figures, "agreement": agreement, "visits": len(visits), "date": datetime.date.today().isoformat()}


def _is_of(folder: Path, weights: Path) -> bool:
    """Whether a page has the models of a folder."""
    try:
        listed = json.loads((folder / "models" / "models.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return {model["h5_sha256"] for model in listed} == {ModelSpec.read(path).sha256 for path in find_specs(weights)}


def _visit(browser: Any, url: str, folder: Path, plan: Plan) -> dict[str, float]:
    """What a new visitor waits for and fetches."""
    context = browser.new_context(service_workers="block")  # it fetches what the next visit needs
    context.set_default_timeout(1000 * PATIENCE)
    page, sizes = context.new_page(), {}

    def fetched(request: Any) -> None:
        path = urlsplit(request.url).path.removeprefix("/") or "index.html"
        if urlsplit(request.url).scheme == "http" and (folder / path).is_file():
            sizes[path] = (folder / path).stat().st_size

    context.on("request", fetched)
    start = time.perf_counter()
    page.goto(f"{url}?example={EXAMPLES[0].stem}")
    page.wait_for_selector(VERDICT)
    first = time.perf_counter() - start
    page.wait_for_selector(ALL)
    every = time.perf_counter() - start
    photos = [_answer(page, path)["milliseconds"] for path in some(EXAMPLES, plan.photos)]
    context.close()
    kinds = {"models": 0, "runtime": 0, "page": 0}
    for path, size in sizes.items():
        if not path.startswith("examples/"):  # the photo that is asked about
            kinds["models" if path.endswith(".bin") else "runtime" if path.startswith("ort/") else "page"] += size
    milliseconds = statistics.median(photos)
    return {"first": first, "all": every, "photo": milliseconds, **{f"{kind}_bytes": n for kind, n in kinds.items()}}


def _answer(page: Any, photo: str) -> dict[str, Any]:
    return page.evaluate(ANSWER, base64.b64encode(Path(photo).read_bytes()).decode())


def _agreement(browser: Any, url: str, weights: Path, photos: list[str]) -> dict[str, float]:
    """Photos, labels of a model or verdicts that differ from Python's, and the largest difference of a probability."""
    page = browser.new_page(service_workers="block")
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(url)
    page.evaluate("import('./asking.js').then(({ready}) => ready)")
    changed, largest = 0, 0.0
    with contextlib.closing(load(Settings(weights=weights))) as comparator:
        for photo in photos:
            expected, found = comparator.compare(photo).to_dict(), _answer(page, photo)["comparison"]
            changed += expected["verdict"] != found["verdict"]
            for ours, theirs in zip(expected["models"], found["models"], strict=True):
                changed += ours["label"] != theirs["label"]
                moved = (abs(p - theirs["probabilities"][name]) for name, p in ours["probabilities"].items())
                largest = max(largest, *moved)
    page.close()
    return {"photos": len(photos), "labels_changed": changed, "largest_change": largest}

"""The page without a server in Chromium: what a visitor does, what can fail, and the visit without a network."""

import csv
import io
import itertools
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.catdog.photos import encoded, huge_png, noise
from tests.conftest import EXAMPLES, ROOT, WAIT
from tests.servers import served_folder
from train.export.static_page import service_worker

from .looks import FOLDERS, assert_looks_right, expect, opened_anew, transfer, wait_until

pytestmark = pytest.mark.browser

DONE = ".cd-cards[data-state=done] .cd-card"
# The worker answers in turns, so that what it was asked before is answered, too.
ALL_ANSWERED = "import('./asking.js').then(({answerTo}) => answerTo(new File([], 'empty')))"


@pytest.fixture
def page(kept_page, static_url):
    return opened_anew(kept_page, static_url)


def expect_error(page, text: str) -> None:
    expect(page.locator("#headline [data-accent=error]")).to_contain_text(text)
    expect(page.locator("#cards")).to_be_hidden()


def test_a_photo_can_be_chosen_saved_pasted_and_replaced_by_a_bad_one(page, cat):
    expect(page.locator(".cd-card")).to_have_count(3)
    assert_looks_right(page)
    page.set_input_files("#file", cat)
    expect(page.locator(DONE)).to_have_count(3)
    expect(page.locator(".cd-map")).to_have_count(3)
    expect(page.locator("#loading")).to_be_hidden()
    assert_looks_right(page)
    for kind, begins in (("json", b"{"), ("picture", b"\x89PNG")):
        with page.expect_download() as download:
            page.click(f"[data-do={kind}]")
        assert download.value.path().read_bytes().startswith(begins)
    assert page.locator(".cd-map").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
    page.get_by_label("Show what the models looked at").uncheck()
    expect(page.locator(".cd-map")).to_have_count(0)
    page.set_input_files("#file", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"%PDF-1.7"})
    expect_error(page, "PDF")
    transfer(page, "paste", ("cat.jpg", "image/jpeg", encoded(noise(), "JPEG")))
    expect(page.locator(DONE)).to_have_count(3)
    page.set_input_files("#file", {"name": "x.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"})
    expect(page.locator("#headline [role=alert]")).to_contain_text("x.pdf")
    transfer(page, "paste")
    expect(page.locator("#headline [role=alert]")).to_contain_text("no file")
    page.evaluate(FOLDERS)
    transfer(page, "paste", ("cat.jpg", "image/jpeg", 1))
    expect(page.locator("#headline [role=alert]")).to_contain_text("If it is a folder, open it")
    expect(page.locator("#headline .cd-banner")).to_have_count(2)
    expect(page.locator(DONE)).to_have_count(3)
    expect(page.locator("#preview")).to_be_visible()


def test_it_opens_with_an_example_and_back_leads_to_what_was_shown_before(page, static_url):
    example = page.locator(".cd-cards[data-state=example] .cd-map")
    pressed = page.locator(".cd-examples [aria-pressed=true]")
    expect(example).to_have_count(3)
    page.get_by_role("button", name="Try the dog photo").click()
    expect(page.locator(DONE)).to_have_count(3)
    assert page.url == f"{static_url}?example=dog"
    page.get_by_role("tab", name="You against the models").click()
    assert page.url == f"{static_url}?tab=quiz"
    page.go_back()
    expect(page.locator(DONE).first).to_be_visible()
    expect(pressed).to_have_text("Dog")
    page.go_back()
    expect(page).to_have_url(static_url)
    expect(example).to_have_count(3)
    expect(page.locator("#preview")).to_be_hidden()
    page.go_forward()
    expect(page.locator("#preview")).to_have_attribute("alt", "The photo dog.jpg")

    page.goto(f"{static_url}?example=dog")
    expect(page.locator(DONE)).to_have_count(3)
    expect(pressed).to_have_text("Dog")
    page.goto(f"{static_url}?example=nobody")
    expect_error(page, "no such example")


def test_many_photos_become_a_gallery_tables_and_a_csv_file(page, tmp_path):
    for path in (tmp_path / "cats" / "one.jpg", tmp_path / "dogs" / "=two.jpg", tmp_path / "dogs" / "bad.jpg"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((EXAMPLES / "cat.jpg").read_bytes())
    path.write_bytes(b"no photo")
    page.get_by_role("tab", name="Many at once").click()
    assert_looks_right(page)
    page.set_input_files("#folder", tmp_path)
    expect(page.locator(".cd-item")).to_have_count(2)
    expect(page.locator(".cd-failures")).to_contain_text("bad.jpg")
    expect(page.locator(".cd-matrices table")).to_have_count(3)
    page.locator(".cd-kinds [value=all]").check()
    closer, dialog = page.get_by_role("button", name="Look closer at").first, page.get_by_role("dialog")
    closer.click()
    expect(dialog.locator(".cd-map")).to_have_count(3)
    assert dialog.locator("> img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 800
    assert_looks_right(page)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_text("Download all figures as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    assert len(rows) == 7
    assert {row["truth"] for row in rows} == {"cat", "dog"}
    assert all(0.5 <= float(row["confidence"]) <= 1 for row in rows if not row["error"])
    assert_looks_right(page)
    closer.click()
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)


def test_many_can_be_stopped_and_exchanged(page, cat):
    page.get_by_role("tab", name="Live camera").press("ArrowRight")
    page.set_input_files("#photos", [cat] * 200)
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_enabled()
    stop.click()
    expect(page.locator("#results h2")).to_contain_text("of 200 photos")
    expect(stop).to_be_focused()
    page.set_input_files("#photos", [cat] * 200)
    page.get_by_role("button", name="Take our examples").click()
    expect(page.locator(".cd-item")).to_have_count(5)
    expect(stop).to_be_disabled()
    page.set_input_files("#photos", [cat] * 201)
    expect(page.locator("#results [data-accent=error]")).to_contain_text("At most 200")


def test_of_many_what_is_chosen_last_counts(unkept, static_url, cat):
    held = []
    unkept.route("**/examples/dog.jpg", lambda route: held.append(route))
    unkept.goto(f"{static_url}?tab=many")
    with unkept.expect_request("**/examples/dog.jpg"):
        unkept.get_by_role("button", name="Take our examples").click()
    unkept.set_input_files("#photos", [cat])
    expect(unkept.locator(".cd-item")).to_have_count(1)
    with unkept.expect_response("**/examples/dog.jpg"):
        held.pop().continue_()
    unkept.evaluate(ALL_ANSWERED)
    expect(unkept.locator(".cd-item")).to_have_count(1)
    closer = unkept.get_by_role("button", name="Look closer at")
    closer.dblclick()
    expect(unkept.get_by_role("dialog")).to_have_count(1)
    unkept.evaluate(ALL_ANSWERED)
    expect(unkept.get_by_role("dialog")).to_have_count(1)
    unkept.get_by_role("button", name="Close", exact=True).click()
    closer.click()
    unkept.evaluate("void (Blob.prototype.arrayBuffer = () => new Promise(() => {}))")  # as a large zip takes a while
    unkept.set_input_files("#photos", [cat])
    expect(unkept.locator("#results progress")).to_be_visible()
    expect(closer).to_have_count(0)
    unkept.evaluate(ALL_ANSWERED)
    expect(unkept.get_by_role("dialog")).to_have_count(0)


def test_the_quiz_is_played_without_a_model(page):
    page.get_by_role("tab", name="You against the models").click()
    assert_looks_right(page)
    page.get_by_role("button", name="Start the quiz").click()
    for _ in range(10):
        question = page.locator(".cd-question:not([hidden])")
        assert question.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        question.locator(".cd-answers button").first.click()
        question.locator("[data-do=next]").click()
    expect(page.locator(".cd-end h2")).to_contain_text("5 of 10")


def test_a_quiz_that_cannot_be_fetched_is_told(unkept, static_url):
    unkept.route("**/quiz.js", lambda route: route.abort())
    unkept.goto(f"{static_url}?tab=quiz")
    unkept.get_by_role("button", name="Start the quiz").click()
    expect(unkept.locator("#problems")).to_contain_text("cannot be fetched")
    expect(unkept.get_by_role("button", name="Start the quiz")).to_be_enabled()
    expect(unkept.get_by_role("button", name="Start the quiz")).to_be_focused()


WORKER = (ROOT / "static" / "worker.js").read_text(encoding="utf-8")


def changed(page, pattern: str, body: bytes | str) -> None:
    kind = "application/octet-stream" if isinstance(body, bytes) else "text/javascript"
    page.route(pattern, lambda route: route.fulfill(body=body, content_type=kind))


def in_worker(page, script: str) -> None:
    """Run a script in the worker before it does anything."""
    changed(page, "**/worker.js", WORKER.replace("let last", f"{script}\nlet last", 1))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda page: page.route("**/models.json", lambda route: route.abort()), "cannot be fetched"),
        (lambda page: changed(page, "**/models.json", "<html>"), "cannot be fetched"),
        (lambda page: page.route("**/*.bin", lambda route: route.fulfill(status=404)), "No model"),
        (lambda page: changed(page, "**/*.bin", b"short"), "No model"),
        (lambda page: changed(page, "**/worker.js", "syntax error"), "cannot start"),
        (lambda page: changed(page, "**/ort.wasm.*", "throw new Error('old')"), "cannot start"),
        (lambda page: in_worker(page, "delete globalThis.WebAssembly;"), "no WebAssembly"),
        (lambda page: in_worker(page, "Object.defineProperty(crypto, 'subtle', {value: undefined});"), "https"),
    ],
    ids=[
        "no list", "another list", "no models", "changed models", "no worker", "no runtime", "no WebAssembly",
        "not secure",
    ],
)  # fmt: skip
def test_what_is_missing_is_told(unkept, static_url, cat, break_it, words):
    break_it(unkept)
    unkept.goto(static_url)
    expect_error(unkept, words)
    unkept.set_input_files("#file", cat)
    expect_error(unkept, words)


def test_one_damaged_model_leaves_the_other(unkept, static_url, static_page, cat):
    path = next((static_page / "models").glob("xception*.bin"))
    changed(unkept, f"**/{path.name}", path.read_bytes()[::-1])
    unkept.goto(static_url)
    unkept.set_input_files("#file", cat)
    expect(unkept.locator(DONE)).to_have_count(2)
    expect(unkept.locator("#problems li")).to_contain_text("xception")


def test_without_room_the_models_are_fetched_again(unkept, static_url, cat):
    full = "Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));"
    in_worker(unkept, full)
    unkept.goto(static_url)
    unkept.set_input_files("#file", cat)
    expect(unkept.locator(DONE)).to_have_count(3)
    expect(unkept.locator("#problems li").first).to_contain_text("no room")


CARD = "Object.defineProperty(navigator, 'gpu', {value: {requestAdapter: async () => ({info: {}})}});"
# Stands for the build with WebGPU: what it calculates is that of the other build, until it fails.
ON_CARD = """
import * as plain from "./ort.wasm.bundle.min.mjs";
export const {Tensor, env} = plain;
let asked = 0;
export const InferenceSession = {create: async (network, options) => {
  if (options.executionProviders[0] !== "webgpu") throw new Error("previous call to 'initWasm()' failed");
  FAILS_AT_ONCE
  const session = await plain.InferenceSession.create(network, {executionProviders: ["wasm"]});
  return {inputNames: session.inputNames, run: async (inputs) => {
    asked += 1;
    const results = await session.run(inputs);
    FAILS
    return results;
  }};
}};
"""


@pytest.mark.parametrize(
    ("at_once", "later"),
    [
        ("throw new Error('no memory');", ""),
        ("", "results.probabilities.data.fill(0.5);"),
        ("", "if (asked > 4) throw new Error('Device lost');"),
    ],
    ids=["does not start", "calculates wrongly", "is lost"],
)
def test_the_processor_stands_in_for_a_graphics_card_that(unkept, static_url, dog, cat, at_once, later):
    in_worker(unkept, CARD)
    changed(unkept, "**/ort.jspi.*", ON_CARD.replace("FAILS_AT_ONCE", at_once).replace("FAILS", later))
    with unkept.expect_request("**/ort.jspi.*"):
        unkept.goto(static_url)
    unkept.set_input_files("#file", dog)
    expect(unkept.locator(DONE)).to_have_count(3)
    unkept.set_input_files("#file", cat)
    expect(unkept.locator(f"{DONE} .cd-map")).to_have_count(3)
    expect(unkept.locator("#problems li")).to_have_count(0)


def test_every_model_answers_the_photo_that_was_chosen_last(unkept, static_url, cat):
    held = []
    unkept.route("**/*.bin", lambda route: held.append(route))
    unkept.goto(static_url)
    expect(unkept.locator(".cd-card")).to_have_count(3)

    def let_one_model_through() -> None:
        wait_until(unkept, lambda: held)
        held.pop().continue_()

    unkept.set_input_files("#file", cat)
    let_one_model_through()
    expect(unkept.locator(".cd-map")).to_have_count(1)
    unkept.get_by_label("Show what the models looked at").uncheck()
    unkept.get_by_role("button", name="Try the dog photo").click()
    let_one_model_through()
    let_one_model_through()
    expect(unkept.locator(DONE)).to_have_count(3)
    expect(unkept.locator(".cd-map")).to_have_count(0)
    expect(unkept.locator("#preview")).to_have_attribute("alt", "The photo dog.jpg")
    assert unkept.url.endswith("?example=dog")


def test_what_is_chosen_last_counts_however_slow_an_example_is(unkept, static_url, cat):
    held = []
    unkept.route("**/examples/dog.jpg", lambda route: held.append(route))
    unkept.goto(static_url)
    with unkept.expect_request("**/examples/dog.jpg"):
        unkept.get_by_role("button", name="Try the dog photo").click()
    unkept.set_input_files("#file", cat)
    expect(unkept.locator(DONE)).to_have_count(3)
    with unkept.expect_response("**/examples/dog.jpg"):
        held.pop().continue_()
    unkept.evaluate("() => new Promise((resolve) => setTimeout(resolve, 100))")
    expect(unkept.locator("#preview")).to_have_attribute("alt", "The photo cat.jpg")
    assert unkept.url == static_url


@pytest.fixture
def visitor(chromium):
    """A page of Chromium, open at nothing, in which service workers may run."""
    context = chromium.new_context()
    context.set_default_timeout(WAIT)
    yield context.new_page()
    context.close()


SENTENCE = "import('./site.js').then((site) => site.default.sentences.split)"


def visit(page, url: str, photo) -> str:
    """Open the page and try it; returns a word by which versions can be told."""
    page.goto(url)
    page.set_input_files("#file", photo)
    expect(page.locator(DONE)).to_have_count(3)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    return page.evaluate(SENTENCE)


UPDATED = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  await registration.update();
  const {installing} = registration;
  if (installing) await new Promise((resolve) => installing.addEventListener("statechange", resolve, {once: true}));
  return Boolean(registration.waiting);
}"""


HEADERS = """(name) => fetch(name).then(({headers}) =>
  ["cross-origin-embedder-policy", "content-security-policy"].map((header) => headers.get(header)))"""


def renamed_models(folder) -> list[Path]:
    """Give the models other names, as another version does; the names that they had."""
    old, listed = [*(folder / "models").glob("*.bin")], folder / "models" / "models.json"
    for path in old:
        listed.write_text(listed.read_text(encoding="utf-8").replace(path.name, f"new-{path.name}"), encoding="utf-8")
        path.rename(path.with_name(f"new-{path.name}"))
    return old


def test_later_visits_need_no_network_and_a_new_version_comes_whole_or_not_at_all(visitor, static_page, tmp_path, cat):
    folder = shutil.copytree(static_page, tmp_path / "page")
    times = itertools.count(int(time.time()), 10)

    def written(name: str, text: str) -> None:
        """So that it is newer by seconds, which is all that the server of the tests tells."""
        (folder / name).write_text(text, encoding="utf-8")
        os.utime(folder / name, (moment := next(times), moment))

    with served_folder(folder) as url:
        assert visit(visitor, url, cat) == "The models disagree"
        visitor.goto(url)
        assert all(visitor.evaluate(HEADERS, "worker.js"))
        assert visitor.evaluate(HEADERS, "another/page.html") == [None, None]  # not ours
        visitor.context.set_offline(True)
        visitor.goto(f"{url}?example=dog")
        expect(visitor.locator(DONE)).to_have_count(3)
        assert visitor.evaluate("crossOriginIsolated"), "threads may be used"
        visitor.context.set_offline(False)

        old = (folder / "site.js").read_text(encoding="utf-8")
        models = renamed_models(folder)
        written("models/models.json", (folder / "models" / "models.json").read_text(encoding="utf-8"))
        written("site.js", new := old.replace("The models disagree", "They argue"))
        written("service-worker.js", service_worker(folder))
        written("site.js", old)  # half of it is copied
        assert not visitor.evaluate(UPDATED)
        written("site.js", new)
        assert visitor.evaluate(UPDATED)
        visitor.goto("about:blank")  # no page of the old version is left
    visitor.goto(f"{url}?example=dog")  # the server is gone
    expect(visitor.locator(DONE)).to_have_count(3)
    assert visitor.evaluate(SENTENCE) == "They argue"
    kept = visitor.evaluate("caches.open(`catdog-models ${location.pathname}`).then((cache) => cache.keys())")
    assert len(kept) == len(models)


def test_trying_again_leaves_a_version_whose_models_are_gone(visitor, static_page, tmp_path, cat):
    folder = shutil.copytree(static_page, tmp_path / "page")
    with served_folder(folder) as url:
        visit(visitor, url, cat)
        visitor.evaluate("caches.keys().then((names) => caches.delete(names.find((name) => name.includes('models'))))")
        renamed_models(folder)
        visitor.context.new_cdp_session(visitor).send("Network.clearBrowserCache")
        visitor.goto(url)
        expect_error(visitor, "No model")
        visitor.get_by_role("button", name="Try again").click()
        expect(visitor.locator("#headline [data-accent=idle]")).to_be_visible()
        visitor.set_input_files("#file", cat)
        expect(visitor.locator(DONE)).to_have_count(3)


def test_a_file_over_the_limits_is_refused_and_never_shown(page, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(bytes(21 * 2**20))
    page.set_input_files("#file", path)
    expect(page.locator("#headline [role=alert]")).to_contain_text("large.png")
    path.write_bytes(huge_png())
    page.set_input_files("#file", path)
    expect_error(page, "20000 x 10000")
    expect(page.locator("#preview")).to_be_hidden()

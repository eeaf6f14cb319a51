"""The live camera, on the page of the server and on the page without one."""

from __future__ import annotations

import pytest

from tests.conftest import WAIT

from .conftest import DESKTOP, EXPECTED, PHONE
from .looks import assert_looks_right, wait_until, watched

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright").expect

START, STOP = "Start the camera", "Stop the camera"
LIVE = "document.querySelector('.cd-live video').srcObject?.active ?? false"
# What becomes of the camera, by what the browser says when it is asked for it.
CAMERAS = """void (navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException('', window.failing);
})"""
# Lets what is given a time have a tenth of it.
IMPATIENT = "const {timeout} = AbortSignal; AbortSignal.timeout = (time) => timeout.call(AbortSignal, time / 10);"


@pytest.fixture(params=["url", "static_url"])
def address(request):
    """The address of the tab, on both pages."""
    return f"{request.getfixturevalue(request.param)}?tab=live"


@pytest.fixture
def filming(camera):
    """filming(address, width, **options) -> a page that films."""
    with watched(camera, EXPECTED, kinds=("error",)) as opened:

        def started(address: str, width: int = DESKTOP, **options):
            page = opened(address, width, **options)
            page.get_by_role("button", name=START).click()
            return page

        yield started


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_each_model_answers_a_few_times_a_second_until_the_tab_is_left(filming, address, width, scheme):
    page = filming(address, width, color_scheme=scheme)
    expect(page.locator(".cd-live .cd-bars li")).to_have_count(3)
    expect(page.locator("[data-rate]")).to_contain_text("frames a second")
    assert page.locator(".cd-live .cd-map").count() == 0
    assert_looks_right(page)
    assert page.evaluate(LIVE)
    page.get_by_role("tab", name="One photo").click()
    wait_until(page, lambda: not page.evaluate(LIVE))
    page.get_by_role("tab", name="Live camera").click()
    expect(page.locator(".cd-live h2")).to_have_text("The camera is off")
    assert_looks_right(page)
    page.get_by_role("button", name=START).click()
    expect(page.locator(".cd-live .cd-bars li")).to_have_count(3)
    page.get_by_role("button", name=STOP).click()
    expect(page.locator(".cd-live video")).to_be_hidden()
    assert not page.evaluate(LIVE)


def test_without_a_camera_the_tab_says_why(open_page, address):
    page = open_page(address)
    alert, button = page.locator(".cd-live [role=alert]"), page.get_by_role("button", name=START)
    expect(button).to_be_visible()
    page.evaluate(CAMERAS)
    failures = {"NotFoundError": "No camera", "NotAllowedError": "not allowed", "NotReadableError": "Another program"}
    for name, words in failures.items():
        page.evaluate("name => { window.failing = name; }", name)
        button.click()
        expect(alert).to_contain_text(words)
        expect(page.locator(".cd-live video")).to_be_hidden()
    page.evaluate("void Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    button.click()
    expect(alert).to_contain_text("https")


def test_frames_wait_for_no_answer(filming, stepwise):
    url, model = stepwise()
    page, frames = filming(f"{url}?tab=live"), []
    page.on("request", lambda request: frames.append(request) if "/live" in request.url else None)
    for answered in (1, 2, 3):
        with page.expect_response("**/live*"):
            model.turns.release()
        assert len(frames) <= answered + 1
    expect(page.locator(".cd-live .cd-bars li")).to_have_count(1)
    model.turns.release(1000)


@pytest.mark.parametrize(
    ("status", "words", "goes_on"),
    [(429, "Not now.", True), (500, "Not now.", False), (None, "does not answer", False)],
    ids=["busy", "fails", "never answers"],
)
def test_a_frame_may_be_dropped_and_a_server_that_fails_is_not_asked_again(camera, url, status, words, goes_on):
    page = camera.new_page()
    page.set_default_timeout(WAIT)
    page.add_init_script(IMPATIENT)
    answer = {"status": status, "json": {"error": {"message": "Not now."}}}
    page.route("**/live*", lambda route: route.fulfill(**answer) if status else None)
    page.goto(f"{url}?tab=live")
    page.get_by_role("button", name=START).click()
    expect(page.locator(".cd-live [role=alert]")).to_contain_text(words)
    assert page.evaluate(LIVE) == goes_on
    page.unroute("**/live*")
    if goes_on:
        expect(page.locator(".cd-live .cd-bars li")).to_have_count(3)

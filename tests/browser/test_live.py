"""The live camera, on the page of the server and on the page without one."""

import pytest

from .looks import assert_looks_right, expect, opened_anew, wait_until

pytestmark = pytest.mark.browser

START, STOP = "Start the camera", "Stop the camera"
LIVE = "document.querySelector('.cd-live video').srcObject?.active ?? false"
# What becomes of the camera, by what the browser says when it is asked for it.
CAMERAS = """void (navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException('', window.failing);
})"""
# The clock of the page goes ten times as fast, and it waits for an answer a tenth as long.
FAST = "() => { const now = performance.now.bind(performance); performance.now = () => 10 * now(); }"
IMPATIENT = """() => {
  const {timeout} = AbortSignal;
  AbortSignal.timeout = (time) => timeout.call(AbortSignal, time / 10);
}"""


@pytest.fixture(params=["url", "static_url"])
def address(request):
    """The address of the tab, on both pages."""
    return f"{request.getfixturevalue(request.param)}?tab=live"


def test_each_model_answers_a_few_times_a_second_until_the_tab_is_left(kept_page, address):
    page = opened_anew(kept_page, address)
    page.get_by_role("button", name=START).click()
    expect(page.locator(".cd-live .cd-bars li")).to_have_count(3)
    expect(page.locator("[data-rate]")).to_contain_text("frames a second")
    expect(page.get_by_role("button", name=STOP)).to_be_focused()
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


def test_without_a_camera_the_tab_says_why(kept_page, address):
    page = opened_anew(kept_page, address)
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


def test_frames_wait_for_no_answer(kept_page, stepwise):
    url, model = stepwise()
    page, frames = opened_anew(kept_page, f"{url}?tab=live"), []
    page.on("request", lambda request: frames.append(request) if "/live" in request.url else None)
    page.get_by_role("button", name=START).click()
    for answered in (1, 2, 3):
        with page.expect_response("**/live*"):
            model.turns.release()
        assert len(frames) <= answered + 1
    expect(page.locator(".cd-live .cd-bars li")).to_have_count(1)
    model.turns.release(1000)
    page.goto("about:blank")  # its server ends


def answer(status: int | None):
    """What answers requests with an error of this status, or not at all."""
    return lambda route: route.fulfill(status=status, json={"error": {"message": "Not now."}}) if status else None


def test_a_frame_may_be_dropped_and_a_server_that_fails_is_not_asked_again(unkept, url):
    unkept.goto(f"{url}?tab=live")
    unkept.evaluate(FAST)
    for status, words, goes_on in ((429, "Not now.", True), (500, "Not now.", False), (None, "does not answer", False)):
        if not status:  # only now: on a slow machine, the server itself may take longer
            unkept.evaluate(IMPATIENT)
        unkept.route("**/live*", answer(status))
        unkept.get_by_role("button", name=START).click()
        expect(unkept.locator(".cd-live [role=alert]")).to_contain_text(words)
        assert unkept.evaluate(LIVE) == goes_on
        unkept.unroute("**/live*")
        if goes_on:
            expect(unkept.locator(".cd-live .cd-bars li")).to_have_count(3)
            unkept.get_by_role("button", name=STOP).click()

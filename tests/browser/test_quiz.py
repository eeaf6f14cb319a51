"""The quiz, by mouse and by keyboard."""

import re

import pytest

from tests.catdog import fakes

from .looks import assert_looks_right, expect

pytestmark = pytest.mark.browser

# In the order of the buttons.
CLASSES = ("cat", "dog")


def start(page) -> None:
    page.get_by_role("tab", name="You against the models").click()
    expect(page.get_by_role("button", name="Start the quiz")).to_be_visible()
    page.get_by_role("button", name="Start the quiz").click()
    expect(question(page)).to_have_count(1)


def question(page):
    return page.locator(".cd-question:not([hidden])")


def answer(page, right: bool) -> None:
    """Press the number of an answer."""
    truth = question(page).get_attribute("data-truth")
    place = CLASSES.index(truth)
    page.keyboard.press(str((place if right else 1 - place) + 1))
    expect(question(page).locator("[role=status]")).to_have_text(f"{'Right' if right else 'Wrong'}: it is a {truth}.")


def test_all_right_by_keyboard_then_all_wrong_by_mouse(page):
    page.get_by_role("tab", name="You against the models").click()
    assert_looks_right(page)
    start(page)
    seen = []
    for number in range(1, 11):
        expect(page.get_by_role("heading", name=f"Photo {number} of 10")).to_be_focused()
        if number == 1:
            assert_looks_right(page)
        seen.append(question(page).locator("img").get_attribute("src"))
        answer(page, right=True)
        expect(page.get_by_role("button", name="See the score" if number == 10 else "Next photo")).to_be_focused()
        if number == 1:
            expect(question(page).locator(".cd-told li")).to_have_count(3)
            assert_looks_right(page)
        page.keyboard.press("Enter")
    expect(page.locator(".cd-end h2")).to_be_focused()
    assert_looks_right(page)
    assert len(set(seen)) == 10
    expect(page.locator(".cd-end h2")).to_contain_text(re.compile("You (beat|are as good as).*: 10 of 10"))
    expect(page.locator("[data-you] b")).to_have_text("10 of 10")
    expect(page.locator(".cd-ranking li").first).to_contain_text("You")
    assert page.locator("[data-you] rect").get_attribute("width") == "100%"

    page.get_by_role("button", name="Play again").click()
    assert page.locator(".cd-question").count() == 20
    for number in range(10):
        seen.append(question(page).locator("img").get_attribute("src"))
        truth = question(page).get_attribute("data-truth")
        wrong = CLASSES[1 - CLASSES.index(truth)]
        question(page).locator(f"[data-label={wrong}]").click()
        expect(question(page).locator("[role=status]")).to_have_text(f"Wrong: it is a {truth}.")
        question(page).get_by_role("button", name="See the score" if number == 9 else "Next photo").click()
    assert len(set(seen)) == 20
    expect(page.locator(".cd-end h2")).to_have_text("The models were better: 0 of 10")


# Lets each model be right on so many of the questions.
MARKED = """(scores) => document.querySelectorAll('.cd-question').forEach((question, i) => {
  for (const answer of question.querySelectorAll('[data-model]')) {
    answer.querySelector('.cd-mark').dataset.mark = i < scores[answer.dataset.model] ? 'right' : 'wrong';
  }
})"""
ENDS = {
    (3, 3, 2): "2 of 3 models were better: 2 of 3",
    (3, 2, 2): "1 of 3 models was better: 2 of 3",
    (3, 1, 2): "You beat 1 of 3 models: 2 of 3",
    (2, 2, 2): "You are as good as the best model: 2 of 3",
    (1, 0, 1): "You beat the models: 2 of 3",
    (3, 3, 3): "The models were better: 2 of 3",
}


def test_the_end_says_how_many_models_were_better(page):
    start(page)
    page.evaluate("document.querySelectorAll('.cd-question:nth-of-type(n+4)').forEach((question) => question.remove())")
    page.locator(".cd-end").evaluate("end => { end.dataset.count = 3; }")
    for scores, words in ENDS.items():
        page.locator("[data-do=again]").evaluate("button => button.click()")
        page.evaluate(MARKED, dict(zip(fakes.NAMES, scores, strict=True)))
        for right in (True, False, True):
            answer(page, right)
            page.keyboard.press("Enter")
        expect(page.locator(".cd-end h2")).to_have_text(words)


def test_other_keys_answer_nothing_and_a_score_survives_a_look_at_another_tab(page):
    start(page)
    for key in ("3", "a", "Control+1", "0", "Escape"):
        page.keyboard.press(key)
    expect(question(page).locator(".cd-answers")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="One photo").click()
    page.keyboard.press("1")
    page.get_by_role("tab", name="You against the models").click()
    expect(page.get_by_role("heading", name="Photo 2 of 10")).to_be_visible()
    expect(question(page).locator(".cd-answers")).to_be_visible()
    page.keyboard.press("2")
    expect(question(page).get_by_role("button", name="Next photo")).to_be_focused()

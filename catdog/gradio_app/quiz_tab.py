"""The tab with the quiz: a visitor and the models guess the same hard photos."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from catdog.comparator import Comparator
from catdog.errors import Busy, CatDogError
from catdog.gradio_app.ask import JUDGING, judge
from catdog.gradio_app.parts import html
from catdog.models.spec import ModelSpec
from catdog.pages import examples
from catdog.pages.banners import AGAIN
from catdog.pages.html import accent, banner, bar
from catdog.pages.icons import icon
from catdog.pages.pictures import data_url
from catdog.verdict import Comparison
from catdog.wording import BUSY, UNANSWERED, listed, percent

FOLDER = examples.FOLDER / "quiz"
LARGEST_SIDE = 480  # pixels

ON_LOAD = Path(__file__).with_name("quiz.js").read_text(encoding="utf-8")


def find(specs: Sequence[ModelSpec], folder: Path = FOLDER) -> dict[Path, str]:
    """The photos of the quiz and what they show, `cat` in `cat-night.jpg`; those that every model can name."""
    answers = {path: path.stem.partition("-")[0] for path in sorted(folder.glob("*.jpg"))}
    return {path: label for path, label in answers.items() if all(label in spec.classes for spec in specs)}


def add(comparator: Comparator, questions: Mapping[Path, str]) -> None:
    """Build the tab inside the current one."""
    specs = comparator.specs

    @functools.cache  # the models say the same to every visitor
    def asked() -> str:
        comparisons = {path: judge(comparator.compare, path) for path in questions}
        return quiz(questions, comparisons, specs)

    def begin() -> str:
        try:
            return asked()
        except CatDogError as error:
            return _failed(BUSY if isinstance(error, Busy) else str(error))

    board = html(welcome(len(questions), specs), js_on_load=ON_LOAD, elem_id="cd-quiz")
    begun = board.start(begin, None, board, concurrency_id=JUDGING, show_progress="hidden", api_visibility="private")
    begun.failure(None, None, board, js=f"() => {json.dumps(_failed(UNANSWERED))}", api_visibility="private")


def welcome(count: int, specs: Sequence[ModelSpec]) -> str:
    """Before the quiz begins."""
    text = (
        f"{count} photos: cropped, turned, blurred, in the dark. They are hard for people and for networks alike. "
        f"You guess first, then you see what {listed([spec.title for spec in specs], 'and')} said."
    )
    return (
        f'<section class="cd-quiz" data-state="welcome"><div class="cd-logo">{icon("cat")}{icon("dog")}</div>'
        f"<h2>Can you beat the models?</h2><p>{escape(text)}</p>"
        '<p><button type="button" class="cd-button cd-primary" data-do="start">Start the quiz</button></p></section>'
    )


def quiz(questions: Mapping[Path, str], comparisons: Mapping[Path, Comparison], specs: Sequence[ModelSpec]) -> str:
    """All questions, of which the page shows one at a time, and the end."""
    items = "".join(
        _question(number, path, label, comparisons[path], specs)
        for number, (path, label) in enumerate(questions.items(), start=1)
    )
    return f'<section class="cd-quiz" data-state="playing">{items}{_end(questions, comparisons, specs)}</section>'


def _question(number: int, path: Path, label: str, comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    classes = specs[0].classes
    buttons = "".join(
        f'<button type="button" class="cd-button" data-do="answer" data-label="{escape(name)}" '
        f'data-accent="{accent(name, classes)}" aria-keyshortcuts="{key}">'
        f"{icon(accent(name, classes))}{escape(name.capitalize())} <kbd>{key}</kbd></button>"
        for key, name in enumerate(classes, start=1)
    )
    titles = {spec.name: spec.title for spec in specs}
    said = "".join(
        f"<li>{_mark(verdict.label == label)}<span>{escape(titles[verdict.model])}</span> "
        f"<b>{escape(verdict.label)}</b> {escape(percent(verdict.confidence))} sure</li>"
        for verdict in comparison.models
    )
    return (
        f'<article class="cd-question" data-truth="{escape(label)}" hidden>'
        f'<h2 tabindex="-1">Photo <span data-number>{number}</span></h2>'
        f'<img src="{_picture(path)}" alt="A hard photo of an animal, to be judged by eye">'
        f'<div class="cd-answers" role="group" aria-label="Your answer">{buttons}</div>'
        f'<div class="cd-told" hidden><p role="status"></p><ul>{said}</ul>'
        '<button type="button" class="cd-button cd-primary" data-do="next">Next</button></div></article>'
    )


def _end(questions: Mapping[Path, str], comparisons: Mapping[Path, Comparison], specs: Sequence[ModelSpec]) -> str:
    right = {
        spec.name: sum(
            verdict.label == label
            for path, label in questions.items()
            for verdict in comparisons[path].models
            if verdict.model == spec.name
        )
        for spec in specs
    }
    count = len(questions)
    rows = "".join(
        f'<li data-score="{right[spec.name]}"><span>{escape(spec.title)}</span>{bar(right[spec.name] / count)}'
        f"<b>{right[spec.name]} of {count}</b></li>"
        for spec in specs
    )
    return (
        f'<article class="cd-end" data-count="{count}" hidden><h2 tabindex="-1"></h2>'
        f'<ol class="cd-ranking"><li data-you><span>You</span>{bar(0)}<b></b></li>{rows}</ol>'
        '<p><button type="button" class="cd-button cd-primary" data-do="again">Play again</button></p></article>'
    )


def _picture(path: Path) -> str:
    with Image.open(path) as image:
        image = image.convert("RGB")
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return data_url(image, quality=85)


def _mark(right: bool) -> str:
    word = "right" if right else "wrong"
    return f'<span class="cd-mark" data-mark="{word}">{icon(word)}<span class="cd-hidden">{word}:</span></span>'


def _failed(message: str) -> str:
    shown = banner("The quiz cannot start", message, "error", role="alert", button=AGAIN)
    return f'<section class="cd-quiz">{shown}</section>'

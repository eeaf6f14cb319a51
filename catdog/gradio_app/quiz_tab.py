"""The tab with the quiz: a visitor and the models guess the same hard photos."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from catdog.comparator import Comparator
from catdog.errors import Busy, CatDogError
from catdog.gradio_app.parts import ONE_PHOTO, PRIVATE, html, on_failure, script
from catdog.models.spec import ModelSpec, classes_of
from catdog.pages import SHUFFLED, examples
from catdog.pages.banners import AGAIN, banner
from catdog.pages.pictures import data_url, reduced
from catdog.pages.render import render
from catdog.verdict import Comparison
from catdog.wording import BUSY, UNANSWERED, listed

FOLDER = examples.FOLDER / "quiz"
ROUND = 10  # photos that are asked about before the score


@dataclass(frozen=True)
class Question:
    """A photo as a data: URL, the class that it shows, and what the models say of it."""

    picture: str
    label: str
    comparison: Comparison


def find(specs: Sequence[ModelSpec], folder: Path = FOLDER) -> dict[Path, str]:
    """The photos of the quiz -> their classes, from the file names (`cat-night.jpg`), if every model knows these.

    Empty if these are fewer than two classes, because then there is nothing to guess.
    """
    known = {name.casefold(): name for name in specs[0].classes if all(name in spec.classes for spec in specs)}
    shown = {path: path.stem.partition("-")[0] for path in sorted(folder.glob("*.jpg"))}
    answers = {path: known[name] for path, name in shown.items() if name in known}
    return answers if len({*answers.values()}) > 1 else {}


def add(comparator: Comparator, photos: Mapping[Path, str]) -> None:
    """Build the content of the current `gr.Tab`."""
    specs = comparator.specs

    @functools.cache  # the models say the same to every visitor
    def asked() -> Markup:
        return quiz([Question(_picture(path), photos[path], comparator.compare(path)) for path in photos], specs)

    def begin() -> Markup:
        try:
            return asked()
        except CatDogError as error:
            return _failed(BUSY if isinstance(error, Busy) else str(error))

    board = html(start(photos, specs), js_on_load=script("quiz_tab.js", SHUFFLED), elem_id="cd-quiz")
    begun = board.start(begin, None, board, concurrency_id=ONE_PHOTO, **PRIVATE)
    on_failure(begun, board, _failed(UNANSWERED))


def start(photos: Mapping[Path, str], specs: Sequence[ModelSpec]) -> Markup:
    """The start of the quiz, which names its classes if the models know more."""
    models, count = listed([spec.title for spec in specs], "and"), min(ROUND, len(photos))
    labels = [name for name in classes_of(specs) if name in photos.values()]
    shown = "" if len(labels) == len(classes_of(specs)) else listed(labels, "and")
    return render("quiz_start.html", count=count, models=models, shown=shown, specs=specs)


def quiz(questions: Sequence[Question], specs: Sequence[ModelSpec]) -> Markup:
    """All questions and the score; the page shows one at a time, and a round of ROUND at most."""
    titles, count = {spec.name: spec.title for spec in specs}, min(ROUND, len(questions))
    return render("quiz.html", questions=questions, classes=classes_of(specs), titles=titles, count=count)


def _picture(path: Path) -> str:
    with Image.open(path) as image:
        return data_url(reduced(image.convert("RGB")), quality=85)


def _failed(message: str) -> Markup:
    shown = banner("The quiz cannot start", message, "error", button=AGAIN)
    return Markup('<section class="cd-quiz">{}</section>').format(shown)

"""The quiz as the server writes it."""

import re
from collections import Counter

from catdog.comparator import Comparator
from catdog.gradio_app import quiz_tab
from tests.catdog import fakes
from tests.catdog.photos import encoded
from tests.conftest import EXAMPLES


def questions(folder) -> dict:
    for name, colour in {"cat-a": fakes.CAT, "cat-b": fakes.DOG, "dog-c": fakes.DISPUTED}.items():
        (folder / f"{name}.jpg").write_bytes(encoded(fakes.photo(colour), "JPEG"))
    return quiz_tab.find([fakes.spec("xception")], folder)


def test_free_photos_for_two_rounds_are_bundled_with_their_sources():
    found = quiz_tab.find([fakes.spec("xception")])
    assert sorted(found.values()) == ["cat"] * quiz_tab.ROUND + ["dog"] * quiz_tab.ROUND
    sources = (EXAMPLES / "SOURCES.md").read_text(encoding="utf-8")
    assert all(f"| {path.name} |" in sources for path in found)
    assert sum(path.stat().st_size for path in found) < 2**20


def test_photos_that_a_model_cannot_name_are_left_out(tmp_path):
    questions(tmp_path)
    (tmp_path / "owl-d.jpg").touch()
    models = [fakes.spec("xception", classes=classes) for classes in (("owl", "cat", "dog"), ("Owl", "Cat"))]
    assert sorted(quiz_tab.find(models[:1], tmp_path).values()) == ["cat", "cat", "dog", "owl"]
    assert sorted(quiz_tab.find(models[1:], tmp_path).values()) == ["Cat", "Cat", "Owl"]
    assert quiz_tab.find([models[0], fakes.spec("xception", classes=("cat", "fox"))], tmp_path) == {}  # all are cats


def test_each_question_has_its_truth_and_the_answers_of_the_models(tmp_path):
    comparator = Comparator([*fakes.classifiers(), fakes.fixed("zoo", 0.1, 0.1, 0.8, classes=("owl", "cat", "dog"))])
    asked = [
        quiz_tab.Question("data:,", label, comparator.compare(path)) for path, label in questions(tmp_path).items()
    ]
    html = quiz_tab.quiz(asked, comparator.specs)
    assert re.findall(r'data-truth="(\w+)"', html) == ["cat", "cat", "dog"]
    assert re.findall(r'data-label="(\w+)"', html) == ["cat", "dog"] * 3
    answers = re.findall(r'<li data-model="(\w+)"><span class="cd-mark" data-mark="(\w+)"', html)
    right = Counter(model for model, mark in answers if mark == "right")
    assert right == {"scratch_cnn": 1, "xception": 2, "mobilenet_v2": 2, "zoo": 1}, "the first says cat of c"
    assert 'data-count="3"' in html


def test_the_start_names_the_models_and_says_of_which_classes_there_are_photos(tmp_path):
    photos = questions(tmp_path)
    both = quiz_tab.start(photos, [fakes.spec(name) for name in fakes.NAMES])
    assert all(title in both for title in fakes.NAMES.values()) and "cd-hint" not in both
    more = quiz_tab.start(photos, [fakes.spec("xception", classes=("rabbit", "dog", "cat"))])
    assert "show dog and cat." in more and "<p>3 photos" in more

"""What a page shows before any photo."""

from catdog.comparator import Comparator
from catdog.pages import banners, cards
from catdog.pages.opening import Opening
from tests.catdog import fakes


def test_an_example_is_judged_once_for_all_visitors():
    comparator = fakes.comparator()
    heard = []
    comparator.listen(lambda answer, seconds: heard.append(answer))
    opening = Opening(comparator)
    banner, filled = opening()
    assert 'data-accent="idle"' in banner and banner != banners.waiting()
    assert filled.count('data-state="example"') == 1 and filled.count("cd-map") == 3
    assert "<dd>–</dd>" in filled, "nobody's photo took a time"
    assert "cd-map" not in opening(explain=False)[1]
    assert opening() == (banner, filled) and len(heard) == 2


def test_without_a_fitting_example_or_a_verdict_on_it_the_cards_wait():
    classes = {"classes": ("heron", "ibis")}
    comparator = Comparator([fakes.fixed("a", 0.9, **classes)])
    assert Opening(comparator)() == (banners.waiting(examples=False), cards.blank(comparator.specs))
    assert "example" not in Opening(comparator)()[0]
    comparator = fakes.comparator()
    opening = Opening(comparator)
    comparator.close()
    assert opening() == (banners.waiting(), cards.blank(comparator.specs))
    comparator = fakes.comparator()
    opening.comparator = comparator
    assert 'data-state="example"' in opening()[1], "a failure is not kept"

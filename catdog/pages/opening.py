"""What a page shows before any photo: what the models say of an example."""

import functools
from collections.abc import Sequence

from markupsafe import Markup

from catdog.comparator import Comparator
from catdog.errors import CatDogError
from catdog.models.spec import ModelSpec
from catdog.pages import banners, cards
from catdog.pages.examples import fitting
from catdog.pages.pictures import lasting_url, overlay_urls
from catdog.wording import headline, say


class Opening:
    """The banner and the cards before any photo; `how` says how to send one, `specs` are those to show.

    The models judge the first example, once for all visitors. Without one that fits the models, or without a verdict on
    it, the cards wait for a photo.
    """

    def __init__(self, comparator: Comparator, how: str = banners.HOW, specs: Sequence[ModelSpec] | None = None):
        self.comparator, self.how, self.specs = comparator, how, specs or comparator.specs
        self.judged = functools.cache(self._judged)

    def __call__(self, explain: bool = True) -> tuple[Markup, Markup]:
        """The banner, and the cards, with heat maps if `explain`."""
        try:
            return self.judged(explain)
        except (CatDogError, StopIteration):
            return banners.waiting(self.how, examples=bool(fitting(self.specs))), cards.blank(self.specs)

    def _judged(self, explain: bool) -> tuple[Markup, Markup]:
        """Raises StopIteration without an example, and the errors of `Comparator.look`."""
        name, path = next(iter(fitting(self.specs).items()))
        comparison, image = self.comparator.look(path, explain=explain)
        maps = overlay_urls(comparison, image, self.specs, lasting_url) if explain else None
        example = say("example", example=name, answer=headline(comparison, self.specs))
        return banners.waiting(self.how, told=example), cards.filled(comparison, self.specs, maps, state="example")

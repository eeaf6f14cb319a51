"""One photo after the other, in a process: `compare()` beside the plain way."""

import statistics
from collections.abc import Mapping
from typing import Any

from .plan import Plan, in_turns, milliseconds, versus
from .processes import Failed
from .worker import Worker


def measure(plan: Plan, catdog: Worker, plain: Worker, photos: list[str]) -> dict[str, Any]:
    """Milliseconds from encoded bytes to the answers of all models; `versus` of the turns' medians, plain to catdog.

    Raises Failed when the two disagree, because then one of them is wrong.
    """
    for photo in photos:
        ours, theirs = catdog.ask("answers", photo=photo), plain.ask("answers", photo=photo)
        if any(_disagree(ours[name], theirs[name]) for name in theirs):
            raise Failed(f"The plain way says {theirs} of {photo}, and catdog {ours}.")
    sides = {
        "catdog": lambda: catdog.ask("compare", photos=photos, count=plan.photos),
        "plain": lambda: plain.ask("compare", photos=photos, count=plan.photos),
    }
    turns = in_turns(plan.rounds, sides)
    figures = {name: milliseconds([seconds for turn in of_side for seconds in turn]) for name, of_side in turns.items()}
    medians = {name: list(map(statistics.median, of_side)) for name, of_side in turns.items()}
    return {**figures, **versus(medians["plain"], medians["catdog"])}


def _disagree(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether labels differ that neither side is in doubt about."""
    return ours["label"] != theirs["label"] and min(ours["confidence"], theirs["confidence"]) > 0.6

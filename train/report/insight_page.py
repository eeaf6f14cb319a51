"""insight.json as a page that people read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from train.measure.faithfulness import CURVES
from train.report.results import SPLIT_NAMES


def text(figures: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    parts = (_introduction, _maps, _sureness, _neither, _disagreement)
    return "\n".join(line for part in parts for line in part(figures))


def _introduction(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "# More than a label: how far it can be trusted"
    yield ""
    photos = f"{SPLIT_NAMES[figures['split']]} photos"
    yield f"Measured on the {photos} by `python -m train insight`; [insight.json](insight.json) has all figures."
    yield "Intervals are 95 %."
    if figures["split"] == "val":
        yield "Sureness, strangeness and disagreement were learned on these same photos: only test tells how they hold."
    yield ""


def _maps(figures: Mapping[str, Any]) -> Iterator[str]:
    cost = figures["cost"]
    yield "## Heat maps"
    yield ""
    yield "Class activation maps (Zhou et al. 2016), all models on one scale."
    yield "Orange speaks for the label, violet against it."
    yield ""
    yield "![Photos and the maps of every model](maps.png)"
    yield ""
    yield "Deletion takes away the pixels that a map ranks highest, insertion puts them back into a blurred photo"
    yield "(Petsiuk et al. 2018); the area is that under the probability of the label. A faithful map has a smaller"
    yield "area than a random one of the same size under deletion, and a larger one under insertion."
    yield ""
    yield from _table(
        ("model", "curve", "map", "random map", "difference", "map better on", "photos"),
        [
            (
                name, curve, f"{row['map']:.3f}", f"{row['random']:.3f}", _signed(row["difference"], row["interval"]),
                f"{row['better']:.0%}", str(model["photos"]),
            )
            for name, model in figures["heat_maps"].items()
            for curve in CURVES
            for row in [model[curve]]
        ],
    )  # fmt: skip
    if figures["heat_maps"]:
        yield ""
        yield "![Curves of deletion and insertion](faithfulness.png)"
    times = cost["milliseconds"]
    yield ""
    yield (
        f"A comparison with maps takes {cost['ratio_explained']:.2f} times as long as one without "
        f"({times['explained']:.1f} and {times['plain']:.1f} ms, medians over {cost['photos']} photos, interleaved), "
        f"and {cost['ratio_drawn']:.2f} times with the pictures of all maps that a page shows."
    )
    yield ""


def _sureness(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "## How sure"
    yield ""
    yield "How many answers this sure are wrong: what was learned on val, and what was found here."
    yield ""
    rows = [
        (
            name, f"1 in {1 / level['promised']:.0f} ({level['promised']:.1%})",
            f"{level['wrong']} of {level['photos']}",
            f"{level['rate']:.1%}", _interval(level["interval"]),
            "yes" if level["interval"][0] <= level["promised"] <= level["interval"][1] else "no",
        )
        for name, levels in figures["sureness"].items()
        for level in levels
    ]  # fmt: skip
    yield from _table(("model", "promised", "wrong", "rate", "interval", "promise inside"), rows)
    if rows:
        yield ""
        yield "![Promised and found error rates](sureness.png)"
    yield ""


def _neither(figures: Mapping[str, Any]) -> Iterator[str]:
    neither = figures["neither"]
    kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in neither["others"].items())
    yield "## Neither"
    yield ""
    yield f"{neither['pets']} photos of the classes, and photos of other things: {kinds}. Thresholds are those of val."
    if neither.get("about"):
        yield neither["about"]
    if neither["decided_by"]:
        yield f"The verdict follows {neither['decided_by']}, whose features vary most; the others are there to compare."
    yield ""
    rows = []
    for name, rule in neither["rules"].items():
        rows.append(
            (
                f"**{name}**" if name == neither["decided_by"] else name,
                "all",
                _of(rule["refused_pets"]),
                _of(rule["caught"]),
                _area(rule["auroc"]),
            )
        )
        for kind, row in rule["kinds"].items():
            rows.append((name, kind.replace("_", " "), "", _of(row["caught"]), _area(row["auroc"])))
    yield from _table(("decided by", "photos of", "own refused", "others caught", "AUROC"), rows)
    if rows:
        yield ""
        yield "![Strangeness of photos of the classes and of other things](neither.png)"
    yield ""
    yield "Of the photos of other things, those that a model would have called one of the classes with 90 % and more:"
    yield ""
    yield from _table(("model", "photos"), [(name, _of(share)) for name, share in neither["sure_of_others"].items()])
    yield ""


def _disagreement(figures: Mapping[str, Any]) -> Iterator[str]:
    found = figures["disagreement"]
    yield "## When the models disagree"
    yield ""
    yield f"They disagree on {found['disagree']} of {found['photos']} photos."
    if found["usually_right"]["of"]:
        yield (
            f"The model that is called usually right was right on {_of(found['usually_right'])} of those where one is "
            f"called so; promised was {found['promised']:.0%}."
        )
    yield ""
    yield from _table(("model", "right on"), [(name, _of(share)) for name, share in found["each_model"].items()])
    yield ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(header)} |"
        yield f"|{'---|' * len(header)}"
        yield from (f"| {' | '.join(row)} |" for row in rows)
    else:
        yield "Not measured: the specs know nothing of it."


def _of(share: Mapping[str, Any]) -> str:
    if not share["of"]:
        return "none"
    return f"{share['count']} of {share['of']}, {share['share']:.1%} ({_interval(share['interval'])})"


def _interval(interval: Sequence[float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _area(auroc: Mapping[str, Any]) -> str:
    return f"{auroc['area']:.3f} ({auroc['interval'][0]:.3f} to {auroc['interval'][1]:.3f})"


def _signed(difference: float, interval: Sequence[float]) -> str:
    return f"{difference:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})"

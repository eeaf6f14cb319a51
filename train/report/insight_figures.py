"""How far what is said beside a label can be trusted: maps, sureness, "neither" and who is usually right."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from catdog import load
from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.engine import Outputs
from catdog.errors import CatDogError, ImageTooLarge, InvalidSettings
from catdog.pages.pictures import overlay_urls
from catdog.photo.array import to_array
from catdog.terminal import tell
from catdog.verdict import Verdict, keenest, usually_right
from train.data.dataset import DatasetError, Split, find, is_photo, read, visible_folders
from train.data.neither_photos import ABOUT
from train.folders import require_writable, whole
from train.measure import faithfulness
from train.measure.evaluate import columns, joined, looked_at
from train.measure.served import settings_for
from train.measure.statistics import RESAMPLES, middle, rounded, share
from train.report import insight_drawings, insight_page

MAPPED = 200  # photos of the split, for what asks the models many times per photo
TIMED = 60
SURE = 0.9

# The verdicts on a photo -> its strangeness, and whether it is refused.
Rule = Callable[[Sequence[Verdict]], tuple[float, bool]]


def insight(
    weights: Path, data: Path, strangers: Path, out: Path, *, split_name: str = "test", photos: int = MAPPED
) -> dict[str, Any]:
    """Measure on `data`/split_name and on photos of other things; write insight.md, insight.json and drawings.

    strangers  folder of folders, one per kind of thing, with photos of neither class; may hold strangers.ABOUT
    photos     how many of the split are used for heat maps, at most: those that serving refuses are left out

    A model that cannot be used is named on stderr and left out.
    """
    if photos < 1:
        raise InvalidSettings(f"Heat maps are measured on at least one photo. Received: {photos}.")
    require_writable(out)
    split, others = find(data, split_name), find_strangers(strangers)
    with closing(load(settings_for(weights))) as comparator:
        tell(comparator.problems)
        sample = _sample(comparator, split, photos)
        figures, strangeness = measure(comparator, split, others, sample)
        figures = {"split": split_name} | figures
        figures["neither"]["about"] = _about(strangers)
        insight_drawings.draw(figures, strangeness, comparator, sample.paths, out)
    with whole(out / "insight.json") as partial:
        partial.write_text(json.dumps(rounded(figures), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with whole(out / "insight.md") as partial:
        partial.write_text(insight_page.text(figures), encoding="utf-8")
    return figures


def find_strangers(folder: Path) -> dict[str, list[Path]]:
    """The photos in each visible folder of a folder: name -> files; raises DatasetError when there are none."""
    found = {path.name: sorted(filter(is_photo, path.rglob("*"))) for path in visible_folders(folder)}
    found = {name: paths for name, paths in found.items() if paths}
    if not found:
        raise DatasetError(f"{folder} must hold folders with photos of neither class; see `python -m train strangers`.")
    return found


def _about(strangers: Path) -> str:
    """Where the photos of other things come from, in a sentence; empty when nobody says."""
    path = strangers / ABOUT
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def measure(
    comparator: Comparator, split: Split, strangers: Mapping[str, Sequence[Path]], sample: Split
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """All figures, each with the number of photos behind it, and how strange pets, under "", and others are.

    `sample` are the photos for heat maps. Raises DatasetError when a model does not know the classes of the split.
    """
    classifiers = list(comparator.models.values())
    for classifier in classifiers:
        columns(classifier, split)
    pets = verdicts(classifiers, split.paths)
    others = {kind: verdicts(classifiers, paths) for kind, paths in strangers.items()}
    truth = [split.classes[label] for label in split.labels]
    figures = {
        "models": {spec.name: {"title": spec.title, "sha256": spec.sha256} for spec in comparator.specs},
        "heat_maps": _faithfulness(classifiers, sample),
        "cost": cost(comparator, sample.paths[:TIMED]),
        "sureness": {c.spec.name: sureness(c, pets, truth) for c in classifiers if c.spec.sureness},
        "neither": neither(classifiers, pets, others),
        "disagreement": disagreement(comparator, pets, truth),
    }
    decider = figures["neither"]["decided_by"]
    strangeness = {
        kind: [verdict.strangeness for row in rows for verdict in row if verdict.model == decider]
        for kind, rows in ({"": pets} | others).items()
    }
    return figures, strangeness


def verdicts(classifiers: Sequence[Classifier], paths: Sequence[Path]) -> list[list[Verdict]]:
    """What all models say of each photo, as serving words it."""
    batches = list(looked_at(classifiers, paths))
    outputs: dict[str, Outputs] = {c.spec.name: joined([batch[c.spec.name] for batch in batches]) for c in classifiers}
    return [[c.verdict(outputs[c.spec.name].of(i), 0.0) for c in classifiers] for i in range(len(paths))]


def cost(comparator: Comparator, paths: Sequence[Path]) -> dict[str, Any]:
    """What maps cost: medians in milliseconds of one comparison without them, with them, and with a page's pictures.

    Interleaved, so that whatever else the machine does falls on all three alike.
    """

    def drawn(data: bytes) -> None:
        comparison, image = comparator.look(data, explain=True)
        overlay_urls(comparison, image, comparator.specs)

    ways = {
        "plain": comparator.compare,
        "explained": lambda data: comparator.compare(data, explain=True),
        "drawn": drawn,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for path in paths:
        data = path.read_bytes()
        comparator.compare(data)  # the file is in memory and the caches of the processor are warm
        for name, way in ways.items():
            start = time.perf_counter()
            way(data)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: 1000 * float(np.median(values)) for name, values in seconds.items()}
    ratios = {f"ratio_{name}": medians[name] / medians["plain"] for name in ("explained", "drawn")}
    return {"photos": len(paths), "milliseconds": medians} | ratios


def sureness(classifier: Classifier, pets: Sequence[Sequence[Verdict]], truth: Sequence[str]) -> list[dict[str, Any]]:
    """Per level of confidence: what was promised of these answers, and how many of them were wrong."""
    own = [(v, label) for row, label in zip(pets, truth, strict=True) for v in row if v.model == classifier.spec.name]
    levels = []
    for rate in sorted(set(classifier.spec.sureness.error_rate), reverse=True):
        answers = [verdict.label != label for verdict, label in own if verdict.error_rate == rate]
        if answers:
            found = share(answers)
            counts = {"photos": found["of"], "wrong": found["count"], "rate": found["share"]}
            levels.append({"promised": rate} | counts | {"interval": found["interval"]})
    return levels


def neither(
    classifiers: Sequence[Classifier],
    pets: Sequence[Sequence[Verdict]],
    others: Mapping[str, Sequence[Sequence[Verdict]]],
) -> dict[str, Any]:
    """How many pets are refused and how many photos of other things are caught, were each model to decide."""
    every = [row for rows in others.values() for row in rows]
    rules = {verdict.model: _rule_of(verdict.model) for verdict in pets[0] if verdict.strangeness is not None}
    keen = keenest(classifier.spec for classifier in classifiers)
    return {
        "pets": len(pets),
        "decided_by": keen.name if keen else None,
        "others": {kind: len(rows) for kind, rows in others.items()},
        "rules": {name: _caught(rule, pets, others) for name, rule in rules.items()},
        "sure_of_others": {
            c.spec.name: share([v.confidence >= SURE for row in every for v in row if v.model == c.spec.name])
            for c in classifiers
        },
    }


def disagreement(comparator: Comparator, pets: Sequence[Sequence[Verdict]], truth: Sequence[str]) -> dict[str, Any]:
    """On how many photos the models disagree, and how often the model that is called usually right was."""
    split = [(row, label) for row, label in zip(pets, truth, strict=True) if len({v.label for v in row}) > 1]
    named = [(usually_right({v.model: v.label for v in row}, comparator.specs), row, label) for row, label in split]
    named = [(favourite, row, label) for favourite, row, label in named if favourite]
    right = [next(v.label for v in row if v.model == favourite["model"]) == label for favourite, row, label in named]
    return {
        "photos": len(pets),
        "disagree": len(split),
        "promised": float(np.mean([favourite["rate"] for favourite, _, _ in named])) if named else None,
        "usually_right": share(right),
        "each_model": {
            name: share([v.label == label for row, label in split for v in row if v.model == name])
            for name in comparator.models
        },
    }


def _faithfulness(classifiers: Sequence[Classifier], sample: Split) -> dict[str, Any]:
    images = [read(path) for path in sample.paths]
    measured = {
        c.spec.name: faithfulness.measure(c, [to_array(image, c.spec.input) for image in images]) for c in classifiers
    }
    return {name: figures for name, figures in measured.items() if figures}


def _rule_of(name: str) -> Rule:
    """The rule of one model alone."""

    def rule(row: Sequence[Verdict]) -> tuple[float, bool]:
        strangeness = next(v.strangeness for v in row if v.model == name)
        return strangeness, strangeness > 1

    return rule


def _caught(
    rule: Rule, pets: Sequence[Sequence[Verdict]], others: Mapping[str, Sequence[Sequence[Verdict]]]
) -> dict[str, Any]:
    of_pets = [rule(row) for row in pets]
    of_others = {kind: [rule(row) for row in rows] for kind, rows in others.items()}
    every = [entry for entries in of_others.values() for entry in entries]
    scores = [np.array([score for score, _ in entries]) for entries in (of_pets, every)]
    return {
        "refused_pets": share([strange for _, strange in of_pets]),
        "caught": share([strange for _, strange in every]),
        "auroc": auroc(*scores),
        "kinds": {
            kind: {"caught": share([strange for _, strange in entries])}
            | {"auroc": auroc(scores[0], np.array([score for score, _ in entries]))}
            for kind, entries in of_others.items()
        },
    }


def auroc(pets: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    """How well a score tells photos of other things from pets, with a 95 % bootstrap interval."""
    random = np.random.default_rng(0)

    def area(pets: np.ndarray, others: np.ndarray) -> float:
        """The share of pairs in which the other thing is the stranger one (Mann and Whitney 1947)."""
        below, up_to = (np.searchsorted(np.sort(pets), others, side) for side in ("left", "right"))
        return float((below + up_to).mean() / (2 * len(pets)))

    resampled = [area(random.choice(pets, len(pets)), random.choice(others, len(others))) for _ in range(RESAMPLES)]
    return {"area": area(pets, others), "interval": middle(np.array(resampled))}


def _sample(comparator: Comparator, split: Split, count: int) -> Split:
    """So many photos of a split, chosen once and for all, without those that are too large to be served."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(split))[:count])
    chosen = [i for i in chosen if not _is_too_large(comparator, split.paths[i])]
    if not chosen:
        raise InvalidSettings("Serving accepts none of the photos: raise CATDOG_MAX_UPLOAD_MB or CATDOG_MAX_PIXELS.")
    return Split(split.classes, tuple(split.paths[i] for i in chosen), split.labels[chosen])


def _is_too_large(comparator: Comparator, photo: Path) -> bool:
    """Whether serving refuses a photo for its size; one that is no photo at all is told of elsewhere, by its name."""
    try:
        comparator.read(photo)
    except CatDogError as error:
        return isinstance(error, ImageTooLarge)
    return False

"""The command `insight`: how faithful heat maps, error rates and "neither" are, as plain JSON, a page and drawings."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from catdog.classifier import Classifier
from catdog.comparator import Comparator
from catdog.errors import CatDogError, InvalidSettings
from catdog.pages.pictures import overlay_urls
from catdog.photo.array import to_array
from catdog.verdict import REFUSED, Comparison, Verdict, keenest
from train.data.dataset import DatasetError, Split, find, find_elsewhere, is_photo, visible_folders
from train.data.kinds import by_kind
from train.data.neither_photos import ABOUT
from train.folders import require_writable
from train.measure import faithfulness
from train.measure.answers import columns_of
from train.measure.served import served
from train.measure.statistics import RESAMPLES, middle, share
from train.report import drawings, markdown
from train.report.markdown import SURE

MAPPED = 200  # photos for heat maps, for which the models are asked many times per photo
TIMED = 60  # photos


def insight(
    weights: str | Path,
    data: Path,
    strangers: Path,
    out: Path,
    *,
    split_name: str = "test",
    photos: int = MAPPED,
    more: Sequence[Path] = (),
) -> dict[str, Any]:
    """Measure how far answers can be trusted; write insight.md, insight.json and drawings to `out`.

    data       its split `split_name` has the photos of the classes
    strangers  folder of folders, one per kind of thing, with photos of neither class; its file ABOUT, if any, is
               quoted on the page
    photos     how many of the split are used for heat maps, at most
    more       further data folders: the photos of the classes and of neither in their val are from other sources, which
               have a table of their own

    Returns the figures. A model that cannot be used is named on stderr and left out. Raises DatasetError when one does
    not know the classes of the split, or a photo cannot be read.
    """
    if photos < 1:
        raise InvalidSettings(f"Heat maps are measured on at least one photo. Received: {photos}.")
    markdown.require_free("insight", out)
    require_writable(out)
    split, others = find(data, split_name), find_strangers(strangers)
    elsewhere = find_elsewhere(data, "val", more) if more else None
    chosen = np.sort(np.random.default_rng(0).permutation(len(split))[:photos])
    sample = [split.paths[i] for i in chosen]
    with served(weights) as comparator:
        classifiers = list(comparator.models.values())
        columns = [columns_of(classifier, split) for classifier in classifiers]
        truth = [comparator.specs[0].classes[columns[0][label]] for label in split.labels]
        pets = _compared(comparator, split.paths)
        kinds = {kind: _compared(comparator, paths) for kind, paths in others.items()}
        figures = {
            "split": split_name,
            "models": {spec.name: {"title": spec.title, "sha256": spec.sha256} for spec in comparator.specs},
            "colours": ["lime", "blue"],  # of the maps: for the label and against it
            "heat_maps": _heat_maps(comparator, sample),
            "cost": _cost(comparator, sample[:TIMED]),
            "sureness": {c.spec.name: sureness(c, pets, truth) for c in classifiers if c.spec.sureness},
            "neither": neither(classifiers, pets, kinds) | {"about": _about(strangers)},
            "elsewhere": _elsewhere(classifiers, comparator, elsewhere),
            "disagreement": disagreement(list(comparator.models), pets, truth),
        }
        # Photos of the classes are of kind "": a folder may be called anything else.
        decider, every = figures["neither"]["decided_by"], {"": pets} | kinds
        refusals = {kind: _refusals(decider, rows) for kind, rows in every.items()} if decider else {}
        disputed_first = [split.paths[i] for i in sorted(chosen, key=lambda i: pets[i].agree)]
        drawings.of_insight(figures, refusals, comparator, disputed_first[: drawings.MAPPED], out)
    return markdown.write("insight", figures, out)


def _elsewhere(classifiers: Sequence[Classifier], comparator: Comparator, found: Split | None) -> dict[str, Any] | None:
    """As `neither`, for the photos in val of further data folders; None where these hold none of one sort."""
    if found is None or not len(found.of_classes) or not len(found.of_neither):
        return None
    others = {kind: _compared(comparator, paths) for kind, paths in by_kind(found.of_neither.paths).items()}
    return neither(classifiers, _compared(comparator, found.of_classes.paths), others)


def _about(strangers: Path) -> str:
    about = strangers / ABOUT
    return about.read_text(encoding="utf-8").strip() if about.is_file() else ""


def find_strangers(folder: Path) -> dict[str, list[Path]]:
    """The photos in each visible folder of a folder: name -> files; raises DatasetError when there are none."""
    found = {path.name: sorted(filter(is_photo, path.rglob("*"))) for path in visible_folders(folder)}
    found = {name: paths for name, paths in found.items() if paths}
    if not found:
        raise DatasetError(f"{folder} must hold folders with photos of neither class; see `python -m train strangers`.")
    return found


def _compared(comparator: Comparator, paths: Sequence[Path]) -> list[Comparison]:
    """What is served for each photo."""
    found = []
    for path in tqdm(paths, desc="photos", unit="photo"):
        try:
            found.append(comparator.compare(path))
        except CatDogError as error:
            raise DatasetError(f"{path}: {error}") from error
    return found


def _heat_maps(comparator: Comparator, sample: Sequence[Path]) -> dict[str, Any]:
    """Model -> figures of `faithfulness`, for models that have maps."""
    images = [comparator.read(path).image for path in sample]
    measured = {
        name: faithfulness.measure(classifier, [to_array(image, classifier.spec.input) for image in images])
        for name, classifier in comparator.models.items()
    }
    return {name: figures for name, figures in measured.items() if figures}


def _cost(comparator: Comparator, paths: Sequence[Path]) -> dict[str, Any]:
    """Median milliseconds of a comparison without maps, with maps, and with the pictures of a page.

    Measured in turns, so that all three suffer alike from what else the machine does.
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
        comparator.compare(data)  # fills the caches of the processor
        for name, way in ways.items():
            start = time.perf_counter()
            way(data)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: 1000 * float(np.median(values)) for name, values in seconds.items()}
    ratios = {f"ratio_{name}": medians[name] / medians["plain"] for name in ("explained", "drawn")}
    return {"photos": len(paths), "milliseconds": medians} | ratios


def sureness(classifier: Classifier, pets: Sequence[Comparison], truth: Sequence[str]) -> list[dict[str, Any]]:
    """For each level of confidence, the error rate `promised` in the spec, and the `share` of wrong answers."""
    verdicts = [_verdict(classifier.spec.name, comparison) for comparison in pets]
    wrong = {rate: [] for rate in sorted(set(classifier.spec.sureness.error_rate), reverse=True)}
    for verdict, label in zip(verdicts, truth, strict=True):
        wrong[verdict.error_rate].append(verdict.label != label)
    return [{"promised": rate} | share(flags) for rate, flags in wrong.items() if flags]


def neither(
    classifiers: Sequence[Classifier], pets: Sequence[Comparison], others: Mapping[str, Sequence[Comparison]]
) -> dict[str, Any]:
    """How many photos of the classes are refused, and of other things caught, if each model alone decided."""
    keen = keenest([classifier.spec for classifier in classifiers])
    names = [verdict.model for verdict in pets[0].models if verdict.neither is not None]
    sure = {
        c.spec.name: [_verdict(c.spec.name, row).confidence >= SURE for rows in others.values() for row in rows]
        for c in classifiers
    }
    return {
        "pets": len(pets),
        "decided_by": keen.name if keen else None,
        "others": {kind: len(rows) for kind, rows in others.items()},
        "rules": {
            name: _rule(_refusals(name, pets), {kind: _refusals(name, rows) for kind, rows in others.items()})
            for name in names
        },
        "sure_of_others": {name: share(flags) for name, flags in sure.items()},
    }


def _rule(pets: Sequence[float], others: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """What the threshold refuses and catches."""
    every = [value for values in others.values() for value in values]
    return {
        "refused_pets": share([value > REFUSED for value in pets]),
        "caught": share([value > REFUSED for value in every]),
        "auroc": auroc(pets, every),
        "kinds": {
            kind: {"caught": share([value > REFUSED for value in values]), "auroc": auroc(pets, values)}
            for kind, values in others.items()
        },
    }


def auroc(pets: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """How well refusals tell other things from pets: the area under the ROC curve and its 95 % bootstrap interval.

    The area is the share of pairs in which the other thing is refused more; ties count half (Mann and Whitney 1947).
    """
    random = np.random.default_rng(0)

    def area(pets: np.ndarray, others: np.ndarray) -> float:  # scipy.stats.mannwhitneyu takes 14 times as long
        below, up_to = (np.searchsorted(np.sort(pets), others, side) for side in ("left", "right"))
        return float((below + up_to).mean() / (2 * len(pets)))

    resampled = [area(random.choice(pets, len(pets)), random.choice(others, len(others))) for _ in range(RESAMPLES)]
    return {"area": area(pets, others), "interval": middle(np.array(resampled))}


def disagreement(names: Sequence[str], pets: Sequence[Comparison], truth: Sequence[str]) -> dict[str, Any]:
    """On how many photos the models disagree, and how often the one named as usually right was right."""
    disputed = [(comparison, label) for comparison, label in zip(pets, truth, strict=True) if not comparison.agree]
    told = [(row.usually_right, row, label) for row, label in disputed if row.usually_right]
    return {
        "photos": len(pets),
        "disagree": len(disputed),
        "promised": float(np.mean([usual["rate"] for usual, _, _ in told])) if told else None,
        "usually_right": share([_verdict(usual["model"], row).label == label for usual, row, label in told]),
        "each_model": {name: share([_verdict(name, row).label == label for row, label in disputed]) for name in names},
    }


def _verdict(name: str, comparison: Comparison) -> Verdict:
    return next(verdict for verdict in comparison.models if verdict.model == name)


def _refusals(name: str, comparisons: Sequence[Comparison]) -> list[float]:
    return [_verdict(name, comparison).neither for comparison in comparisons]

"""What `adopt` prints: what the model is, how good it is on the photos, what it costs, and how to see it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from catdog.adopt.adoption import ASSUMED, Adopted
from catdog.adopt.choose import CERTAIN
from catdog.settings import BUNDLED_WEIGHTS
from catdog.wording import input_size, readable_size

RANGES = {
    "none": "pixels as they are, 0 to 255", "unit": "pixels / 255", "symmetric": "pixels / 127.5 - 1",
    "caffe": "caffe (blue first, means subtracted)", "torch": "torch (means subtracted, divided by deviations)",
}  # fmt: skip
MODES = {"stretch": "the whole photo, stretched", "crop": "the centre of the photo"}
CHANCE = 0.05  # a model this near to guessing has learned something else


def report(adopted: Adopted) -> str:
    """A short table, and the command that shows the model beside the shipped ones."""
    rows = [*_rows(adopted)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name.ljust(width)}  {text}" for name, text in rows]
    shipped = "weights" if Path("weights").resolve() == BUNDLED_WEIGHTS else BUNDLED_WEIGHTS
    folders = os.pathsep.join(shlex.quote(str(folder)) for folder in (adopted.folder, shipped))
    show = f"CATDOG_WEIGHTS={folders} python app.py"
    return "\n".join([*lines, "", *_remarks(adopted), f"To see it beside the shipped models: {show}"])


def _rows(adopted: Adopted) -> Iterator[tuple[str, str]]:
    spec = adopted.spec
    yield "model", f"{spec.name}, from {spec.training['adopted_from']} (Keras {spec.training['keras_version']})"
    yield "input", f"{input_size(spec)}, {MODES[spec.resize]}{_sure(adopted, 'shape')}"
    yield "scaling", f"{spec.scaling}: {RANGES[spec.scaling]}{_sure(adopted, 'scaling')}"
    yield "classes", f"{', '.join(spec.classes)}{_sure(adopted, 'order')}"
    yield "output", adopted.head + (" for each class" if spec.training.get("head") else "")
    if figures := spec.metrics.get("photos"):
        read, lost = adopted.photos
        unread = f"; {lost} could not be read" if lost else ""
        yield "photos", f"right on {figures['accuracy']:.1%} of {read}, log loss {figures['log_loss']:.3f}{unread}"
        yield "temperature", f"{spec.temperature:g}" if spec.sureness else "not fitted: too few photos"
    parameters = spec.parameters or 0
    yield "cost", f"{readable_size(spec.bytes)}, {parameters:,} parameters, {adopted.seconds * 1000:.1f} ms a photo"
    yield "written", f"{adopted.folder / spec.file} and {spec.name}.json"


def _sure(adopted: Adopted, field: str) -> str:
    """How sure a choice is, after its value; empty where nothing was chosen."""
    if adopted.choice is None or field not in adopted.choice.shares:
        return ""
    if field in adopted.choice.kept:
        return " (the usual; the photos do not decide it)"
    if adopted.choice.few:
        return " (not certain: few photos)"
    return f" (wins in {adopted.choice.shares[field]:.0%} of resamples of the photos)"


def _remarks(adopted: Adopted) -> Iterator[str]:
    spec, choice = adopted.spec, adopted.choice
    if choice is None:
        yield from _assumptions(adopted)
    elif "order" not in adopted.assumed and choice.option.order != (*range(len(spec.classes)),):
        yield "By the photos, the classes come in another order than was named. The order of the photos is used."
    if spec.training.get("head"):
        yield "It has a sigmoid for each class. These need not add up to 1, so they are divided by their sum."
    figures = spec.metrics.get("photos")
    if figures and figures["accuracy"] < 1 / len(spec.classes) + CHANCE:
        yield "It is hardly better than guessing on these photos, with every scaling, crop and order of the classes."
    if choice and (choice.few or any(choice.shares[field] < CERTAIN for field in {*choice.shares} - {*choice.kept})):
        yield "Some of this is not certain: more photos would decide it."


def _assumptions(adopted: Adopted) -> Iterator[str]:
    """What was assumed of a model that was adopted without photos, and how to check it."""
    spec = adopted.spec
    if "order" in adopted.assumed:
        yield f"Assumed: the classes are {ASSUMED[0]} and {ASSUMED[1]}, in this order. Name others with --classes."
    if "scaling" in adopted.assumed:
        yield f"Assumed: {RANGES[spec.scaling]}. Nothing in the file says so."
    if "shape" in spec.training.get("assumed", ()):
        yield f"Assumed: {MODES[spec.resize]}."
    yield (
        "To check: run it again with --overwrite --photos DIR, a folder with 20 or more photos for each of "
        f"{', '.join(spec.classes)}."
    )

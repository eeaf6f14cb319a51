"""What the scripts of the static page take from Python: models, sentences, limits and the looks of heat maps."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from catdog import wording
from catdog.collection import intake
from catdog.models.spec import USUAL_NAMES, ModelSpec
from catdog.pages import overlay
from catdog.pages.pictures import LARGEST_SIDE, legend_url
from catdog.photo import unreadable
from catdog.photo.array import SCALINGS
from catdog.photo.decode import LONGEST_SIDE
from catdog.photo.jpeg_end import MOST_MISSING
from catdog.settings import Settings

READABLE = ("JPEG", "PNG", "WebP", "GIF", "BMP", "AVIF")  # by every current browser
# What the page says where a server would answer with an error, or where only a browser can fail.
REFUSALS = {
    "empty": "The file is empty. Choose another one.",
    "file too large": "The file is larger than the {megabytes} MB that are accepted. Choose a smaller copy.",
    "too many pixels": "The photo has too many pixels: {received}; at most {megapixels} megapixels are accepted. "
    "Choose a smaller copy.",
    "too long": "The photo is too long: {received} pixels; sides of at most {side} are accepted. "
    "Choose a smaller copy.",
    "damaged": "The {kind} file is damaged, incomplete, or of a kind that this browser cannot decode.",
    "not read here": "This browser cannot read {kind} photos. Save the photo as JPEG, and choose that file.",
    "not a photo": "The file is not a photo but {kind}. Choose a JPEG, PNG or WebP photo.",
    "unknown": "The file is not a photo of a known kind. Choose a JPEG, PNG or WebP photo.",
    "unreadable": "The file cannot be read. It may be a folder, or have been moved or changed. Choose it again.",
    "no memory": "There is too little memory for this photo. Close other tabs, or choose a smaller copy.",
    "no photos": "No photos were chosen. Choose some, or a folder of them.",
    "too many photos": "At most {most} photos are judged at once. Received: {received}.",
    "no example": "There is no such example. Choose one of those below the photo.",
    "no WebAssembly": "This browser has no WebAssembly, which the models need. Update it, or use another one.",
    "not secure": "The page must come over https://, or from this machine, so that it can verify the models.",
    "worker": "This browser cannot start the runtime of the models. Update it, or use another one.",
    "not fetched": "A file of this page cannot be fetched. Check the connection, and try again.",
    "changed": "The file of {title} is damaged or of another version. Reload the page; if that does not help, tell "
    "its owner.",
    "not kept": "There is no room to keep the models: they will be fetched again on the next visit.",
    "model fails": "{title} cannot run in this browser: {reason}.",
    "page fails": "This page failed: {reason}. Reload it; if that does not help, tell its owner.",
    "no model": "No model could be loaded. The reasons are above.",
}


def shown(spec: ModelSpec) -> dict[str, Any]:
    """What the page needs to show a model and to prepare a photo for it, sentences included.

    It is not part of the model's file, so that words can change without fetching the models again.
    """
    fields = spec.model_dump(include={"name", "title", "classes", "resize", "sureness", "neither"})
    known = {"accuracy": spec.validation_accuracy, "measured": wording.measured(spec), "costs": wording.costs(spec)}
    return fields | known | {"tried": wording.tried(spec), "shape": spec.input.array}


def scaling(spec: ModelSpec) -> dict[str, Any]:
    """How to scale pixels for a model: for each channel, the photo's channel, a factor and an offset."""
    channels = spec.input.array[2]
    factor, offset = (np.broadcast_to(value, channels).tolist() for value in SCALINGS[spec.scaling])
    order = [*range(channels)]
    return {"order": order[::-1] if spec.scaling == "caffe" else order, "factor": factor, "offset": offset}


def site(specs: Sequence[ModelSpec]) -> dict[str, Any]:
    """What the scripts take from Python: models, sentences, and limits."""
    limits = Settings()
    return {
        "specs": [shown(spec) for spec in specs],
        "sentences": wording.SENTENCES,
        "certainties": wording.CERTAINTIES,
        "unsure": wording.UNSURE,
        "rarest": wording.RAREST,
        "fewClasses": wording.FEW_CLASSES,
        "vertical": wording.VERTICAL,
        "horizontal": wording.HORIZONTAL,
        "usualNames": USUAL_NAMES,
        "numbers": {number: wording.number_word(number) for number in range(2, 5)},
        "neither": wording.neither(specs),
        "refusals": intake.REFUSALS | REFUSALS,
        "limits": {
            "bytes": limits.max_upload_bytes, "pixels": limits.max_pixels, "photos": intake.MOST_PHOTOS,
            "unpacked": intake.MOST_UNPACKED, "deepest": intake.DEEPEST, "index": intake.LARGEST_INDEX,
            "missing": MOST_MISSING, "side": LONGEST_SIDE,
        },
        "photos": _patterns(unreadable.PHOTOS),
        "notPhotos": _patterns(unreadable.OTHER_PHOTOS | unreadable.NOT_PHOTOS),
        "readable": READABLE,
        "legend": legend_url(),
        "overlay": {
            "for": overlay.FOR, "against": overlay.AGAINST, "strongest": overlay.STRONGEST, "gamma": overlay.GAMMA,
            "leastScale": overlay.LEAST_SCALE, "side": LARGEST_SIDE,
        },
    }  # fmt: skip


def _patterns(kinds: dict[str, bytes]) -> list[tuple[str, str, str]]:
    """Kind, pattern and flags for JavaScript, of patterns that Python matches with the beginning of a file."""
    return [
        (
            kind,
            f"^(?:{pattern.decode('latin-1').removeprefix('(?i)')})".replace(r"\Z", "$"),
            "si" if b"(?i)" in pattern else "s",
        )
        for kind, pattern in kinds.items()
    ]

"""Zips or folders of labelled photos -> one clean data folder, `{train,val,test}/{class}/`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn import config_context
from sklearn.metrics import pairwise_distances_argmin_min
from tqdm import tqdm

from catdog.errors import CatDogError, InvalidSettings
from catdog.photo.decode import EXTENSIONS, decode
from train.data.dataset import NEITHER, SPLITS, UNLABELLED, DatasetError
from train.data.sources import UNREADABLE, Photo, find_photos

THUMBNAIL = 16
# Correlation of two thumbnails above which photos count as copies. In Dogs vs. Cats, all pairs above it are re-encoded,
# resized or slightly recoloured copies.
NEAR = 0.98
# Bytes. A zip can hold gigabytes of zeros in kilobytes.
LARGEST = 100 * 2**20


def prepare(sources: list[Path], out: Path, *, val: float = 0.1, test: float = 0.1, by_kind: bool = False) -> dict:
    """Write a clean data folder to `out`; return, and write as prepare.json, what was done.

    1. Find photos, with the class and the split that `split_and_label` reads in their folders; drop undecodable ones.
    2. Divide the photos without a split, class by class: in natural order of their names, the first go to train, then
       the share `val`, then the share `test`. One of three and more goes to test if the class has no test photo. If a
       class has no val photo then, the share `val` of its train photos goes there, at least one if there are two.
       With `by_kind`, each kind of a class (the name up to the first underscore) is divided by itself, in the order of
       a hash of the names. All photos of the folder `unlabelled` go to train.
    3. Drop files that lie in folders of several classes. Of exact copies keep one, in test before val before train.
       Drop train photos that are near copies of a val or test photo: no model may be measured on what it learned from.

    `out` appears whole or not at all. Raises InvalidSettings if it exists or the shares are wrong, and DatasetError for
    unusable sources.
    """
    if out.exists():
        raise InvalidSettings(f"{out} exists already. Remove it or choose another --out.")
    if not 0 <= val < 1 or not 0 <= test < 1 or val + test >= 1:
        raise InvalidSettings(f"--val and --test are shares that add up to less than 1. Received: {val} and {test}.")
    with contextlib.ExitStack() as archives:
        photos = list(find_photos(sources, archives))
        if not photos:
            raise DatasetError(
                f"No photo found in {', '.join(map(str, sources))}; accepted are {', '.join(EXTENSIONS)}."
            )
        with ThreadPoolExecutor() as pool:
            list(tqdm(pool.map(_look, photos), total=len(photos), desc="decode", unit="photo"))
        labels = sorted({photo.label for photo in photos})
        unusable = [photo for photo in photos if photo.problem]
        photos = [photo for photo in photos if not photo.problem]
        _divide(photos, val, test, by_kind)
        photos, disputed, copies = _without_copies(photos)
        leaks = _near_copies(photos)
        leaked = {id(train) for train, _, _ in leaks}
        kept = [photo for photo in photos if id(photo) not in leaked]
        report = {
            "sources": [path.name for path in sources],
            "kept": _count(kept),
            "undecodable": [photo.source for photo in unusable],
            "reasons": [photo.problem for photo in unusable],
            "several_classes": [photo.source for photo in disputed],
            "exact_copies": copies,
            "near_copies": [
                {"dropped": t.source, "copy_of": other.source, "correlation": round(c, 4)} for t, other, c in leaks
            ],
        }
        if len({photo.label for photo in kept} - {NEITHER, UNLABELLED}) < 2:
            first = [f"{photo.source}: {photo.problem}" for photo in unusable[:1]]
            raise DatasetError(
                f"Photos of at least two classes are needed; found {labels}. The class of a photo is the name of the "
                f"innermost folder that it lies in. {'; '.join([*describe(report).splitlines(), *first])}"
            )
        _write(kept, out, report)
    return report


def describe(report: dict) -> str:
    """The report of `prepare` as text for the terminal."""
    lines = [
        f"{split:5} " + ", ".join(f"{n} {label}" for label, n in sorted(report["kept"][split].items()))
        for split in SPLITS
        if split in report["kept"]
    ]
    labels = sorted({label for counts in report["kept"].values() for label in counts})
    for split in dict.fromkeys(("train", "val", *report["kept"])):
        of_split = report["kept"].get(split, {})
        missing = [label for label in labels if label not in of_split and label not in (NEITHER, UNLABELLED)]
        lines += [f"{split} has no photo of {label}: add some" for label in missing]
    for key, what in (
        ("undecodable", "could not be decoded"),
        ("several_classes", "lay in folders of several classes"),
        ("exact_copies", "were exact copies"),
        ("near_copies", "training photos were near copies of val or test photos"),
    ):
        lines.append(f"{len(report[key])} {what}" + (" and were dropped" if report[key] else ""))
    return "\n".join(lines)


def _look(photo: Photo) -> None:
    """Set digest and thumbnail, or the problem of a file that is not a readable photo."""
    if photo.size > LARGEST:
        photo.problem = f"The file is larger than {LARGEST / 2**20:.0f} MiB."
        return
    try:
        data = photo.read()
        image = decode(data)
    except (CatDogError, *UNREADABLE) as error:
        photo.problem = str(error) or type(error).__name__
        return
    photo.thumbnail = thumbnail(image)
    photo.digest = hashlib.sha256(data).hexdigest()


def thumbnail(image: Image.Image) -> np.ndarray:
    """THUMBNAIL x THUMBNAIL pixels in RGB, float32 (THUMBNAIL, THUMBNAIL, 3), each colour of zero mean."""
    values = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), dtype=np.float32)
    return values - values.mean(axis=(0, 1))  # per colour, because many photos share a tint


def _divide(photos: list[Photo], val: float, test: float, by_kind: bool) -> None:
    """Give photos a split, class by class, or with `by_kind` kind by kind; see `prepare`."""
    groups = defaultdict(list)
    for photo in photos:
        if photo.label == UNLABELLED:
            photo.split = "train"
        else:
            kind = photo.name.partition("_")[0] if by_kind and "_" in photo.name else ""
            groups[photo.label, kind].append(photo)
    for group in groups.values():
        order = _by_hash if by_kind else _natural
        _divide_group(sorted(group, key=order), val, test)


def _divide_group(photos: list[Photo], val: float, test: float) -> None:
    loose = [photo for photo in photos if photo.split is None]
    needs_test = test and len(loose) > 2 and not any(photo.split == "test" for photo in photos)
    first_test = len(loose) - max(round(len(loose) * test), 1 if needs_test else 0)
    first_val = max(1, first_test - round(len(loose) * val))
    for index, photo in enumerate(loose):
        photo.split = "train" if index < first_val else "val" if index < first_test else "test"
    train = sorted((photo for photo in photos if photo.split == "train"), key=_natural)
    if val and len(train) > 1 and not any(photo.split == "val" for photo in photos):
        for photo in train[-max(1, round(len(train) * val)) :]:
            photo.split = "val"


def _by_hash(photo: Photo) -> str:
    return hashlib.sha256(photo.name.encode()).hexdigest()


def _natural(photo: Photo) -> list:
    """Sort key under which cat.9 comes before cat.10."""
    parts = re.split(r"(\d+)", photo.source)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _without_copies(photos: list[Photo]) -> tuple[list[Photo], list[Photo], list[dict]]:
    """One photo of each file; photos whose copies are of several classes; and the copies that were dropped.

    A copy in test is kept before one in val, and that before one in train.
    """
    same = defaultdict(list)
    for photo in sorted(photos, key=lambda photo: -SPLITS.index(photo.split)):
        same[photo.digest].append(photo)
    labels = {digest: {photo.label for photo in group} for digest, group in same.items()}
    disputed = [photo for photo in photos if len(labels[photo.digest]) > 1]
    agreed = [photo for photo in photos if len(labels[photo.digest]) == 1]
    kept = [photo for photo in agreed if photo is same[photo.digest][0]]
    copies = [photo for photo in agreed if photo is not same[photo.digest][0]]
    return kept, disputed, [{"dropped": p.source, "copy_of": same[p.digest][0].source} for p in copies]


def _near_copies(photos: list[Photo]) -> list[tuple[Photo, Photo, float]]:
    """Training photos whose thumbnail, or its mirror image, correlates above NEAR with a held-out one."""
    train = [photo for photo in photos if photo.split == "train"]
    held_out = [photo for photo in photos if photo.split != "train"]
    if not train or not held_out:
        return []
    seen = np.stack([photo.thumbnail for photo in held_out])
    both = np.concatenate([seen, seen[:, :, ::-1]]).reshape(2 * len(seen), -1)
    with config_context(working_memory=64):  # MiB
        nearest, distances = pairwise_distances_argmin_min(
            np.stack([photo.thumbnail.ravel() for photo in train]), both, metric="cosine"
        )
    found = zip(train, nearest % len(seen), 1 - distances, strict=True)
    return [(photo, held_out[other], float(likeness)) for photo, other, likeness in found if likeness > NEAR]


def _count(photos: list[Photo]) -> dict[str, dict[str, int]]:
    return {
        split: dict(Counter(p.label for p in photos if p.split == split))
        for split in SPLITS
        if any(p.split == split for p in photos)
    }


def _write(photos: list[Photo], out: Path, report: dict) -> None:
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for photo in tqdm(sorted(photos, key=lambda p: (p.split, p.label, p.name)), desc="write", unit="photo"):
            folder = partial / photo.split / photo.label
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / photo.name
            if path.exists():
                path = folder / f"{photo.digest[:8]}-{photo.name}"
            path.write_bytes(photo.read())
        (partial / "prepare.json").write_text(json.dumps(report, indent=1) + "\n")
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise

"""Zips or folders of labelled photos -> one clean data folder, `{train,val,test}/{class}/`."""

import contextlib
import hashlib
import itertools
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
from catdog.terminal import tell
from train.data.dataset import NEITHER, SPLITS, UNLABELLED, DatasetError
from train.data.sources import UNREADABLE, Photo, find_photos
from train.folders import require_writable

THUMBNAIL = 16
# Correlation of two thumbnails above which photos count as copies. In Dogs vs. Cats, all pairs above it are re-encoded,
# resized or slightly recoloured copies.
NEAR = 0.98
# Why photos that have a class are left out.
UNDECODABLE = "not decodable"
DISPUTED = "in folders of several classes"
COPY = "exact copies of others"
NEAR_COPY = "training photos that are near copies of val or test photos"
EXAMPLES = 3  # photos that a line about left-out ones names
BEGINNING = re.compile(r"[^\W\d_]+(?=[\W_]*\d)")  # horse of horse_12.jpg
# Bytes. A zip can hold gigabytes of zeros in kilobytes.
LARGEST = 100 * 2**20


def prepare(sources: list[Path], out: Path, *, val: float = 0.1, test: float = 0.1, by_kind: bool = False) -> dict:
    """Write a clean data folder to `out`; return, and write as prepare.json, what was done.

    1. Find photos, with the class and the split of each, as `layout.plan` reads them; say on stderr at once what may
       not be as meant. Leave out those without a class, and undecodable ones.
    2. Divide the photos without a split, class by class: in natural order of their names, the first go to train, then
       the share `val`, then the share `test`. One of three and more goes to test if the class has no test photo. If a
       class has no photo of test or val then, that share of its train photos goes there, the last ones: at least one
       if some are left. With `by_kind`, each kind of a class (the name up to the first underscore) is divided by
       itself, in the order of a hash of the names. All photos of the folder `unlabelled` go to train.
    3. Drop files that lie in folders of several classes. Of exact copies keep one, in test before val before train.
       Drop train photos that are near copies of a val or test photo: no model may be measured on what it learned from.

    `out` appears whole or not at all. Raises InvalidSettings if it exists or the shares are wrong, and DatasetError for
    unusable sources.
    """
    if out.exists():
        raise InvalidSettings(f"{out} exists already. Remove it or choose another --out.")
    if not 0 <= val < 1 or not 0 <= test < 1 or val + test >= 1:
        raise InvalidSettings(f"--val and --test are shares that add up to less than 1. Received: {val} and {test}.")
    require_writable(out.parent)
    with contextlib.ExitStack() as archives:
        found, notes = find_photos(sources, archives)
        if not found:
            raise DatasetError(
                f"No photo found in {', '.join(map(str, sources))}; accepted are {', '.join(EXTENSIONS)}."
            )
        photos = [photo for photo in found if photo.label]
        unlabelled = [_left_out(photo, photo.problem) for photo in found if not photo.label]
        _require_classes(photos, found, unlabelled)
        notes += _without_test(photos, test)
        tell(notes)
        with ThreadPoolExecutor() as pool:
            list(tqdm(pool.map(_look, photos), total=len(photos), desc="decode", unit="photo"))
        unusable = [photo for photo in photos if photo.problem]
        photos = [photo for photo in photos if not photo.problem]
        _divide(photos, val, test, by_kind)
        photos, disputed, copies = _without_copies(photos)
        leaks = _near_copies(photos)
        leaked = {id(train) for train, _, _ in leaks}
        kept = [photo for photo in photos if id(photo) not in leaked]
        left_out = [
            *unlabelled,
            *(_left_out(photo, UNDECODABLE, photo.problem) for photo in unusable),
            *(_left_out(photo, DISPUTED) for photo in disputed),
            *(_left_out(photo, COPY, f"as {other.source}") for photo, other in copies),
            *(_left_out(photo, NEAR_COPY, f"of {other.source}, correlation {c:.4f}") for photo, other, c in leaks),
        ]
        _require_classes(kept, found, left_out)
        report = {
            "sources": [path.name for path in sources],
            "notes": notes,
            "kept": _count(kept),
            "examples": {photo.label: photo.source for photo in reversed(kept)},
            "left_out": left_out,
        }
        _write(kept, out, report)
    return report


def _left_out(photo: Photo, why: str, detail: str = "") -> dict[str, str]:
    return {"photo": photo.source, "class": photo.label, "why": why, "detail": detail}


def _require_classes(photos: list[Photo], found: list[Photo], left_out: list[dict]) -> None:
    """Raise DatasetError unless these photos are of at least two classes; it says what else was found."""
    labels = sorted({photo.label for photo in photos} - {NEITHER, UNLABELLED})
    if len(labels) > 1:
        return
    unnamed = (BEGINNING.match(photo.name) for photo in found if not photo.label)
    beginnings = Counter(match[0].lower() for match in unnamed if match)
    lines = [
        f"Photos of at least two classes are needed; found {', '.join(labels) or 'none'}. Put the photos of each class "
        "into a folder with its name, such as cats/ and dogs/, side by side.",
    ]
    if len(beginnings) > 1:
        counts = ", ".join(f"{name} ({count})" for name, count in beginnings.most_common(5))
        lines.append(f"Names of photos begin with {counts}: if these are the classes, make a folder for each.")
    raise DatasetError("\n".join([*lines, *_reasons(left_out)]))


def _without_test(photos: list[Photo], share: float) -> list[str]:
    """A sentence on what is done for test if all photos are in splits and none of these is test; else nothing."""
    if not {photo.split for photo in photos if photo.label not in (NEITHER, UNLABELLED)} <= {"train", "val"}:
        return []
    done = "Put some into a folder test/ beside train/, or leave out --test 0."
    if share:
        done = (
            f"The last {share:.0%} of the training photos of each class become test photos (none with --test 0). To "
            "choose others, put them into a folder test/ beside train/, and prepare again."
        )
    return [
        f"No folder has test photos, which `evaluate` and `report` need. {done} "
        "With --split val they measure on val instead, on which the models were calibrated."
    ]


def describe(report: dict) -> str:
    """The report of `prepare` as text for the terminal: a table of the classes, and what was left out and why."""
    kept, examples = report["kept"], report["examples"]
    left_out = Counter(row["class"] for row in report["left_out"])
    labels = sorted({label for counts in kept.values() for label in counts} | left_out.keys() - {""})
    rows = [["class", *SPLITS, "left out", "such as"]]
    for label in labels:
        counts = [str(kept.get(split, {}).get(label, 0)) for split in SPLITS]
        rows.append([label, *counts, str(left_out[label]), examples.get(label, "")])
    if left_out[""]:
        rows.append(["(no class)", *("" for _ in SPLITS), str(left_out[""]), ""])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:-1], widths[1:-1]), row[-1]]).rstrip() for row in rows
    ]
    for split in dict.fromkeys(("train", "val", *kept)):
        missing = [label for label in labels if label not in (NEITHER, UNLABELLED) and label not in kept.get(split, {})]
        lines += [f"{split} has no photo of {label}: add some" for label in missing]
    return "\n".join([*lines, *_reasons(report["left_out"])])


def _reasons(left_out: list[dict]) -> list[str]:
    """One line per reason: how many photos, and up to EXAMPLES of them, from different folders where there are."""
    lines = []
    for why, rows in itertools.groupby(sorted(left_out, key=lambda row: row["why"]), key=lambda row: row["why"]):
        rows = list(rows)
        folders = {row["photo"].rpartition("/")[0]: row for row in reversed(rows)}
        named = [f"{row['photo']} {row['detail']}".strip() for row in list(reversed(folders.values()))[:EXAMPLES]]
        lines.append(f"{len(rows)} left out, {why}: {'; '.join(named)}" + (" ..." if len(named) < len(rows) else ""))
    return lines


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
        _divide_group(sorted(group, key=_by_hash if by_kind else _natural), val, test)


def _divide_group(photos: list[Photo], val: float, test: float) -> None:
    loose = [photo for photo in photos if photo.split is None]
    needs_test = test and len(loose) > 2 and not any(photo.split == "test" for photo in photos)
    first_test = len(loose) - max(round(len(loose) * test), 1 if needs_test else 0)
    first_val = max(1, first_test - round(len(loose) * val))
    for index, photo in enumerate(loose):
        photo.split = "train" if index < first_val else "val" if index < first_test else "test"
    count = sum(photo.split == "train" for photo in photos)
    for split, share, left in (("test", test, 2), ("val", val, 1)):
        train = [photo for photo in photos if photo.split == "train"]
        if share and len(train) > left and not any(photo.split == split for photo in photos):
            for photo in train[-min(max(1, round(count * share)), len(train) - left) :]:
                photo.split = split


def _by_hash(photo: Photo) -> str:
    return hashlib.sha256(photo.name.encode()).hexdigest()


def _natural(photo: Photo) -> list:
    """Sort key under which cat.9 comes before cat.10."""
    parts = re.split(r"(\d+)", photo.source)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _without_copies(photos: list[Photo]) -> tuple[list[Photo], list[Photo], list[tuple[Photo, Photo]]]:
    """One photo of each file; photos whose copies are of several classes; and (dropped copy, kept one).

    A copy in test is kept before one in val, that before one in train, and there one with a label before one without.
    """
    same = defaultdict(list)
    for photo in sorted(photos, key=lambda photo: (-SPLITS.index(photo.split), photo.label == UNLABELLED)):
        same[photo.digest].append(photo)
    # Without a label, a copy contradicts none.
    labels = {digest: {photo.label for photo in group} - {UNLABELLED} for digest, group in same.items()}
    disputed = [photo for photo in photos if len(labels[photo.digest]) > 1]
    agreed = [photo for photo in photos if len(labels[photo.digest]) <= 1]
    kept = [photo for photo in agreed if photo is same[photo.digest][0]]
    copies = [photo for photo in agreed if photo is not same[photo.digest][0]]
    return kept, disputed, [(photo, same[photo.digest][0]) for photo in copies]


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
    # A name that nobody gives to a folder of their own: what a killed run left in it is removed.
    partial = out.with_name(f".{out.name}.prepare-partial")
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

"""Zips or folders of labelled photos -> one clean data folder, `{train,val,test}/{class}/`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from catdog.errors import CatDogError, InvalidSettings
from catdog.photo.decode import decode
from train.data.dataset import CLASS_OF_FOLDER, EXTENSIONS, NEITHER, SPLITS, UNLABELLED, DatasetError, is_visible

THUMBNAIL = 16
# Correlation of two thumbnails above which the photos count as the same picture. On Dogs vs. Cats
# the pairs above it are re-encoded, resized or slightly recoloured copies.
NEAR = 0.98
# No photo is larger; a zip can pack gigabytes of zeros into kilobytes.
LARGEST = 100 * 2**20
SPLIT_OF_FOLDER = {
    **{split: split for split in SPLITS}, "training": "train", "valid": "val", "validation": "val", "testing": "test",
}  # fmt: skip
FOLDER_OF_CLASS = {name: folder for folder, name in CLASS_OF_FOLDER.items()}
# A file of a folder or member of a zip that cannot be read: no right to, damaged, or encrypted, which
# zipfile reports as RuntimeError, or packed in a way that it does not know.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


@dataclass
class Photo:
    """One input file: where it came from, where it goes, and what it looks like.

    size       bytes
    read       reads the file anew each time, so that sources need not fit in memory
    thumbnail  THUMBNAIL x THUMBNAIL pixels in RGB, each colour of zero mean, all of unit norm, as float32 (768,)
    problem    why it cannot be used; empty where it can
    """

    source: str
    split: str | None
    label: str
    name: str
    size: int
    read: Callable[[], bytes] = field(repr=False)
    digest: str = ""
    thumbnail: np.ndarray | None = field(default=None, repr=False)
    problem: str = ""


def prepare(sources: list[Path], out: Path, *, val: float = 0.1, test: float = 0.1, by_kind: bool = False) -> dict:
    """Write a clean data folder to `out` and return (and write, as prepare.json) what was done.

    1. Read every photo; the class is its folder's name, and the split the folder above, if that
       is train, val (or validation) or test. Kaggle's flat `cat.0.jpg` is read too.
    2. Drop what cannot be read or decoded.
    3. Photos without a split are divided per class, in natural order of their names: first train,
       then the share `val`, then the share `test`, at least one of three and more where the class has
       no test photo. A class that has no val photo then, as where photos come divided into train and
       test, gets the share `val` of its training photos, at least one. With `by_kind`, each kind of photo of a
       class, told by what its name has before the first underscore, is divided by itself, in an order that
       a hash of the names makes. Photos of the folder `unlabelled` are all for training.
    4. Drop files that lie in folders of several classes. Keep one of other exact copies, of test before
       val before train, and drop training photos that are near copies of a val or test photo, so that no
       model is measured on what it has seen.
    5. Write to a temporary folder and rename it: `out` appears whole or not at all.
    """
    if out.exists():
        raise InvalidSettings(f"{out} exists already. Remove it or choose another --out.")
    if not 0 <= val < 1 or not 0 <= test < 1 or val + test >= 1:
        raise InvalidSettings(f"--val and --test are shares that add up to less than 1. Received: {val} and {test}.")
    with contextlib.ExitStack() as archives:
        found = list(_find_all(sources, archives))
        if not found:
            raise DatasetError(
                f"No photo found in {', '.join(map(str, sources))}; accepted are {', '.join(EXTENSIONS)}."
            )
        _require_classes(found)
        photos, unusable = _readable(found)
        _divide(photos, val, test, by_kind)
        photos, disputed = _drop_disputed(photos)
        photos, copies = _drop_exact_copies(photos)
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
            reasons = "; ".join([describe(report).replace("\n", "; "), *report["reasons"][:1]])
            raise DatasetError(f"Photos of at least two classes are needed, and too few are left: {reasons}")
        _write(kept, out, report)
    return report


def describe(report: dict) -> str:
    """What `prepare` did, for the terminal."""
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


def _find_all(sources: list[Path], archives: contextlib.ExitStack) -> Iterator[Photo]:
    """List the photos of all sources; zips stay open in `archives`, so that they can be read from."""
    for source in (path.resolve() for path in sources):  # so that `.` and `..` have a name
        if source.is_dir():
            files = _files(source)
            yield from _labelled(
                source,
                source.name,
                ((path.relative_to(source).as_posix(), path.stat().st_size, path.read_bytes) for path in files),
            )
        elif zipfile.is_zipfile(source):
            archive = archives.enter_context(_opened(source))
            members = sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda m: m.filename)
            yield from _labelled(
                source, source.stem, ((m.filename, m.file_size, lambda z=archive, m=m: z.read(m)) for m in members)
            )
        else:
            raise DatasetError(f"{source} is neither a folder nor a zip file.")


def _files(folder: Path, around: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The visible files of a folder and of those in it, sorted.

    Links are followed, but to nothing inside the folders `around`, whose photos come anyway.
    """
    around = (*around, folder.resolve())
    try:
        entries = sorted(filter(is_visible, folder.iterdir()))
    except PermissionError as error:
        print(f"{folder} is left out: {error.strerror}.", file=sys.stderr)
        return
    for path in entries:
        if path.is_symlink() and any(map(path.resolve().is_relative_to, around)):
            continue
        if path.is_dir():
            yield from _files(path, around)
        elif path.is_file():
            yield path


def _opened(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except UNREADABLE as error:
        raise DatasetError(f"{source} is damaged: {error}.") from error


def _labelled(source: Path, folder: str, files) -> Iterator[Photo]:
    """Photos of (name, size, read); `folder` stands for the source itself as a class or a split."""
    for name, size, read in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DatasetError(f"{source} is not safe to unpack: it holds a path that leads out of it, {name!r}.")
        hidden = any(part.startswith(".") for part in path.parts) or "__MACOSX" in path.parts
        if path.suffix.lower() not in EXTENSIONS or hidden:
            continue
        split, label = _split_and_label(PurePosixPath(folder) / path)
        if label is None:
            raise DatasetError(f"{source}: {name} lies in no class folder such as cats/ or dogs/.")
        yield Photo(f"{source.name}/{name}", split, label, path.name, size, read)


def _split_and_label(path: PurePosixPath) -> tuple[str | None, str | None]:
    """("train", "cats") of .../train/cats/a.jpg; (None, "cats") of .../cats/a.jpg and of cat.0.jpg."""
    folders = [part.lower() for part in path.parts[:-1] if part != path.anchor]
    parent = folders[-1] if folders else None
    split = SPLIT_OF_FOLDER.get(folders[-2]) if len(folders) > 1 else None
    flat = re.fullmatch(rf"({'|'.join(FOLDER_OF_CLASS)})\.\d+\.\w+", path.name.lower())
    if flat and not split and parent not in {*FOLDER_OF_CLASS, *CLASS_OF_FOLDER}:
        return None, FOLDER_OF_CLASS[flat[1]]
    if parent is None or parent in SPLIT_OF_FOLDER:
        return None, None
    return split, FOLDER_OF_CLASS.get(parent, parent)


def _require_classes(photos: list[Photo]) -> None:
    labels = sorted({photo.label for photo in photos})
    if len(labels) < 2:
        raise DatasetError(
            f"Photos of at least two classes are needed; found {labels}. "
            "The class of a photo is the name of the innermost folder that it lies in."
        )


def _readable(photos: list[Photo]) -> tuple[list[Photo], list[Photo]]:
    """Decode each photo once for its thumbnail; return those that decode, and the others."""
    with ThreadPoolExecutor() as pool:
        list(tqdm(pool.map(_look, photos), total=len(photos), desc="decode", unit="photo"))
    unusable = [photo for photo in photos if photo.problem]
    if len(unusable) == len(photos):
        raise DatasetError(
            f"None of {len(photos)} photos can be used; the first, {photos[0].source}: {photos[0].problem}"
        )
    return [photo for photo in photos if not photo.problem], unusable


def _look(photo: Photo) -> None:
    """Fill in digest and thumbnail, or the problem of a file that is not a readable photo."""
    if photo.size > LARGEST:
        photo.problem = f"The file is larger than {LARGEST / 2**20:.0f} MiB."
        return
    try:
        data = photo.read()
        image = decode(data)
    except (CatDogError, *UNREADABLE) as error:
        photo.problem = str(error) or type(error).__name__
        return
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float32)
    values = (values - values.mean(axis=(0, 1))).ravel()  # per colour: a tint that many photos share says nothing
    photo.thumbnail = values / max(float(np.linalg.norm(values)), 1e-6)
    photo.digest = hashlib.sha256(data).hexdigest()


def _divide(photos: list[Photo], val: float, test: float, by_kind: bool = False) -> None:
    def group(photo: Photo) -> tuple[str, str]:
        return photo.label, photo.name.partition("_")[0] if by_kind and "_" in photo.name else ""

    def place(photo: Photo):
        return hashlib.sha256(photo.name.encode()).hexdigest() if by_kind else _natural(photo.source)

    for photo in photos:
        if photo.label == UNLABELLED:
            photo.split = "train"
    for key in {group(photo) for photo in photos if photo.label != UNLABELLED}:
        of_class = [photo for photo in photos if group(photo) == key]
        loose = sorted((p for p in of_class if p.split is None), key=place)
        needs_test = test and len(loose) > 2 and not any(photo.split == "test" for photo in of_class)
        first_test = len(loose) - max(round(len(loose) * test), 1 if needs_test else 0)
        first_val = max(1, first_test - round(len(loose) * val))
        for index, photo in enumerate(loose):
            photo.split = "train" if index < first_val else "val" if index < first_test else "test"
        if val and not any(photo.split == "val" for photo in of_class):
            _hold_out([photo for photo in of_class if photo.split == "train"], val)


def _hold_out(train: list[Photo], val: float) -> None:
    """Make the share `val` of the training photos of a class, or one, validation photos: training needs some."""
    ordered = sorted(train, key=lambda p: _natural(p.source))
    for photo in ordered[len(ordered) - max(1, round(len(ordered) * val)) :] if len(ordered) > 1 else ():
        photo.split = "val"


def _natural(name: str) -> list:
    """Sort key under which cat.9 comes before cat.10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _drop_disputed(photos: list[Photo]) -> tuple[list[Photo], list[Photo]]:
    """Photos of which all copies are of one class, and the others, of which nobody knows what they show."""
    labels: dict[str, set[str]] = {}
    for photo in photos:
        labels.setdefault(photo.digest, set()).add(photo.label)
    return [p for p in photos if len(labels[p.digest]) == 1], [p for p in photos if len(labels[p.digest]) > 1]


def _drop_exact_copies(photos: list[Photo]) -> tuple[list[Photo], list[dict]]:
    """Keep one of each file; test is kept before val, val before train."""
    first: dict[str, Photo] = {}
    for photo in sorted(photos, key=lambda p: -SPLITS.index(p.split)):
        first.setdefault(photo.digest, photo)
    copies = [{"dropped": p.source, "copy_of": first[p.digest].source} for p in photos if first[p.digest] is not p]
    return [p for p in photos if first[p.digest] is p], copies


def _near_copies(photos: list[Photo]) -> list[tuple[Photo, Photo, float]]:
    """Training photos whose thumbnail, or its mirror image, correlates above NEAR with a held-out one."""
    train = [p for p in photos if p.split == "train"]
    held_out = [p for p in photos if p.split != "train"]
    if not train or not held_out:
        return []
    seen = np.stack([p.thumbnail for p in held_out])
    mirrored = seen.reshape(-1, THUMBNAIL, THUMBNAIL, 3)[:, :, ::-1].reshape(seen.shape)
    found = []
    for start in range(0, len(train), 1024):
        block = np.stack([p.thumbnail for p in train[start : start + 1024]])
        likeness = np.maximum(block @ seen.T, block @ mirrored.T)
        best = likeness.argmax(axis=1)
        for row in np.flatnonzero(likeness.max(axis=1) > NEAR):
            found.append((train[start + row], held_out[best[row]], float(likeness[row, best[row]])))
    return found


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

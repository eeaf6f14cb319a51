"""Paths of photos -> the class and the split of each, or why it is left out. No file is read here.

    pets/train/cats/2019/1.jpg   the folder below the split is the class; so it is in training_set/ and test1/
    pets/cats/train/1.jpg        or the folder above it
    PetImages/Cat/many/000.jpg   without a split, the first folder that has others beside it
    train/cat.0.jpg              without class folders, the name of the photo, if it is that of a cat or a dog, or of
    images/Abyssinian_1.jpg      a breed as the pets of Oxford are named
    train/0a1b.jpg, labels.csv   or a CSV file

Where there are class folders, names of photos say nothing.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from train.data.dataset import FOLDER_OF_CLASS, NEITHER, UNLABELLED
from train.data.name_labels import CONTRADICTED, agreed, key, pet_in
from train.data.split_names import find_splits, mentioned_split

# Why photos are left out.
NO_LABEL = "no folder, file name or CSV file says what they show"
STRAY = "in none of the class folders"
BESIDE_SPLITS = "beside the folders of the splits, in none of them"
BESIDE_PHOTOS = "beside the folder of the photos, as annotations are"
TWO_LABELS = "of several classes by the CSV files"
NOT_IN_TRAIN = "of a class that train has no photo of"

PETS = frozenset(FOLDER_OF_CLASS.values())
_RESERVED = {NEITHER, UNLABELLED}
_OF_PHOTOS = frozenset(("images", "image", "imgs", "img", "photos", "pictures", "pics", "jpegimages", "jpg", "jpeg"))
_OF_ANNOTATIONS = frozenset(
    ("annotations", "annotation", "labels", "masks", "trimaps", "segmentations", "bboxes", "xmls", "metadata")
)


@dataclass(frozen=True)
class Source:
    """What a folder or a zip holds.

    name    its own name, as that of a folder
    paths   its photos, relative to it, with `/`
    tables  its CSV files: path -> name of a photo in lower case, with or without folders and extension -> label
            or CONTRADICTED
    """

    name: str
    paths: Sequence[str]
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(eq=False)
class Place:
    """Where a photo goes.

    path      of its file in its source
    folders   on that path, without those of splits
    split     train, val or test, or None where no folder says one
    label     the folder of its class; empty where it is left out
    why       it is left out; empty where it is not
    beside    names of the folders around it that lie beside splits, or hold splits
    in_table  its class by the CSV files, CONTRADICTED where they name several, or None where they name none
    """

    path: PurePosixPath
    folders: list[str]
    split: str | None = None
    label: str = ""
    why: str = ""
    beside: list[str] = field(default_factory=list)
    in_table: str | None = None


def plan(sources: Sequence[Source]) -> tuple[list[list[Place]], list[str]]:
    """The place of each photo of each source, in their order, and sentences on what a person should know of it.

    1. Find the folders that are splits, by their names. A photo beside them is of no split. Where one of the splits is
       for training, it counts only if the folder beside the splits is named like a class.
    2. In each source, go down from the top to the first folders that lie side by side: these are the classes. If each
       of them holds cats and dogs, those are.
    3. A source without folders side by side is one class, named by a folder or by the source. If the names of its
       photos, or its CSV files, tell at least two classes apart, these count instead.
    4. Classes that differ only in case are one.
    """
    alone = len(sources) == 1
    own = find_splits({(source.name,) for source in sources})
    splits = {name: split for (name,), (split, _) in own.items()}
    places = [_read(source, splits.get(source.name)) for source in sources]
    sources = [replace(source, name=own.get((source.name,), ("", source.name))[1]) for source in sources]
    read = places
    sources, places = _without_annotations(sources, places)
    parted = [_part(source, found, alone) for source, found in zip(sources, places, strict=True)]
    unparted = [(source, found) for source, found, by in zip(sources, places, parted, strict=True) if not by]
    notes = _label_whole(unparted, _labels(places), alone)
    for source, found, by_folder in zip(sources, places, parted, strict=True):
        _complete(source, found, _labels(places), by_folder)
    every = [place for found in places for place in found]
    _require_training(every)
    notes += _doubts(every)
    _spell(sources, every)
    return read, notes


def _without_annotations(
    sources: Sequence[Source], places: Sequence[list[Place]]
) -> tuple[list[Source], list[list[Place]]]:
    """The sources without those that are annotations of another one, and their photos.

    Sets `why` of the photos of annotations.
    """
    names = {key(source.name) for source in sources}
    kept = [source for source in sources if not (names & _OF_PHOTOS and key(source.name) in _OF_ANNOTATIONS)]
    for source, found in zip(sources, places, strict=True):
        for place in found if source not in kept else ():
            place.why = BESIDE_PHOTOS
    return kept, [found for source, found in zip(sources, places, strict=True) if source in kept]


def _labels(places: Iterable[Iterable[Place]]) -> set[str]:
    """The classes found so far."""
    return {place.label for found in places for place in found} - _RESERVED - {""}


def _read(source: Source, own: str | None) -> list[Place]:
    """Photos of a source with their splits and `in_table`. If no folder of the source is a split, theirs is `own`.

    `why` is BESIDE_SPLITS for photos of no split, where splits lie beside them or hold at least half of all photos.
    Where no split is for training, photos beside the splits are.
    """
    paths = [PurePosixPath(path) for path in source.paths]
    splits = find_splits({folder.parts for path in paths for folder in path.parents} - {()})
    holders = {folder[:-1] for folder in splits}
    mostly = 2 * sum(any(folder.parts in splits for folder in path.parents) for path in paths) >= len(paths)
    train = any(split == "train" for split, _ in splits.values())
    places = []
    for path in paths:
        around = path.parent.parts
        found = {i: splits[around[: i + 1]] for i in range(len(around)) if around[: i + 1] in splits}
        folders = [found[i][1] if i in found else name for i, name in enumerate(around)]
        split = found[max(found)][0] if found else None if splits else own
        place = Place(path, [name for name in folders if name], split)
        if train and not found:
            place.beside = [name for i, name in enumerate(around) if {around[:i], around[: i + 1]} & holders]
            place.why = BESIDE_SPLITS if mostly or place.beside or around in holders else ""
        places.append(place)
    for table, labels in source.tables.items():
        _look_up(PurePosixPath(table), labels, places)
    return places


# Classes by folders


def _part(source: Source, places: list[Place], alone: bool) -> bool:
    """Label the photos of a source by folders that lie beside each other; False where there are none."""
    names = {key(name) for place in places for name in place.folders}
    if not alone and key(source.name) in PETS | _RESERVED and not names >= PETS:
        return False
    within = [place for place in places if not place.why]
    _descend(within, 0, alone)
    if not any(place.label for place in places) and len(within) < len(places) and not _said(source, within)[0]:
        for place in places:  # splits without classes are of no use: look beside them
            place.why = ""
        _descend(places, 0, alone)
    return any(place.label for place in places)


def _descend(places: list[Place], depth: int, alone: bool) -> None:
    """Label photos by their folders at `depth`, or deeper where those do not part."""
    folders = defaultdict(list)
    for place in places:
        if len(place.folders) > depth:
            folders[key(place.folders[depth])].append(place)
    of_photos = folders.keys() & _OF_PHOTOS
    classes = folders.keys() - of_photos
    if of_photos and classes <= _OF_ANNOTATIONS:
        for place in (place for name in classes for place in folders[name]):
            place.why = BESIDE_PHOTOS
        _descend([place for name in sorted(of_photos) for place in folders[name]], depth + 1, alone)
        return
    direct = [place for place in places if len(place.folders) == depth]
    if not classes - _RESERVED or (not classes & PETS and 2 * len(direct) > len(places) and _is_flat(direct, alone)):
        return
    if len(classes) == 1:
        (name,) = classes
        if alone or name not in PETS:
            _descend(folders[name], depth + 1, alone)
        return
    _part_by(classes, folders, depth, alone)


def _part_by(classes: set[str], folders: dict[str, list[Place]], depth: int, alone: bool) -> None:
    """Label photos by several folders at `depth`, or by cats and dogs within each of them."""
    deeper = {name: [place for place in folders[name] if len(place.folders) > depth + 1] for name in classes}
    below = {name: {key(place.folders[depth + 1]) for place in deeper[name]} for name in classes}
    if not classes & PETS and all(PETS & some for some in below.values()) and set().union(*below.values()) >= PETS:
        for place in (place for name in classes for place in deeper[name]):
            place.label = key(place.folders[depth + 1])
        return
    for name in classes:
        if len(below[name] & (classes - {name})) > 1:  # pets/ within pets/, which holds all of it once more
            _descend(folders[name], depth + 1, alone)
        else:
            for place in folders[name]:
                place.label = name


def _is_flat(direct: list[Place], alone: bool) -> bool:
    """Whether the photos directly in a folder can be labelled without the folders in it."""
    return not alone or len({pet_in(place.path.stem) or place.in_table for place in direct} - {"", None}) > 1


# Classes by other means


def _label_whole(sources: Sequence[tuple[Source, list[Place]]], known: set[str], alone: bool) -> list[str]:
    """Label the photos of sources whose folders never part; sentences on how."""
    notes, of_one_class = [], []
    for source, places in sources:
        within = [place for place in places if not place.why]
        for place in within:
            names = [key(name) for name in ([] if alone else [source.name]) + place.folders]
            place.label = next((name for name in names if name in known | PETS | _RESERVED), "")
        rest = [place for place in within if not place.label]
        said, by = _said(source, rest)
        for place, label in said.items():
            place.label = label
        if said:
            notes.append(f"{source.name or 'A source'} has no class folders: its classes are from {by}.")
        elif len(rest) == len(within):
            firsts = Counter(next((n for n in map(key, p.folders) if n not in _OF_PHOTOS), "") for p in within)
            own = "" if alone else key(source.name)
            of_one_class.append((within, own, firsts.most_common(1)[0][0] if firsts else ""))
    same = len(of_one_class) > 1 and len({first for *_, first in of_one_class}) == 1
    for within, own, first in of_one_class:
        for place in within:
            place.label = own if same else first or own
    return notes


def _said(source: Source, places: Sequence[Place], least: int = 2) -> tuple[dict[Place, str], str]:
    """Labels of photos, and what says them: their names, or else CSV files. Empty for fewer than `least` classes."""
    by_name = {place: label for place in places if (label := pet_in(place.path.stem))}
    if len(set(by_name.values())) >= least:
        return by_name, "the names of the photos"
    by_table = {place: place.in_table for place in places if place.in_table}
    if len(set(by_table.values())) >= least:
        return by_table, ", ".join(source.tables)
    return {}, ""


def _look_up(table: PurePosixPath, labels: Mapping[str, str], places: Sequence[Place]) -> None:
    """Set `in_table` of the photos in the folder of a CSV file.

    Often train/1.jpg and test/1.jpg are different photos: a name that several splits have is that of a training photo,
    or of the split that the name of the file mentions.
    """
    split = mentioned_split(table.stem)
    below = [place for place in places if place.path.is_relative_to(table.parent) and split in (None, place.split)]
    count = Counter(place.path.name.casefold() for place in below)
    for place in below:
        names = [place.path, place.path.relative_to(table.parent)]
        if count[place.path.name.casefold()] == 1 or place.split == "train":
            names.append(PurePosixPath(place.path.name))
        forms = [{str(name).casefold(), str(name.with_suffix("")).casefold()} for name in names]
        for label in next(filter(None, ([labels[name] for name in form & labels.keys()] for form in forms)), []):
            place.in_table = agreed(place.in_table, key(label))


# All sources together


def _complete(source: Source, places: Sequence[Place], known: set[str], by_folder: bool) -> None:
    """Label photos beside splits by folders of known classes, and photos in splits without class folders by `_said`.

    Sets `why` of all others.
    """
    for place in places:
        named = next((name for name in map(key, place.beside) if name in known | _RESERVED), "")
        if place.why == BESIDE_SPLITS and named:
            place.label, place.why = named, ""
    with_folders = {place.split for place in places if place.label}
    loose = [place for place in places if not place.label and not place.why]
    said, _ = _said(source, [place for place in loose if place.split not in with_folders], least=1)
    for place in loose:
        place.label = said[place] if said.get(place) in known else ""
        if not place.label and place.in_table == CONTRADICTED:
            place.why = TWO_LABELS
        elif not place.label:
            place.why = STRAY if by_folder and place.split in with_folders else NO_LABEL


def _require_training(places: Sequence[Place]) -> None:
    """Leave out photos of val and test whose class training has none of, such as those of test/all/."""
    trained = {place.label for place in places if place.split in ("train", None)}
    if trained - _RESERVED - {""}:
        for place in places:
            if place.split in ("val", "test") and place.label not in trained | _RESERVED | {""}:
                place.label, place.why = "", NOT_IN_TRAIN


def _doubts(places: Sequence[Place]) -> list[str]:
    """Sentences on folders that may not be what a person means by a class."""
    notes = []
    labelled = [place for place in places if place.label and place.label not in _RESERVED]
    classes = sorted({place.label for place in labelled})
    if classes and not PETS & set(classes):
        named = sum(bool(pet_in(place.path.stem)) for place in labelled)
        if 2 * named > len(labelled):
            notes.append(
                "The photos are named after cats and dogs, but the folders around them have other names and are taken "
                "as the classes. To use the names of the photos instead, put all photos into one folder."
            )
    inner = defaultdict(Counter)
    for place in labelled:
        names = list(map(key, place.folders))
        if place.label in names[:-1]:
            inner[place.label][names[names.index(place.label) + 1]] += 1
    shared = Counter(name for names in inner.values() for name in names if not name.isdigit())
    twice = [name for name, count in shared.items() if count > 1 or name in PETS]
    if len(twice) > 1:
        notes.append(
            f"The classes are {', '.join(sorted(inner))}, including the folders in them, such as "
            f"{' and '.join(sorted(twice)[:2])}. If the folders in them are the classes, name each of "
            f"{', '.join(sorted(inner))} as a source of its own."
        )
    return notes


def _spell(sources: Sequence[Source], places: Sequence[Place]) -> None:
    """Name each class as the first folder or row of a CSV file names it."""
    of_tables = (label for source in sources for labels in source.tables.values() for label in labels.values())
    names = itertools.chain((n for p in places for n in p.folders), of_tables, (source.name for source in sources))
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(key(name), name)
    for place in places:
        if place.label and place.label not in PETS | _RESERVED:
            place.label = spelled[place.label]

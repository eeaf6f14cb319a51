"""What names of photos, and CSV files beside them, say about their classes."""

import csv
import re
import unicodedata

from catdog.photo.decode import EXTENSIONS
from train.data.dataset import CLASS_OF_FOLDER, FOLDER_OF_CLASS, NEITHER, UNLABELLED

# Words beside that of the class in names such as `cat.1 - Copy.jpg` and `image_dog_7.png`.
_FILLERS = frozenset(("copy", "img", "image", "photo", "pic", "picture", "jpg", "jpeg", "png"))
# Breeds of the Oxford-IIIT Pet Dataset (Parkhi et al. 2012), whose photos are called `Egyptian_Mau_12.jpg`.
_CATS = """abyssinian bengal birman bombay british_shorthair egyptian_mau maine_coon persian ragdoll russian_blue
siamese sphynx"""
_DOGS = """american_bulldog american_pit_bull_terrier basset_hound beagle boxer chihuahua english_cocker_spaniel
english_setter german_shorthaired great_pyrenees havanese japanese_chin keeshond leonberger miniature_pinscher
newfoundland pomeranian pug saint_bernard samoyed scottish_terrier shiba_inu staffordshire_bull_terrier
wheaten_terrier yorkshire_terrier"""
_OF_BREED = dict.fromkeys(_CATS.split(), "cats") | dict.fromkeys(_DOGS.split(), "dogs")

# Names that always mean one and the same folder in the result.
_SAME = FOLDER_OF_CLASS | {"unlabeled": UNLABELLED} | {k: k for k in (*CLASS_OF_FOLDER, NEITHER, UNLABELLED)}
# How columns of CSV files are called, without what is no letter.
_NAMES = frozenset(("id", "image", "imageid", "imagename", "imagepath", "img", "imgname", "file", "filename",
                    "filepath", "filenames", "images", "name", "path", "photo", "photoid"))  # fmt: skip
_LABELS = frozenset(("label", "labels", "class", "classes", "classname", "category", "breed", "species", "animal",
                     "target"))  # fmt: skip
CONTRADICTED = ""  # instead of a label, where a photo has several
_NO_TRUTH = re.compile(r"submission|sample|predict", re.IGNORECASE)


def key(name: str) -> str:
    """A key that is equal for names of one class, such as Horse and horse, or dog and Dogs (1)."""
    plain = unicodedata.normalize("NFC", name).casefold().strip()
    return _SAME.get(re.sub(r" \(\d+\)$", "", plain), plain)


def pet_in(stem: str) -> str:
    """cats or dogs for the name of a photo like `cat.0`, `dog (3) - Copy` and `Abyssinian_1`, else empty."""
    words = [FOLDER_OF_CLASS.get(word, word) for word in re.findall(r"[^\W\d_]+", stem.casefold())]
    kinds = set(words) & set(FOLDER_OF_CLASS.values())
    if len(kinds) == 1 and not set(words) - kinds - _FILLERS:
        return kinds.pop()
    breed = re.fullmatch(r"(.+?)[\W_]*\d+", stem.casefold())
    return _OF_BREED.get(breed[1], "") if breed else ""


def read_table(name: str, text: str) -> dict[str, str]:
    """The labels in a CSV file: name of a photo in lower case -> label, or CONTRADICTED; empty where it has none.

    It has a column for the photos and one for labels, called as is usual, or columns of 0 and 1 for the classes. Sample
    submissions and predictions are no labels.
    """
    if _NO_TRUTH.search(name):
        return {}
    first = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(text.lstrip("\ufeff").splitlines(), delimiter=delimiter) if len(row) > 1]
    except csv.Error:
        return {}
    if not rows:
        return {}
    header, *rest = rows
    if header[0].strip().lower().endswith(EXTENSIONS):  # without a header
        header, rest = ["file", "label"], rows
    columns = [re.sub(r"[^a-z]", "", title.casefold()) for title in header]
    photo = next((i for i, column in enumerate(columns) if column in _NAMES), None)
    label = next((i for i, column in enumerate(columns) if column in _LABELS), None)
    rest = [[cell.strip() for cell in row] for row in rest if len(row) == len(header)]
    if photo is None:
        return {}
    if label is not None:
        found = [(row[photo], row[label]) for row in rest]
    else:
        others = [i for i in range(len(header)) if i != photo]
        if not all(sorted(row[i] for i in others) == ["0"] * (len(others) - 1) + ["1"] for row in rest):
            return {}
        found = [(row[photo], header[next(i for i in others if row[i] == "1")].strip()) for row in rest]
    labels: dict[str, str] = {}
    for photo, label in found:
        if _can_be_folder(label):
            name = photo.replace("\\", "/").casefold()
            labels[name] = agreed(labels.get(name), label)
    return labels


def agreed(before: str | None, label: str) -> str:
    """The label of a photo that may have had one `before`; CONTRADICTED if the two are of different classes."""
    return label if before is None else before if before and key(before) == key(label) else CONTRADICTED


def _can_be_folder(label: str) -> bool:
    return bool(label) and not re.search(r"[/\\\0]|^\.|^\d*\.\d+$", label) and len(label.encode()) <= 200

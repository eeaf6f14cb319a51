"""Which folders are splits: train/, Training_Set/, test1/, eval (1)/, and seg_train/ beside seg_test/."""

import re
from collections import defaultdict
from collections.abc import Iterable

SPLIT_OF_WORD = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_SPLIT = rf"(?P<split>{'|'.join(SPLIT_OF_WORD)})"
_KIND = r"(set|split|data|dataset|folder|images|imgs|photos|pictures)"
_COPY = r"([\W_]*copy)?[\W_]*\d*\W*"  # test1, test (1), test - Copy (2)
_PLAIN = re.compile(rf"{_SPLIT}[\W_]*{_KIND}?{_COPY}")
_JOINED = [re.compile(rf"(?P<rest>.+?)[\W_]+{_SPLIT}"), re.compile(rf"{_SPLIT}[\W_]+(?P<rest>.+)")]


def split_of(name: str) -> str | None:
    """The split that the name of a folder says by itself, or None."""
    match = _PLAIN.fullmatch(name.casefold())
    return SPLIT_OF_WORD[match["split"]] if match else None


def mentioned_split(name: str) -> str | None:
    """The split that is one of the words of a name such as train_labels, or None."""
    words = re.findall(r"[a-z]+", name.casefold())
    return next((SPLIT_OF_WORD[word] for word in words if word in SPLIT_OF_WORD), None)


def find_splits(folders: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, str]]:
    """Which of the folders of a tree are splits: folder -> split, and the rest of its name.

    The rest is empty for `train`, and cats for `cats_train`. Names like cats_train count where two folders beside each
    other differ only in the split, such as cats_train and cats_test, but not steam_train and beagle. Of splits in
    splits the inner one counts. But test/train/ is a class of vehicles if test/bus/ lies beside it and no folder in it.
    """
    beside = defaultdict(set)
    for folder in folders:
        beside[folder[:-1]].add(folder[-1])
    splits: dict[tuple[str, ...], tuple[str, str]] = {}
    for parent in sorted(beside, key=len):
        names = beside[parent]
        plain = {name: split for name in names if (split := split_of(name))}
        if len(plain) < len(names) and any(parent[:i] in splits for i in range(1, len(parent) + 1)):
            vehicles = {name for name in plain if name.casefold() == "train" and (*parent, name) not in beside}
            plain = {name: split for name, split in plain.items() if name not in vehicles}
        splits |= {(*parent, name): (split, "") for name, split in plain.items()}
        splits |= {(*parent, name): said for name, said in _joined(names - plain.keys()).items()}
        if parent in splits and splits[parent][1] and parent[-1] in names:  # seg_train/seg_train
            splits[*parent, parent[-1]] = splits[parent]
    return splits


def _joined(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Names that join a split and something else, as cats_train does: name -> split and the rest."""
    found = defaultdict(dict)
    for name in names:
        if match := next(filter(None, (form.fullmatch(name.casefold()) for form in _JOINED)), None):
            found[match["rest"]][name] = (SPLIT_OF_WORD[match["split"]], name[slice(*match.span("rest"))])
    alike = [group for group in found.values() if len({split for split, _ in group.values()}) > 1]
    return {name: said for group in alike for name, said in group.items()}

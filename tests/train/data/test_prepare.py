"""Sources of every shape become one clean folder; what leaks or does not decode is dropped and named."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from catdog.errors import InvalidSettings
from tests.catdog.photos import encoded
from train.data import prepare as preparation
from train.data.dataset import DatasetError
from train.data.prepare import describe, prepare
from train.data.sources import split_and_label


def picture(seed: int, size: int = 64) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def seed_of(*what: object) -> int:
    return zlib.crc32(repr(what).encode())


def write(folder, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def photos(label: str, count: int, first: int = 0) -> dict[str, bytes]:
    return {f"{label}/{i}.png": encoded(picture(seed_of(label, i)), "PNG") for i in range(first, first + count)}


def tree(folder) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))


def test_divides_in_natural_order(tmp_path):
    write(tmp_path / "pets", {**photos("cats", 12), **photos("dogs", 12)})
    report = prepare([tmp_path / "pets"], tmp_path / "out", val=0.25, test=0.25)
    assert report["kept"] == {s: {"cats": n, "dogs": n} for s, n in (("train", 6), ("val", 3), ("test", 3))}
    assert [p for p in tree(tmp_path / "out") if "test/cats" in p] == [f"test/cats/{i}.png" for i in (10, 11, 9)]
    assert json.loads((tmp_path / "out" / "prepare.json").read_text())["kept"] == report["kept"]


def test_where_no_photo_is_for_validation_some_of_training_become_so(tmp_path):
    for split, first in (("train", 0), ("test", 100)):
        write(tmp_path / "pets" / split, {**photos("cats", 20, first), **photos("dogs", 3, first)})
    write(tmp_path / "loose", {**photos("cats", 4, 50), **photos("dogs", 1, 50)})
    report = prepare([tmp_path / "pets" / "train", tmp_path / "loose"], tmp_path / "out", test=0)
    assert report["kept"] == {"train": {"cats": 22, "dogs": 3}, "val": {"cats": 2, "dogs": 1}}
    assert "val/cats/19.png" in tree(tmp_path / "out")
    with_test = prepare([tmp_path / "pets"], tmp_path / "again")["kept"]
    assert set(with_test) == {"train", "val", "test"} and with_test["val"]["dogs"] == 1
    assert "val" not in prepare([tmp_path / "pets"], tmp_path / "none", val=0)["kept"]


def test_keeps_a_given_split_and_reads_zips(tmp_path):
    for split in ("train", "val", "test"):
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as archive:
            for label in ("cats", "dogs"):
                archive.writestr(f"{split}/{label}/a.png", encoded(picture(seed_of(split, label)), "PNG"))
            archive.writestr("__MACOSX/x.png", b"junk")
            archive.writestr("readme.txt", b"no photo")
    prepare(sorted(tmp_path.glob("*.zip")), tmp_path / "out")
    assert tree(tmp_path / "out") == [f"{s}/{c}/a.png" for s in ("test", "train", "val") for c in ("cats", "dogs")]


def test_reads_the_flat_layout_of_kaggle(tmp_path):
    names = [(kind, index) for kind in ("cat", "dog") for index in range(4)]
    write(tmp_path / "train", {f"{k}.{i}.png": encoded(picture(seed_of(k, i)), "PNG") for k, i in names})
    report = prepare([tmp_path / "train"], tmp_path / "out", val=0.25, test=0.25)
    assert report["kept"] == {s: {"cats": n, "dogs": n} for s, n in (("train", 2), ("val", 1), ("test", 1))}


def test_drops_what_cannot_be_decoded(tmp_path):
    broken = encoded(picture(1), "JPEG")[:300]
    write(tmp_path / "pets", {**photos("cats", 4), **photos("dogs", 4)})
    write(tmp_path / "pets", {"cats/broken.jpg": broken, "dogs/empty.png": b""})
    report = prepare([tmp_path / "pets"], tmp_path / "out")
    assert report["undecodable"] == ["pets/cats/broken.jpg", "pets/dogs/empty.png"]
    assert ["damaged" in report["reasons"][0], "empty" in report["reasons"][1]] == [True, True]
    assert "2 could not be decoded and were dropped" in describe(report)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: encoded(image, "PNG"),
        lambda image: encoded(image, "JPEG", quality=40),
        lambda image: encoded(image.resize((40, 40)), "PNG"),
        lambda image: encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG"),
        lambda image: encoded(image.point(lambda v: min(255, int(v * 1.1))), "PNG"),
    ],
    ids=["exact", "jpeg", "smaller", "mirrored", "brighter"],
)
def test_training_copies_of_held_out_photos_are_dropped(tmp_path, change):
    image = picture(99)
    write(tmp_path / "pets" / "train", {**photos("cats", 3), **photos("dogs", 3), "cats/copy.png": change(image)})
    write(tmp_path / "pets" / "test", {**photos("cats", 3, 50), **photos("dogs", 3, 50)})
    write(tmp_path / "pets" / "test", {"cats/original.png": encoded(image, "PNG")})
    report = prepare([tmp_path / "pets"], tmp_path / "out", val=0)
    dropped = [row["dropped"] for row in report["exact_copies"] + report["near_copies"]]
    assert dropped == ["pets/train/cats/copy.png"]
    assert "train/cats/copy.png" not in tree(tmp_path / "out")
    assert "test/cats/original.png" in tree(tmp_path / "out")


def test_photos_of_other_colours_are_no_copies(tmp_path):
    pattern, dark = picture(99).convert("L"), Image.new("L", (64, 64))
    red, green = (
        encoded(Image.merge("RGB", channels), "PNG") for channels in ((pattern, dark, dark), (dark, pattern, dark))
    )
    write(tmp_path / "apples", {"train/red/1.png": red, "test/green/1.png": green})
    report = prepare([tmp_path / "apples"], tmp_path / "out", val=0)
    assert report["near_copies"] == []
    assert report["kept"] == {"train": {"red": 1}, "test": {"green": 1}}


def test_a_photo_in_folders_of_several_classes_is_dropped_from_all(tmp_path):
    write(tmp_path / "pets", {**photos("cats", 4), **photos("dogs", 4), "cats/copy.png": encoded(picture(1), "PNG")})
    write(tmp_path / "pets", {"dogs/0.png": encoded(picture(1), "PNG")})
    report = prepare([tmp_path / "pets"], tmp_path / "out")
    assert report["several_classes"] == ["pets/cats/copy.png", "pets/dogs/0.png"]
    assert "2 lay in folders of several classes and were dropped" in describe(report)
    assert len(tree(tmp_path / "out")) == 7 and report["exact_copies"] == []


def test_three_photos_of_a_class_are_enough_for_all_splits(tmp_path):
    write(tmp_path / "pets", {**photos("cats", 20), **photos("dogs", 3), **photos("owls", 2)})
    report = prepare([tmp_path / "pets"], tmp_path / "out")
    assert report["kept"] == {
        "train": {"cats": 16, "dogs": 1, "owls": 1},
        "val": {"cats": 2, "dogs": 1, "owls": 1},
        "test": {"cats": 2, "dogs": 1},
    }
    assert "test has no photo of owls" in describe(report)
    assert "no photo of dogs" not in describe(report)
    most_for_val = prepare([tmp_path / "pets"], tmp_path / "again", val=0.8)["kept"]
    assert most_for_val["train"] == {"cats": 2, "dogs": 1, "owls": 1}


def test_one_class_in_two_sources_becomes_one_folder(tmp_path):
    write(tmp_path / "one", {**photos("cat", 2), **photos("dogs", 2)})
    write(tmp_path / "other", photos("cats", 2))
    report = prepare([tmp_path / "one", tmp_path / "other"], tmp_path / "out", val=0, test=0)
    assert report["kept"] == {"train": {"cats": 4, "dogs": 2}}


def test_folders_that_are_links_are_entered_once(tmp_path):
    write(tmp_path / "elsewhere", {**photos("cats", 2), **photos("dogs", 2)})
    (tmp_path / "pets" / "more").mkdir(parents=True)
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).symlink_to(tmp_path / "elsewhere" / name)
    (tmp_path / "elsewhere" / "cats" / "back").symlink_to(tmp_path / "pets")
    (tmp_path / "elsewhere" / "cats" / "again").symlink_to(tmp_path / "elsewhere" / "cats")
    write(tmp_path / "pets", photos("owls", 2))
    (tmp_path / "pets" / "favourites").symlink_to(tmp_path / "pets" / "owls")
    report = prepare([tmp_path / "pets"], tmp_path / "out", val=0, test=0)
    assert report["kept"] == {"train": {"cats": 2, "dogs": 2, "owls": 2}}


def test_a_tint_that_all_photos_share_makes_no_copies_and_another_tint_hides_none(tmp_path):
    def tinted(tint: tuple[float, float, float], seed: int) -> bytes:
        coarse = np.random.default_rng(seed).normal(0, 6, (8, 8, 1)).repeat(8, axis=0).repeat(8, axis=1)
        return encoded(
            Image.fromarray(np.clip((190, 120, 170) * np.array(tint) + coarse, 0, 255).astype(np.uint8)), "PNG"
        )

    plain = {f"{split}/{kind}/{i}.png": tinted((1, 1, 1), seed) for seed, (split, kind, i) in enumerate(PLACES)}
    write(tmp_path / "pets", plain | {"train/a/copy.png": tinted((1.1, 1, 0.9), 0)})
    report = prepare([tmp_path / "pets"], tmp_path / "out", val=0)
    assert [(leak["dropped"], leak["copy_of"]) for leak in report["near_copies"]] == [
        ("pets/train/a/copy.png", "pets/test/a/0.png")
    ]


PLACES = [(split, kind, i) for split in ("test", "train") for kind in "ab" for i in range(4)]


def test_what_cannot_be_used_at_all_is_told_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "LARGEST", 3 * 2**20)
    write(tmp_path / "pets", {"cats/a.png": bytes(3 * 2**20 + 1), "dogs/b.png": b"no photo"})
    with pytest.raises(DatasetError, match=r"None of 2 photos .* pets/cats/a\.png: The file is larger than 3 MiB\."):
        prepare([tmp_path / "pets"], tmp_path / "out")
    write(tmp_path / "pets", photos("dogs", 2))
    with pytest.raises(DatasetError, match=r"too few are left: .*2 could not be decoded.* larger than 3 MiB\."):
        prepare([tmp_path / "pets"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(tmp_path):
    write(tmp_path / "pets", photos("cats", 2))
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidSettings, match="exists already"):
        prepare([tmp_path / "pets"], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_the_data_folder_appears_whole_or_not_at_all(tmp_path, monkeypatch, error):
    write(tmp_path / "pets", {**photos("cats", 4), **photos("dogs", 1)})
    out = tmp_path / "out"
    write(tmp_path / "out.partial", {"train/cats/of-a-killed-run.png": b"x"})
    read, times, written = Path.read_bytes, Counter(), []

    def read_until_the_third_is_written(path: Path) -> bytes:
        times[path] += 1
        if times[path] == 2:  # each is read once before any is written
            assert not out.exists()
            written.append(tree(tmp_path / "out.partial"))
            if len(written) == 3:
                raise error
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_until_the_third_is_written)
        with pytest.raises(error):
            prepare([tmp_path / "pets"], out, val=0, test=0)
    assert written == [[], ["train/cats/0.png"], ["train/cats/0.png", "train/cats/1.png"]]
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]
    prepare([tmp_path / "pets"], out, val=0, test=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pets"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "No photo found"),
        ({"photo.png": b"x"}, "no class folder"),
        ({"train/photo.png": b"x"}, "no class folder"),
        ({"cats/2019/a.png": b"x", "dogs/2019/a.png": b"x"}, r"found \['2019'\].* innermost folder"),
    ],
)
def test_unusable_sources_are_named(tmp_path, files, message):
    (tmp_path / "train").mkdir()
    write(tmp_path / "train", files)
    with pytest.raises(DatasetError, match=message):
        prepare([tmp_path / "train"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "photos.rar").write_bytes(b"Rar!")
    with pytest.raises(DatasetError, match=r"photos\.rar is neither a folder nor a zip"):
        prepare([tmp_path / "photos.rar"], tmp_path / "out")


@pytest.mark.parametrize(("val", "test"), [(0.6, 0.4), (-0.1, 0.1), (0.1, 1.0)])
def test_shares_must_leave_something_to_train_on(tmp_path, val, test):
    with pytest.raises(InvalidSettings, match="shares"):
        prepare([tmp_path], tmp_path / "out", val=val, test=test)


@pytest.mark.parametrize("name", ["/a.png", "/cats/a.png", "../cats/a.png", "train/../a.png", "cats/../../a.png"])
def test_a_zip_cannot_write_outside_the_data_folder(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        archive.writestr("cats/good.png", encoded(picture(1), "PNG"))
        archive.writestr(name, encoded(picture(2), "PNG"))
    with pytest.raises(DatasetError, match=r"pets\.zip is not safe to unpack"):
        prepare([tmp_path / "pets.zip"], tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["pets.zip"]


def test_members_that_cannot_be_unpacked_are_dropped_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "LARGEST", 100_000)
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**photos("cats", 3), **photos("dogs", 3)}.items():
            archive.writestr(name, data)
        archive.writestr("cats/encrypted.png", encoded(picture(7), "PNG"))
        archive.writestr("cats/huge.png", bytes(100_001))
        archive.writestr("cats/wrong-sum.png", encoded(picture(8), "PNG"))
        archive.writestr("cats/unknown-packing.png", encoded(picture(9), "PNG"))
        offsets = {info.filename: info.header_offset for info in archive.infolist()}
    data = bytearray(path.read_bytes())

    def change(name: str, offset_local: int, offset_central: int, value: int) -> None:
        local = offsets[f"cats/{name}.png"]
        central = data.index(b"PK\1\2", data.rindex(f"cats/{name}.png".encode()) - 46)
        data[local + offset_local], data[central + offset_central] = value, value

    change("encrypted", 6, 8, 1)
    change("unknown-packing", 8, 10, 97)
    change("wrong-sum", 14, 16, 0)
    path.write_bytes(data)
    report = prepare([path], tmp_path / "out")
    names = ("encrypted", "huge", "unknown-packing", "wrong-sum")
    assert report["undecodable"] == [f"pets.zip/cats/{name}.png" for name in names]
    assert len(tree(tmp_path / "out")) == 6


def test_a_damaged_zip_is_named(tmp_path):
    write(tmp_path / "pets", photos("cats", 2))
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cats/a.png", encoded(picture(1), "PNG"))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"PK\1\2", b"PK\1\3"))
    with pytest.raises(DatasetError, match=r"pets\.zip is damaged"):
        prepare([path], tmp_path / "out")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pets/train/cats/a.jpg", ("train", "cats")),
        ("pets/Train/Cats/a.jpg", ("train", "cats")),
        ("pets/validation/dogs/a.jpg", ("val", "dogs")),
        ("pets/Training/dog/a.jpg", ("train", "dogs")),
        ("pets/testing/cat/a.jpg", ("test", "cats")),
        ("pets/cats/a.jpg", (None, "cats")),
        ("pets/cats/img.1.jpg", (None, "cats")),
        ("pets/dogs/cat.1.jpg", (None, "dogs")),
        ("train/felines/cat.1.jpg", ("train", "felines")),
        ("train/cat.1.jpg", (None, "cats")),
        ("pets/dog.1.jpg", (None, "dogs")),
        ("train/a.jpg", (None, None)),
        ("a.jpg", (None, None)),
        ("/a.jpg", (None, None)),
    ],
)
def test_class_and_split_come_from_the_folders(path, expected):
    assert split_and_label(PurePosixPath(path)) == expected


def test_a_zip_named_like_a_split_is_that_split(tmp_path):
    for split in ("train", "test"):
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as archive:
            for label in ("cats", "dogs"):
                archive.writestr(f"{label}/{split}.png", encoded(picture(seed_of(split, label)), "PNG"))
    prepare(sorted(tmp_path.glob("*.zip")), tmp_path / "out")
    assert tree(tmp_path / "out") == [f"{s}/{c}/{s}.png" for s in ("test", "train") for c in ("cats", "dogs")]


def test_hidden_files_and_folders_are_not_read(tmp_path):
    write(tmp_path / "pets", {**photos("cats", 2), **photos("dogs", 2)})
    write(tmp_path / "pets", {".thumbnails/a.png": b"x", "cats/.hidden.png": b"x"})
    report = prepare([tmp_path / "pets"], tmp_path / "out", val=0)
    assert report["kept"] == {"train": {"cats": 2, "dogs": 2}}
    assert report["undecodable"] == []


def test_kinds_are_divided_by_themselves_and_photos_without_a_label_are_for_training(tmp_path):
    kinds = {"cat": {"a": 20, "t": 10}, "neither": {"a": 10, "e": 30}, "dog": {"t": 20}}
    for label, counts in kinds.items():
        for kind, count in counts.items():
            names = (f"{label}/{kind}_{index}.png" for index in range(count))
            write(tmp_path / "varied", {name: encoded(picture(seed_of(name)), "PNG") for name in names})
    write(tmp_path / "loose", photos("unlabelled", 5))
    report = prepare([tmp_path / "varied", tmp_path / "loose"], tmp_path / "out", test=0, by_kind=True)
    assert report["kept"] == {
        "train": {"cats": 27, "dogs": 18, "neither": 36, "unlabelled": 5},
        "val": {"cats": 3, "dogs": 2, "neither": 4},
    }
    held_out = [path for path in tree(tmp_path / "out") if path.startswith("val/")]
    assert Counter(path.rsplit("_")[0] for path in held_out) == {
        "val/cats/a": 2, "val/cats/t": 1, "val/dogs/t": 2, "val/neither/a": 1, "val/neither/e": 3,
    }  # fmt: skip
    assert "add some" not in describe(report)
    (tmp_path / "again").mkdir()
    write(tmp_path / "again" / "loose", photos("unlabelled", 2))
    prepare([tmp_path / "varied", tmp_path / "again" / "loose"], tmp_path / "other", test=0, by_kind=True)
    assert [path for path in tree(tmp_path / "other") if path.startswith("val/")] == held_out


def test_neither_and_photos_without_a_label_are_no_second_class(tmp_path):
    write(tmp_path / "pets", {**photos("cats", 3), **photos("neither", 3), **photos("unlabelled", 3)})
    with pytest.raises(DatasetError, match="at least two classes are needed, and too few are left"):
        prepare([tmp_path / "pets"], tmp_path / "out")

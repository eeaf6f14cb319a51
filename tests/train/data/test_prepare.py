"""Sources of every shape become one clean folder; what leaks or does not decode is dropped and named."""

import functools
import json
import os
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catdog.errors import InvalidSettings
from tests.catdog.photos import encoded
from train.data import prepare as preparation
from train.data.dataset import DatasetError
from train.data.layout import STRAY
from train.data.prepare import describe, prepare


def picture(*seed: object, size: int = 64) -> Image.Image:
    """A picture that no other seed has."""
    coarse = np.random.default_rng(zlib.crc32(repr(seed).encode())).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


@functools.cache
def png(*seed: object) -> bytes:
    return encoded(picture(*seed), "PNG")


def photos(label: str, count: int, first: int = 0) -> dict[str, bytes]:
    return {f"{label}/{i}.png": png(label, i) for i in range(first, first + count)}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def prepared(tmp_path):
    """Prepare these files in a folder `pets`, or other sources, into `out`; returns the report."""

    def run(files: dict[str, bytes], *sources: Path, **options) -> dict:
        if files:
            sources = (write(tmp_path / "pets", files), *sources)
        return prepare(list(sources), tmp_path / "out", **options)

    return run


@pytest.fixture
def tree(tmp_path):
    """The photos in `out`, sorted."""
    out = tmp_path / "out"
    return lambda: sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))


# Which photos are found


def test_zips_are_read_and_splits_that_folders_or_names_of_zips_say_are_kept(prepared, tree, tmp_path):
    for split in ("train", "val", "test"):
        inside = "" if split == "test" else f"{split}/"
        files = {f"{inside}{label}/a.png": png(split, label) for label in ("cats", "dogs")}
        pack(tmp_path / f"{split}.zip", files | {"__MACOSX/x.png": b"junk", "readme.txt": b"no photo"})
    prepared({}, *sorted(tmp_path.glob("*.zip")))
    assert tree() == [f"{s}/{c}/a.png" for s in ("test", "train", "val") for c in ("cats", "dogs")]


def test_hidden_files_are_not_read_and_one_class_in_two_sources_becomes_one_folder(prepared, tmp_path):
    other = write(tmp_path / "other", {**photos("cat", 2, 5), ".thumbnails/a.png": b"x", "cat/.hidden.png": b"x"})
    report = prepared({**photos("cats", 2), **photos("dogs", 1), "dogs/1²2.png": png(9)}, other, val=0, test=0)
    assert report["kept"] == {"train": {"cats": 4, "dogs": 2}}
    assert report["left_out"] == []


def test_folders_that_are_links_are_entered_once(prepared, tmp_path):
    elsewhere = write(tmp_path / "elsewhere", {**photos("cats", 2), **photos("dogs", 2)})
    (tmp_path / "pets").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).symlink_to(elsewhere / name)
    (elsewhere / "cats" / "back").symlink_to(tmp_path / "pets")
    (elsewhere / "cats" / "again").symlink_to(elsewhere / "cats")
    (tmp_path / "pets" / "favourites").symlink_to(tmp_path / "pets" / "owls")
    report = prepared(photos("owls", 2), val=0, test=0)
    assert report["kept"] == {"train": {"cats": 2, "dogs": 2, "owls": 2}}


def test_photos_that_are_links_to_hidden_files_or_files_without_an_extension_are_found(prepared, tmp_path):
    pets = write(tmp_path / "pets", {f".store/{name}": data for name, data in photos("cats", 2).items()})
    write(pets, {f"store/{name.removesuffix('.png')}": data for name, data in photos("dogs", 2).items()})
    for label, target in (("cats", ".store/cats/{}.png"), ("dogs", "store/dogs/{}")):
        (pets / label).mkdir()
        for i in range(2):
            (pets / label / f"{i}.png").symlink_to(pets / target.format(i))
    report = prepared({}, pets, val=0, test=0)
    assert report["kept"] == {"train": {"cats": 2, "dogs": 2}}


# How photos without a split are divided


def test_large_shares_leave_photos_for_training(prepared):
    files = photos("train/cats", 4) | photos("train/dogs", 4)
    report = prepared(files, val=0.5, test=0.4)
    assert report["kept"] == {s: {"cats": n, "dogs": n} for s, n in (("train", 1), ("val", 1), ("test", 2))}


def test_divides_in_natural_order(prepared, tree, tmp_path):
    report = prepared({**photos("cats", 12), **photos("dogs", 12)}, val=0.25, test=0.25)
    assert report["kept"] == {s: {"cats": n, "dogs": n} for s, n in (("train", 6), ("val", 3), ("test", 3))}
    assert [p for p in tree() if "test/cats" in p] == [f"test/cats/{i}.png" for i in (10, 11, 9)]
    assert json.loads((tmp_path / "out" / "prepare.json").read_text()) == report


GIVEN = {f"{split}/{name}": data for split, first in (("train", 0), ("test", 100))
         for name, data in {**photos("cats", 20, first), **photos("dogs", 3, first)}.items()}  # fmt: skip
TRAIN = {name: data for name, data in GIVEN.items() if name.startswith("train")}
LOOSE = {**photos("cats", 20), **photos("dogs", 3), **photos("owls", 2)}


@pytest.mark.parametrize(
    ("files", "shares", "train", "val", "test"),
    [
        # Where no photo is for validation, some of training become so: the last ones.
        (TRAIN | photos("cats", 4, 50), {"test": 0}, {"cats": 22, "dogs": 2}, {"cats": 2, "dogs": 1}, None),
        (GIVEN, {}, {"cats": 18, "dogs": 2}, {"cats": 2, "dogs": 1}, {"cats": 20, "dogs": 3}),
        (GIVEN, {"val": 0}, {"cats": 20, "dogs": 3}, None, {"cats": 20, "dogs": 3}),
        # Three photos of a class are enough for all splits.
        (LOOSE, {}, {"cats": 16, "dogs": 1, "owls": 1}, {"cats": 2, "dogs": 1, "owls": 1}, {"cats": 2, "dogs": 1}),
        (
            LOOSE,
            {"val": 0.8},
            {"cats": 2, "dogs": 1, "owls": 1},
            {"cats": 16, "dogs": 1, "owls": 1},
            {"cats": 2, "dogs": 1},
        ),
    ],
)
def test_each_split_gets_photos_of_each_class_where_there_are_enough(prepared, files, shares, train, val, test):
    report = prepared(files, **shares)
    kept = {"train": train, "val": val} | ({"test": test} if test else {})
    assert report["kept"] == {split: counts for split, counts in kept.items() if counts}
    lacking = [line for line in describe(report).splitlines() if "has no photo" in line]
    assert not any("test" in note for note in report["notes"])
    labels = {label for counts in report["kept"].values() for label in counts}
    assert len(lacking) == sum(len(labels - counts.keys()) for counts in report["kept"].values()) + 2 * (val is None)


def test_kinds_are_divided_by_themselves_and_photos_without_a_label_are_for_training(prepared, tree, tmp_path):
    kinds = {"cat": {"a": 20, "t": 10}, "neither": {"a": 10, "e": 30}, "dog": {"t": 20}}
    for label, counts in kinds.items():
        for kind, count in counts.items():
            names = (f"{label}/{kind}_{index}.png" for index in range(count))
            write(tmp_path / "varied", {name: png(name) for name in names})
    report = prepared(photos("unlabelled", 5), tmp_path / "varied", test=0, by_kind=True)
    assert report["kept"] == {
        "train": {"cats": 27, "dogs": 18, "neither": 36, "unlabelled": 5},
        "val": {"cats": 3, "dogs": 2, "neither": 4},
    }
    held_out = [path for path in tree() if path.startswith("val/")]
    assert Counter(path.rsplit("_")[0] for path in held_out) == {
        "val/cats/a": 2, "val/cats/t": 1, "val/dogs/t": 2, "val/neither/a": 1, "val/neither/e": 3,
    }  # fmt: skip
    prepare([tmp_path / "varied"], tmp_path / "again", test=0, by_kind=True)
    assert (
        sorted(p.relative_to(tmp_path / "again").as_posix() for p in (tmp_path / "again").glob("val/*/*")) == held_out
    )


@pytest.mark.parametrize(("test", "kept"), [(0.2, {"train": 6, "val": 2, "test": 2}), (0, {"train": 8, "val": 2})])
def test_where_no_folder_is_for_test_some_of_training_go_there_and_that_is_said_at_once(prepared, capsys, test, kept):
    files = {f"{split}/{kind}/{i}.png": png(split, kind, i) for split, count in (("train", 8), ("valid", 2))
             for kind in ("Cats", "dogs") for i in range(count)}  # fmt: skip
    report = prepared(files, test=test)
    assert report["kept"] == {split: {"cats": count, "dogs": count} for split, count in kept.items()}
    assert "test/" in report["notes"][0] and "--split val" in report["notes"][0]
    said = capsys.readouterr().err
    assert said.index(report["notes"][0]) < said.index("decode")


def test_the_table_says_what_went_where_and_why_the_rest_is_left_out(prepared):
    files = {**photos("Big Cats", 4), **photos("hot dogs", 4), "photo.png": png(1), "hot dogs/x.png": b"x"}
    lines = describe(prepared(files | {"hot dogs/0b.png": png("hot dogs", 0)})).splitlines()
    assert [line.split()[:7] for line in lines[:4]] == [
        ["class", "train", "val", "test", "left", "out", "such"],
        ["Big", "Cats", "2", "1", "1", "0", "pets/Big"],
        ["hot", "dogs", "2", "1", "1", "2", "pets/hot"],
        ["(no", "class)", "1"],
    ]
    assert len(lines) == 7
    assert any(STRAY in line and "pets/photo.png" in line for line in lines[4:])


@pytest.mark.parametrize(("val", "test"), [(0.6, 0.4), (-0.1, 0.1), (0.1, 1.0)])
def test_shares_must_leave_something_to_train_on(tmp_path, val, test):
    with pytest.raises(InvalidSettings, match=f"{val} and {test}"):
        prepare([tmp_path], tmp_path / "out", val=val, test=test)


# Copies


def test_a_copy_without_a_label_contradicts_no_label(prepared, tree):
    files = photos("test/cats", 2) | photos("train/cats", 2) | photos("train/dogs", 2)
    copies = {"train/unlabelled/a.png": png("test/cats", 1), "train/unlabelled/b.png": png("train/dogs", 0)}
    report = prepared(files | copies | {"train/unlabelled/c.png": png("c")}, val=0)
    assert {(row["photo"], row["why"]) for row in report["left_out"]} == {
        (f"pets/train/unlabelled/{name}.png", preparation.COPY) for name in "ab"
    }
    assert tree() == sorted([*files, "train/unlabelled/c.png"])


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
def test_training_copies_of_held_out_photos_are_dropped(prepared, tree, change):
    image = picture(99)
    files = {f"{split}/{label}": data for split, first in (("train", 0), ("test", 50))
             for kind in ("cats", "dogs") for label, data in photos(kind, 3, first).items()}  # fmt: skip
    copies = {"train/cats/copy.png": change(image), "test/cats/original.png": encoded(image, "PNG")}
    report = prepared(files | copies, val=0)
    assert [row["photo"] for row in report["left_out"]] == ["pets/train/cats/copy.png"]
    assert "train/cats/copy.png" not in tree()
    assert "test/cats/original.png" in tree()


def test_photos_of_other_colours_or_of_one_colour_are_no_copies(prepared):
    pattern, dark = picture(99).convert("L"), Image.new("L", (64, 64))
    red, green = (
        encoded(Image.merge("RGB", channels), "PNG") for channels in ((pattern, dark, dark), (dark, pattern, dark))
    )
    plain = {f"{split}/blue/{n}.png": encoded(Image.new("RGB", (64, 64), (0, 0, n)), "PNG")
             for split, n in (("train", 9), ("test", 99))}  # fmt: skip
    others = {"train/green/2.png": png(2)}
    report = prepared({"train/red/1.png": red, "test/green/1.png": green} | others | plain, val=0)
    assert report["left_out"] == []
    assert report["kept"] == {"train": {"red": 1, "blue": 1, "green": 1}, "test": {"green": 1, "blue": 1}}


def test_a_tint_that_all_photos_share_makes_no_copies_and_another_tint_hides_none(prepared):
    def tinted(tint: tuple[float, float, float], seed: int) -> bytes:
        coarse = np.random.default_rng(seed).normal(0, 6, (8, 8, 1)).repeat(8, axis=0).repeat(8, axis=1)
        return encoded(
            Image.fromarray(np.clip((190, 120, 170) * np.array(tint) + coarse, 0, 255).astype(np.uint8)), "PNG"
        )

    places = [(split, kind, i) for split in ("test", "train") for kind in "ab" for i in range(4)]
    plain = {f"{split}/{kind}/{i}.png": tinted((1, 1, 1), seed) for seed, (split, kind, i) in enumerate(places)}
    report = prepared(plain | {"train/a/copy.png": tinted((1.1, 1, 0.9), 0)}, val=0)
    (leak,) = report["left_out"]
    assert (leak["photo"], leak["why"]) == ("pets/train/a/copy.png", preparation.NEAR_COPY)
    other, correlation = re.fullmatch(r"of (\S+), correlation (\S+)", leak["detail"]).groups()
    assert other == "pets/test/a/0.png" and float(correlation) > preparation.NEAR


def test_a_photo_in_folders_of_several_classes_is_dropped_from_all(prepared, tree):
    report = prepared({**photos("cats", 4), **photos("dogs", 4), "cats/copy.png": png(1), "dogs/0.png": png(1)})
    assert [(row["photo"], row["why"]) for row in report["left_out"]] == [
        (f"pets/{name}.png", preparation.DISPUTED) for name in ("cats/copy", "dogs/0")
    ]
    assert len(tree()) == 7


# What cannot be used


def test_drops_what_cannot_be_decoded(prepared):
    broken = {"cats/broken.jpg": encoded(picture(1), "JPEG")[:300], "dogs/empty.png": b""}
    report = prepared({**photos("cats", 4), **photos("dogs", 4), **broken})
    rows = report["left_out"]
    assert [row["photo"] for row in rows] == ["pets/cats/broken.jpg", "pets/dogs/empty.png"]
    assert "damaged" in rows[0]["detail"] and "empty" in rows[1]["detail"]


def test_members_that_cannot_be_unpacked_are_dropped_and_named(prepared, tree, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "LARGEST", 100_000)
    odd = {f"cats/{name}.png": png(name) for name in ("encrypted", "unknown-packing", "wrong-sum")}
    files = {**photos("cats", 3), **photos("dogs", 3), **odd, "cats/huge.png": bytes(100_001)}
    path = pack(tmp_path / "pets.zip", files)
    with zipfile.ZipFile(path) as archive:
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
    report = prepared({}, path)
    names = ("encrypted", "huge", "unknown-packing", "wrong-sum")
    assert [row["photo"] for row in report["left_out"]] == [f"pets.zip/cats/{name}.png" for name in names]
    assert len(tree()) == 6


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({}, r"train.*\.jpg"),
        ({"photo.png": b"x"}, r"cats/(.|\n)*photo\.png"),
        ({"train/photo.png": b"x"}, r"cats/(.|\n)*photo\.png"),
        (photos("cats", 3) | photos("neither", 3) | photos("unlabelled", 3), r"two classes.*found cats\."),
        ({"horse_1.png": b"x", "cow_1.png": b"x", "cow_2.png": b"x"}, r"cow \(2\), horse \(1\)"),
        (photos("cats", 3) | {"dogs/large.png": bytes(3 * 2**20 + 1)}, r"two classes(.|\n)*dogs/large\.png .* 3 MiB"),
        ({"cats/a.png": b"no photo", "dogs/b.png": b"no photo"}, r"2 left out.*cats/a\.png "),
    ],
)
def test_unusable_sources_are_named(tmp_path, monkeypatch, files, named):
    monkeypatch.setattr(preparation, "LARGEST", 3 * 2**20)
    (tmp_path / "train").mkdir()
    write(tmp_path / "train", files)
    with pytest.raises(DatasetError, match=named):
        prepare([tmp_path / "train"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["/a.png", "/cats/a.png", "../cats/a.png", "train/../a.png", "cats/../../a.png"])
def test_a_zip_cannot_write_outside_the_data_folder(tmp_path, name):
    path = pack(tmp_path / "pets.zip", {"cats/good.png": png(1), name: png(2)})
    with pytest.raises(DatasetError, match=r"pets\.zip .*" + name.replace(".", r"\.")):
        prepare([path], tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_refused_before_photos_are_decoded(tmp_path, monkeypatch):
    pets = write(tmp_path / "pets", {**photos("cats", 2), **photos("dogs", 2)})
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(preparation, "_look", lambda photo: pytest.fail("A photo was decoded."))
    with pytest.raises(OSError, match="file"):
        prepare([pets], tmp_path / "file" / "data")


def test_a_zip_of_windows_has_folders_too(prepared, tree, tmp_path):
    files = {f"pets\\{label}s\\{i}.png": png(label, i) for label in ("cat", "dog") for i in range(2)}
    prepared({}, pack(tmp_path / "pets.zip", files), val=0, test=0)
    assert tree() == ["train/cats/0.png", "train/cats/1.png", "train/dogs/0.png", "train/dogs/1.png"]


def test_links_that_lead_nowhere_and_zips_in_sources_are_left_out_and_named(prepared, tmp_path):
    cats = write(tmp_path / "pets", {**photos("cats", 2), **photos("dogs", 2), "more.zip": b"PK"}) / "cats"
    (cats / "self.png").symlink_to(cats / "self.png")
    (cats / "gone.png").symlink_to(cats / "nowhere.png")
    (cats / "self").symlink_to(cats / "self")
    os.mkfifo(cats / "pipe.png")
    report = prepared({"cats/Thumbs.db": b"x"}, tmp_path / "pets", val=0, test=0)
    assert report["kept"] == {"train": {"cats": 2, "dogs": 2}}
    names = {row["photo"].removeprefix("pets/") for row in report["left_out"]}
    assert names >= {"cats/self.png", "cats/gone.png", "cats/pipe.png", "more.zip"}


def test_a_damaged_zip_a_file_that_is_none_and_a_link_to_itself_are_named(tmp_path):
    damaged = pack(tmp_path / "pets.zip", photos("cats", 1))
    damaged.write_bytes(damaged.read_bytes().replace(b"PK\1\2", b"PK\1\3"))
    (tmp_path / "photos.rar").write_bytes(b"Rar!")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    for path in (damaged, tmp_path / "photos.rar", tmp_path / "self"):
        with pytest.raises(DatasetError, match=path.name):
            prepare([path], tmp_path / "out")


# Files are written whole or not at all


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidSettings, match="out"):
        prepare([write(tmp_path / "pets", photos("cats", 2))], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_the_data_folder_appears_whole_or_not_at_all(prepared, tmp_path, monkeypatch, error):
    write(tmp_path / ".out.prepare-partial", {"train/cats/of-a-killed-run.png": b"x"})
    read, times, written = Path.read_bytes, Counter(), []

    def read_until_the_third_is_written(path: Path) -> bytes:
        times[path] += 1
        if times[path] == 2:  # each is read once before any is written
            assert not (tmp_path / "out").exists()
            written.append(sorted(path.name for path in (tmp_path / ".out.prepare-partial").rglob("*.png")))
            if len(written) == 3:
                raise error
        return read(path)

    files = {**photos("cats", 4), **photos("dogs", 1)}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_until_the_third_is_written)
        with pytest.raises(error):
            prepared(files, val=0, test=0)
    assert written == [[], ["0.png"], ["0.png", "1.png"]]
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]
    prepared(files, val=0, test=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pets"]

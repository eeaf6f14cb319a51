"""Which files of a folder are its photos, in which order."""

import os
from pathlib import Path

from catdog.folder.walk import Found, find
from catdog.photo.decode import EXTENSIONS


def paths(folder: Path) -> list[str]:
    return [found.path for found in find(folder)]


def fill(folder: Path, *names: str | bytes) -> Path:
    for name in names:
        path = os.fsencode(folder) + b"/" + os.fsencode(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).touch()
    return folder


def test_photos_come_in_the_order_of_their_paths_whatever_the_folders(tmp_path):
    names = [
        "a.jpg", "a/b.jpg", "a/b/c.jpg", "a-b.jpg", "a b/x.png", "B.JPG", "ab.webp", "z/1.png", "z/10.png", "z/2.png",
        "new\nline.jpg", "a,b.jpg", 'quo"te.jpg', " .jpg", "\\x41.jpg",
    ]  # fmt: skip
    assert paths(fill(tmp_path, *reversed(names))) == sorted(names)
    odd = ["ä.jpg", os.fsdecode(b"\xff/\xfe.jpg")]
    assert {*paths(fill(tmp_path, *odd))} == {*names, *odd}


def test_all_kinds_of_photos_are_found_and_nothing_else(tmp_path):
    names = [f"x{extension}" for extension in [*EXTENSIONS, ".JPG", ".Png"]]
    fill(tmp_path, "x.txt", "jpg", ".x.jpg", ".thumbs/x.jpg", "a/.x.jpg", "results.csv", "x.jpg.part", *names)
    assert paths(tmp_path) == sorted(names)


def test_links_are_followed_but_never_in_circles(tmp_path):
    fill(tmp_path, "a/x.jpg", "b/y.jpg")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "here").symlink_to(".")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "to_b").symlink_to("../b")
    (tmp_path / "b" / "to_a").symlink_to("../a")
    (tmp_path / "photo.jpg").symlink_to("a/x.jpg")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")  # reading it is an error
    (tmp_path / "folder.jpg").mkdir()
    assert paths(tmp_path) == ["a/to_b/y.jpg", "a/x.jpg", "b/to_a/x.jpg", "b/y.jpg", "circle.jpg", "photo.jpg"]


def test_a_folder_that_cannot_be_looked_into_is_found_with_its_problem(tmp_path):
    """As root may look everywhere, one whose path is too long for the system."""
    fill(tmp_path, "a.jpg", "z.jpg")
    name = "d" * 250
    descriptor = os.open(tmp_path, os.O_DIRECTORY)
    for _ in range(20):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    first, deep, last = find(tmp_path)
    assert (first, last) == (Found("a.jpg"), Found("z.jpg"))
    assert deep.path.endswith(f"{name}/")
    assert deep.problem == "The folder cannot be read: File name too long."

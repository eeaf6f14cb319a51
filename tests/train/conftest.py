"""A tiny data folder, where blurred discs on light ground are cats and stripes are dogs; a Hub to publish to."""

import contextlib
import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COUNTS = {"train": 24, "val": 8, "test": 8}


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory) -> Path:
    """{train,val,test}/{cats,dogs} of easily told pictures, 48 x 48 pixels, 24, 8 and 8 per class."""
    folder = tmp_path_factory.mktemp("data")
    write_pictures(folder, {"cats": disc, "dogs": stripes}, COUNTS)
    return folder


@pytest.fixture(scope="session")
def two_folders(tmp_path_factory) -> tuple[Path, Path]:
    """Discs and stripes; and a further folder with more discs, with waves as neither, and some without a label."""
    data, more = (tmp_path_factory.mktemp(name) for name in ("data", "more"))
    counts = {"train": 8, "val": 6}
    write_pictures(data, {"cats": disc, "dogs": stripes}, counts)
    write_pictures(more, {"cat": disc, "neither": waves}, counts)
    write_pictures(more, {"unlabelled": stripes}, {"train": 3})
    return data, more


@contextlib.contextmanager
def small_instead():
    """Inside the block, every architecture has one convolution only: the same code in a hundredth of the time."""
    from keras import layers

    from train.networks import architectures

    def features(pixels, weights, depth):
        x = architectures._conv(16, 3, strides=2)(architectures.symmetric(pixels))
        return layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))

    with pytest.MonkeyPatch.context() as patch:
        for name, architecture in list(architectures.ARCHITECTURES.items()):
            patch.setitem(architectures.ARCHITECTURES, name, dataclasses.replace(architecture, features=features))
        yield


@contextlib.contextmanager
def eagerly():
    """Inside the block, models train without a graph: tracing one takes as long as a dozen steps."""
    import keras

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "compile", functools.partialmethod(keras.Model.compile, run_eagerly=True))
        yield


@pytest.fixture
def small_networks():
    """Networks are small."""
    with small_instead():
        yield


@pytest.fixture
def small_runs(small_networks):
    """Networks are small, and trained for a few steps."""
    with eagerly():
        yield


# What `trained` was trained with.
TRAINED = ["--stages", "32x8", "--learning-rate", "0.01", "--batch-size", "8", "--dataset", "tiny pictures"]


def fit_command(data: Path, folder: Path, *more: str, name: str = "scratch_cnn") -> list[str]:
    """The words of `fit` for 32 pixels, with its run and its weights in `folder`."""
    places = ["--data", data, "--run", folder / "run", "--out", folder / "weights"]
    return ["fit", name, *map(str, places), "--precision", "float32", "--image-size", "32", *more]


def fit(data: Path, folder: Path, *more: str, name: str = "scratch_cnn") -> int:
    """Run that command; its exit code."""
    from train.__main__ import main

    return main(fit_command(data, folder, *more, name=name))


@pytest.fixture(scope="session")
def trained(tiny_data, tmp_path_factory) -> Path:
    """A folder with a finished run of `fit`, and the weights that it wrote. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("trained")
    with small_instead():
        assert fit(tiny_data, folder, *TRAINED) == 0
    return folder


@pytest.fixture
def command(capsys):
    """Run a command of train; its exit code, what it printed, and the JSON of its last line if it ended well."""
    from train.__main__ import main

    def run(*words: str) -> tuple[int, str, dict | None]:
        code = main([*words])
        out, err = capsys.readouterr()
        return code, out + err, json.loads(out.splitlines()[-1]) if code == 0 else None

    return run


@pytest.fixture
def stand_in(hub, monkeypatch):
    """A stand-in Hub whose token is set."""
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return hub


def files_of(hub, name: str) -> dict[str, bytes]:
    """The newest files of a repository, as `user/things` or `spaces/user/things`."""
    repository = hub.repositories[name]
    return dict(repository.commits[repository.refs["main"]])


def write_pictures(folder: Path, classes: dict, counts: dict[str, int]) -> None:
    random = np.random.default_rng(0)
    for split, count in counts.items():
        for label, draw in classes.items():
            target = folder / split / label
            target.mkdir(parents=True)
            for index in range(count):
                pixels = draw(random) + random.normal(0, 8, (48, 48, 3))
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(target / f"{label}.{index}.png")


def disc(random: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:48, :48] - random.uniform(16, 32, (2, 1, 1))
    return np.where((x**2 + y**2 < 100)[..., None], random.uniform(0, 100, 3), random.uniform(170, 255, 3))


def stripes(random: np.random.Generator) -> np.ndarray:
    on = (np.arange(48) + random.integers(8)) // 4 % 2
    return np.broadcast_to((on * random.uniform(120, 255))[:, None, None], (48, 48, 3)) * random.uniform(0.8, 1, 3)


def waves(random: np.random.Generator) -> np.ndarray:
    return stripes(random).transpose(1, 0, 2)


# `python -m train` with small networks, killed when the state of its second epoch is written but not yet in place.
KILLED = """
import os, signal, sys
from train.__main__ import load_keras, main
load_keras()
from tests.train.conftest import eagerly, small_instead

replace = os.replace

def replace_or_die(source, target):
    if os.path.basename(target) == "epoch-0002":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = replace_or_die
with small_instead(), eagerly():
    main(sys.argv[1:])
"""

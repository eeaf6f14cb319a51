"""Which engine runs a model: the cache, what mends it, and what is done where it cannot be used."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from catdog.engine import (
    FAST,
    cache,
    convert,
    describe,
    fast_here,
    keras_engine,
    load_engine,
    load_engines,
    loading,
    precision,
    warm_up,
)
from catdog.errors import DifferentAnswers, ModelMismatch, ModelUnavailable, NotConverted
from catdog.models.spec import ModelSpec
from catdog.settings import Settings
from tests.catdog.fakes import NonsenseInInt8
from tests.conftest import ROOT
from tests.damage import full, truncate
from tests.processes import python
from tests.tiny import write_tiny_model

SIZE = 16


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[Path, ModelSpec]:
    """A `.h5` and its spec."""
    folder = tmp_path_factory.mktemp("weights")
    spec = write_tiny_model(folder, "tiny", image_size=SIZE, convolutions=4)  # of which two are quantized
    return folder / spec.file, spec


@pytest.fixture(scope="module")
def conversion(tiny, tmp_path_factory) -> Path:
    """The conversion of `tiny`, made once."""
    folder = tmp_path_factory.mktemp("conversion")
    assert convert.attempt(convert.Job(*tiny, folder)) is None
    return folder


class Copies:
    """Stands for `convert`: copies the conversion of `tiny`, and counts; fails where the disk is said to be full."""

    def __init__(self, conversion: Path):
        self.conversion, self.full, self.jobs = conversion, None, 0

    def __call__(self, jobs):
        self.jobs += len(jobs)
        return [self.one(job) for job in jobs]

    def one(self, job):
        if self.full and self.full in job.out.parents:
            (job.out / cache.CONVERTED[1]).write_bytes(b"as much as fits")
            return convert.NotStored("OSError: No space left on device.")
        shutil.copytree(self.conversion, job.out, dirs_exist_ok=True)
        return None


@pytest.fixture
def copies(conversion, monkeypatch) -> Copies:
    fake = Copies(conversion)
    monkeypatch.setattr(loading, "convert", fake)
    return fake


def probability(engine) -> float:
    batch = np.linspace(0, 255, SIZE * SIZE * 3, dtype=np.float32).reshape(1, SIZE, SIZE, 3)
    return float(engine(batch).probabilities[0, 1])


@pytest.fixture(scope="module")
def expected(tiny) -> float:
    return probability(load_engine(*tiny, Settings(engine="tensorflow")))


def missing(monkeypatch, *libraries: str) -> None:
    """Let libraries look as if they were not installed."""
    for library in libraries:
        monkeypatch.setitem(sys.modules, library, None)


# --- the cache ----------------------------------------------------------------------------------


def test_a_model_is_converted_once(tiny, copies, expected, tmp_path, caplog):
    settings = Settings(cache=tmp_path)
    for _ in range(2):
        engine = load_engine(*tiny, settings)
        assert probability(engine) == pytest.approx(expected, abs=1e-6)
        assert engine.runtime.startswith("OpenVINO 20") and engine.runtime.endswith(", float32")
        assert engine.problem == ""
    assert copies.jobs == 1
    (message,) = caplog.messages  # at the one conversion
    assert "tiny.h5" in message
    assert list(tmp_path.iterdir()) == [cache.folder_of(tmp_path, tiny[1].sha256)]


def test_a_damaged_cache_is_mended(tiny, copies, expected, tmp_path):
    settings = Settings(cache=tmp_path)
    load_engine(*tiny, settings)
    (entry,) = tmp_path.iterdir()
    truncate(entry / cache.CONVERTED[1])
    engine = load_engine(*tiny, settings)
    assert probability(engine) == pytest.approx(expected, abs=1e-6)
    assert (engine.problem, copies.jobs) == ("", 2)
    assert list(tmp_path.iterdir()) == [entry]
    load_engine(*tiny, settings)
    assert copies.jobs == 2


@pytest.mark.parametrize("place", ["file", "file/cache", "/proc/catdog"])
def test_a_cache_that_cannot_be_written_ends_in_a_working_start(tiny, copies, expected, tmp_path, place):
    (tmp_path / "file").touch()
    settings = Settings(cache=tmp_path / place)
    engine = load_engine(*tiny, settings)
    assert probability(engine) == pytest.approx(expected, abs=1e-6)
    assert "tiny.h5" in engine.problem and "CATDOG_CACHE" in engine.problem
    assert copies.jobs == 1


def test_a_disk_that_stays_full_ends_in_a_working_start(tiny, copies, expected, tmp_path, monkeypatch):
    copies.full = tmp_path / "cache"
    monkeypatch.setattr(cache.os, "rename", full)
    engine = load_engine(*tiny, Settings(cache=tmp_path / "cache"))
    assert probability(engine) == pytest.approx(expected, abs=1e-6)
    assert "CATDOG_CACHE" in engine.problem
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_any_folder_to_write_tensorflow_runs_the_model(tiny, copies, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.tempfile, "TemporaryDirectory", full)
    engine = load_engine(*tiny, Settings(cache=tmp_path))
    assert probability(engine) == pytest.approx(expected, abs=1e-6)
    assert "tiny.h5 runs on TensorFlow" in engine.problem and "No space left on device" in engine.problem
    with pytest.raises(NotConverted, match=r"No space left on device.*CATDOG_ENGINE=auto"):
        load_engine(*tiny, Settings(cache=tmp_path, engine="openvino"))


def test_the_same_file_under_two_specs_is_judged_by_each(tiny, tmp_path):
    path, spec = tiny
    wrong = spec.replace(name="wrong", image_size=24)
    for _ in range(2):  # with an empty and with a filled cache
        good, bad = load_engines([(path, spec), (path, wrong)], Settings(cache=tmp_path))
        assert 0 <= probability(good) <= 1
        assert isinstance(bad, ModelMismatch)


START = """
import sys
sys.path.insert(0, sys.argv[2])
import catdog
comparator = catdog.load()
print(comparator.compare(sys.argv[1]).confidence)
print(sorted({"keras", "tensorflow"} & set(sys.modules)), *comparator.problems, flush=True)
"""
# As gunicorn does with --preload.
FORK = """
import os
for _ in range(2):
    if os.fork() == 0:
        print(comparator.compare(sys.argv[1]).confidence, flush=True)
        comparator.close()
        os._exit(0)
    os.wait()
print(comparator.compare(sys.argv[1]).confidence)
"""


def test_a_process_converts_in_a_child_and_the_next_one_and_its_forks_use_that(tiny, tmp_path, cat):
    """On an odd machine: paths with spaces and umlauts, no home, dead proxies, and a Python that forgives nothing."""
    path, spec = tiny
    place = tmp_path / "Köln am Rhein"
    weights, converted, temporary = (place / name for name in ("Modelle für alle", "Umgewandeltes", "Kurzes"))
    shutil.copytree(path.parent, weights)
    temporary.mkdir()
    photo = shutil.copy(cat, place / "Kätzchen im Körbchen.jpg")
    odd = {
        "PYTHONWARNINGS": "error", "PYTHONSAFEPATH": 1, "PYTHONPATH": f"{place}{os.pathsep}nowhere", "LC_ALL": "C",
        "HOME": "/proc/nowhere", "TMPDIR": temporary, "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks://nowhere:1",
    }  # fmt: skip
    seen = []
    for code in (START, START + FORK * hasattr(os, "fork")):
        answer = python(code, photo, ROOT, CATDOG_WEIGHTS=weights, CATDOG_CACHE=converted, **odd).stdout
        seen.append((cache.folder_of(converted, spec.sha256) / cache.MANIFEST).stat().st_mtime_ns)
        confidence, loaded, *forked = answer.splitlines()
        assert loaded == "[]"  # neither Keras nor TensorFlow, and no problem
        assert all(float(other) == pytest.approx(float(confidence), abs=1e-6) for other in forked)
    assert seen[0] == seen[1] and len(forked) == 3 * hasattr(os, "fork")
    assert list(converted.iterdir()) == [cache.folder_of(converted, spec.sha256)]
    left = [path.name for path in temporary.iterdir()]
    assert left in ([], ["__pycache__"])  # of functions that TensorFlow writes and deletes


# --- what is done where OpenVINO cannot run a model ----------------------------------------------


@pytest.fixture
def different(copies, monkeypatch) -> Copies:
    """Conversions that answer otherwise than Keras."""
    monkeypatch.setattr(copies, "one", lambda job: DifferentAnswers("OpenVINO answers otherwise."))
    return copies


def test_a_conversion_that_answers_otherwise_is_not_used(tiny, different, expected, tmp_path):
    engine = load_engine(*tiny, Settings(cache=tmp_path))
    assert probability(engine) == expected
    assert engine.runtime.startswith("Keras 3.") and "tensorflow" in engine.runtime
    assert "tiny.h5" in engine.problem and "OpenVINO answers otherwise." in engine.problem
    assert different.jobs == 1  # trying again in another folder would help nobody
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotConverted, match=r"tiny\.h5 .* otherwise\. .*CATDOG_ENGINE=auto"):
        load_engine(*tiny, Settings(cache=tmp_path, engine="openvino"))


@pytest.mark.parametrize("engine", ["tensorflow", "auto"])
def test_tensorflow_runs_the_model_where_it_is_asked_for_or_alone(
    tiny, copies, expected, tmp_path, monkeypatch, engine
):
    settings = Settings(cache=tmp_path, engine=engine)
    if engine == "auto":
        missing(monkeypatch, "openvino")
    loaded = load_engine(*tiny, settings)
    assert probability(loaded) == expected
    assert loaded.runtime.startswith("Keras ")
    assert (loaded.problem, copies.jobs) == ("", 0)
    assert describe(tiny[1], settings) == f"TensorFlow {cache.installed('tensorflow')}, float32"


@pytest.mark.parametrize("engine", ["auto", "openvino"])
@pytest.mark.parametrize("library", ["tensorflow", "keras"])
def test_without_tensorflow_what_is_converted_runs_and_the_rest_says_what_to_do(
    tiny, copies, expected, tmp_path, monkeypatch, engine, library
):
    settings = Settings(cache=tmp_path, engine=engine)
    advice = r"tiny\.h5 .* TensorFlow is not installed\. .*catdog convert.*CATDOG_CACHE"
    with monkeypatch.context() as patch, pytest.raises(NotConverted, match=advice):
        missing(patch, library)
        patch.setattr(copies, "one", convert.attempt)
        load_engine(*tiny, settings)
    load_engine(*tiny, settings)
    missing(monkeypatch, library)
    assert probability(load_engine(*tiny, settings)) == pytest.approx(expected, abs=1e-6)


def test_without_both_the_sentence_says_so(tiny, tmp_path, monkeypatch):
    missing(monkeypatch, "openvino", "tensorflow")
    with pytest.raises(NotConverted, match=r"^tiny\.h5 needs TensorFlow, which is not installed\."):
        load_engine(*tiny, Settings(cache=tmp_path))
    assert describe(tiny[1], Settings()) == "nothing, as TensorFlow is not installed"


def test_a_tensorflow_that_does_not_start_is_a_sentence(tiny, different, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "limit_threads", full)
    with pytest.raises(NotConverted, match=r"TensorFlow .*\(OSError\).* tiny\.h5 .* OpenVINO answers otherwise\."):
        load_engine(*tiny, Settings(cache=tmp_path))


def test_a_conversion_that_openvino_cannot_load_falls_back(tiny, copies, expected, tmp_path, conversion):
    copies.conversion = tmp_path / "broken"
    shutil.copytree(conversion, copies.conversion)
    (copies.conversion / cache.CONVERTED[0]).write_text("<net>")
    cache.describe(copies.conversion, tiny[1].sha256, 0.0)  # its digests fit: whoever made it made nonsense
    engine = load_engine(*tiny, Settings(cache=tmp_path / "cache"))
    assert probability(engine) == expected
    assert engine.problem.endswith("could not be converted: OpenVINO fails on this machine (RuntimeError).")


def test_models_that_fail_leave_the_others_alone(tiny, tmp_path, monkeypatch):
    original = loading._with_conversion

    def with_conversion(model, *arguments):
        if model[1].name == "odd":
            raise ZeroDivisionError("as nobody thought")
        return original(model, *arguments)

    monkeypatch.setattr(loading, "_with_conversion", with_conversion)
    path, spec = tiny
    no_model = tmp_path / "broken.h5"
    no_model.write_bytes(b"not a model")
    bad = spec.replace(name="broken", file=no_model.name, sha256="e" * 64)
    models = [(path, spec.replace(name="odd")), (no_model, bad), tiny]
    odd, broken, good = load_engines(models, Settings(cache=tmp_path / "cache"))
    assert isinstance(odd, ModelMismatch) and str(odd) == f"{path.name} cannot be run: as nobody thought"
    assert isinstance(broken, ModelMismatch) and "broken.h5 cannot be loaded" in str(broken)
    assert 0 <= probability(good) <= 1


def test_tensorflow_in_a_forked_process_says_why_it_cannot_answer(tiny, monkeypatch):
    engine = load_engine(*tiny, Settings(engine="tensorflow"))
    monkeypatch.setattr(keras_engine.os, "getpid", lambda: -1)
    with pytest.raises(ModelUnavailable, match=r"forked after the models were loaded: .* without --preload\."):
        probability(engine)


# --- arithmetic ---------------------------------------------------------------------------------


def with_figures(spec: ModelSpec, figures, *precisions: str, clear: float = 0.9) -> ModelSpec:
    """A spec that was measured so in each arithmetic."""
    return spec.replace(metrics={"test": dict.fromkeys(precisions, figures)}, clear=dict.fromkeys(precisions, clear))


GOOD = {"images": 2000, "clear": 0.9, "labels_changed": 0, "largest_change_of_probability": 0.01}


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize(
    ("figures", "harmless"),
    [
        (GOOD, True), (GOOD | {"images": 999}, False), (GOOD | {"labels_changed": 1}, False),
        (GOOD | {"clear": 0.8}, False), (GOOD | {"clear": None}, False),
        (GOOD | {"largest_change_of_probability": 0.011}, False),
        (GOOD | {"largest_change_of_probability": None}, False),
        ({"images": 2000}, False), ({}, False), (None, False), ("yes", False),
    ],
)  # fmt: skip
def test_fast_arithmetic_is_used_only_where_it_was_measured_to_be_harmless(tiny, monkeypatch, fast, figures, harmless):
    monkeypatch.setattr(precision, "fast_here", lambda: FAST)
    spec = with_figures(tiny[1], figures, fast)
    assert precision.precisions_of(spec)[0] == (fast if harmless else "float32")
    assert precision.precisions_of(tiny[1]) == ["float32"]
    assert precision.precisions_of(spec.replace(clear={})) == ["float32"]


@pytest.mark.parametrize(
    ("here", "chosen"),
    [(("int8", "bfloat16"), "int8"), (("bfloat16",), "bfloat16"), (("int8",), "int8"), ((), "float32")],
)
def test_the_fastest_that_the_processor_is_fast_at_is_chosen(tiny, monkeypatch, here, chosen):
    monkeypatch.setattr(precision, "fast_here", lambda: here)
    assert precision.precisions_of(with_figures(tiny[1], GOOD, "bfloat16", "int8"))[0] == chosen


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("avx2 avx512_vnni", ("int8",)),
        ("avx_vnni", ("int8",)),
        ("amx_int8 amx_bf16", ("int8", "bfloat16")),
        ("amx_bf16", ("bfloat16",)),
        ("avx2 avx512f avx512_bf16", ()),
        ("", ()),
    ],
)
def test_fast_arithmetic_needs_instructions_that_are_fast_and_cut_no_sum_off(tmp_path, monkeypatch, flags, fast):
    """As Linux tells of them; a system that does not has none."""
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "CPUINFO", cpuinfo)
    assert fast_here() == ()
    cpuinfo.write_text(f"processor\t: 0\nbugs\t\t: avx_vnni\nflags\t\t: fpu {flags} sse\n\nprocessor\t: 1\n")
    assert fast_here() == fast


def test_the_arithmetic_is_described_as_it_is_loaded(tiny, copies, tmp_path):
    spec = with_figures(tiny[1], GOOD, *FAST)
    settings = Settings(cache=tmp_path)
    words = [f"{name}; float32 when in doubt" for name in fast_here()] or ["float32"]
    assert load_engine(tiny[0], spec, settings).runtime == describe(spec, settings)
    assert describe(spec, settings) == f"OpenVINO {cache.installed('openvino')}, {words[0]}"


@pytest.mark.parametrize("how", ["broken", "missing"])
def test_an_openvino_that_fails_is_described_too(tiny, monkeypatch, how):
    def fail(*_):
        raise ImportError("libopenvino.so")

    if how == "broken":
        monkeypatch.setattr(precision, "fast_here", fail)
    else:
        monkeypatch.setattr(cache, "installed", lambda library: "2.0" if library == "tensorflow" else None)
    spec = with_figures(tiny[1], GOOD, *FAST)
    assert describe(spec, Settings(engine="openvino")) == "nothing, as OpenVINO fails on this machine"
    assert describe(spec, Settings()).startswith("TensorFlow 2.")


@pytest.mark.parametrize("fast", FAST)
def test_two_arithmetics_are_two_engines_on_one_conversion(tiny, copies, tmp_path, monkeypatch, fast):
    """On any processor: OpenVINO takes bfloat16 as a wish, and computes int8 everywhere."""
    monkeypatch.setattr(precision, "fast_here", lambda: FAST)
    settings = Settings(cache=tmp_path)
    spec = with_figures(tiny[1], GOOD, fast)
    cascade, exact = load_engine(tiny[0], spec, settings), load_engine(*tiny, settings)
    assert cascade.fast.runtime.endswith(fast) and cascade.exact.runtime.endswith("float32")
    assert cascade.fast.weights.name == (cache.QUANTIZED if fast == "int8" else cache.CONVERTED)[1]
    assert cascade.exact.weights.name == cache.CONVERTED[1]
    assert probability(cascade) == pytest.approx(probability(exact), abs=0.01)
    assert cascade.threshold == 0.9
    with pytest.raises(ModelMismatch):
        load_engine(tiny[0], spec.replace(image_size=2 * SIZE), settings)


@pytest.mark.parametrize("how", ["missing", "broken", "nonsense"])
def test_fast_arithmetic_that_fails_leaves_the_next_one(tiny, copies, conversion, tmp_path, monkeypatch, caplog, how):
    monkeypatch.setattr(precision, "fast_here", lambda: FAST)
    if how == "nonsense":
        monkeypatch.setattr(loading, "OpenVINOEngine", NonsenseInInt8)
    copies.conversion = tmp_path / "copy"
    shutil.copytree(conversion, copies.conversion)
    if how == "missing":  # such as of a model that cannot be quantized
        for name in cache.QUANTIZED:
            (copies.conversion / name).unlink()
    if how == "broken":
        (copies.conversion / cache.QUANTIZED[0]).write_text("<net>")
    cache.describe(copies.conversion, tiny[1].sha256, 0.0)
    settings = Settings(cache=tmp_path / "cache")
    engine = load_engine(tiny[0], with_figures(tiny[1], GOOD, "int8", "bfloat16"), settings)
    assert engine.runtime.endswith("bfloat16; float32 when in doubt") and not engine.problem
    engine = load_engine(tiny[0], with_figures(tiny[1], GOOD, "int8"), settings)
    assert engine.runtime.endswith("float32") and not engine.problem
    assert caplog.text.count("tiny.h5 does not run in int8") == 2
    reason = {"missing": "could not be quantized", "broken": "fails on this machine", "nonsense": "not probabilities"}
    # Who asks for one to measure it gets no other.
    with pytest.raises(ModelMismatch if how == "nonsense" else NotConverted, match=reason[how]):
        load_engine(*tiny, settings, precision="int8")


def test_exact_arithmetic_waits_for_the_first_doubt_or_for_the_warm_up(tiny, copies, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "fast_here", lambda: FAST)
    spec = with_figures(tiny[1], GOOD | {"clear": 1.0}, "int8", clear=1.0)  # everything is in doubt
    cascade = load_engine(tiny[0], spec, Settings(cache=tmp_path))
    assert cascade.fast.requests and not cascade.exact.requests
    warm_up(cascade, (SIZE, SIZE, 3))
    assert list(cascade.exact.requests) == list(cascade.fast.requests) == [(1, SIZE, SIZE, 3)]


def test_exact_arithmetic_outlives_the_folder_of_its_conversion(tiny, copies, tmp_path, monkeypatch):
    """Where the cache cannot be written, that folder is gone once the models are loaded."""
    monkeypatch.setattr(precision, "fast_here", lambda: FAST)
    (tmp_path / "file").write_text("no folder")
    spec = with_figures(tiny[1], GOOD | {"clear": 1.0}, "int8", clear=1.0)  # everything is in doubt
    cascade = load_engine(tiny[0], spec, Settings(cache=tmp_path / "file" / "cache"))
    assert not cascade.exact.weights.exists()
    exact = load_engine(*tiny, Settings(cache=tmp_path / "cache"))
    assert probability(cascade) == pytest.approx(probability(exact), abs=1e-6)

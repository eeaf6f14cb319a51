"""The command line: in this process through `main`, and as real processes."""

import errno
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

import catdog.__main__
from catdog import plain_text
from catdog.__main__ import CLOSED_PIPE, DONE, FAILED, INTERRUPTED, WRONG_USAGE, main
from catdog.engine import cache
from catdog.folder.run import Summary
from catdog.models.spec import ModelSpec
from catdog.verdict import NEITHER
from tests.catdog import fakes
from tests.conftest import PATIENCE, ROOT
from tests.processes import python
from tests.tiny import write_tiny_model


@pytest.fixture
def weights(tiny_weights, monkeypatch) -> Path:
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tiny_weights))
    return tiny_weights


@pytest.fixture
def one_damaged(tiny_weights, tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "weights"
    shutil.copytree(tiny_weights, folder)
    (folder / "xception.h5").write_bytes(b"damaged")
    monkeypatch.setenv("CATDOG_WEIGHTS", str(folder))
    return folder


WRONG = ["", "bogus", "--bogus", "predict", "predict --json", "predict a.jpg --model", "models extra"]
WRONG += ["classify", "classify .", "classify --out x.csv", "classify . --out", "classify . --out x.csv --workers 0"]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_arguments_end_with_2_and_the_usage(arguments, capsys):
    assert main(arguments.split()) == WRONG_USAGE
    out, err = capsys.readouterr()
    assert ("Error" in err) if arguments else ("Usage: python -m catdog" in out)


@pytest.mark.parametrize(("arguments", "meant"), [("predct a.jpg", "predict"), ("predict --modle x a.jpg", "--model")])
def test_a_misspelt_word_is_told_what_was_meant(arguments, meant, capsys):
    assert main(arguments.split()) == WRONG_USAGE
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--help", ["predict", "classify", "models", "convert", "--version"]),
        ("predict -h", ["IMAGE", "--model", "--weights", "--json", "--explain", "catdog predict cat.jpg dog.jpg"]),
        ("classify --help", ["DIR", "--out", "--weights", "--workers", "--restart"]),
        ("models --help", ["--weights", "--json"]),
    ],
)
def test_help_goes_to_stdout(arguments, words, capsys):
    assert main(arguments.split()) == DONE
    out, err = capsys.readouterr()
    assert err == ""
    assert all(word in out for word in words)


@pytest.mark.parametrize(
    ("argv", "variable", "code"),
    [
        (["models"], "CATDOG_THREADS", WRONG_USAGE),
        (["predict", "x.jpg"], "CATDOG_THREADS", WRONG_USAGE),
        (["models", "--json"], "CATDOG_WEIGHTS", FAILED),
        (["predict", "x.jpg"], "CATDOG_WEIGHTS", FAILED),
    ],
)
def test_bad_settings_and_missing_models_are_a_sentence(argv, variable, code, capsys, monkeypatch):
    monkeypatch.setenv(variable, "/nowhere")
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("catdog: ") and "/nowhere" in err and err.count("\n") == 1


def test_an_unknown_model_is_wrong_usage(weights, cat, capsys):
    assert main(["predict", str(cat), str(cat), "--model", "resnet"]) == WRONG_USAGE
    assert capsys.readouterr() == ("", "catdog: There is no model 'resnet'; choose one of scratch_cnn, xception.\n")


# --- models -------------------------------------------------------------------------------------


def test_models_are_listed_for_people(weights, capsys):
    assert main(["models"]) == DONE
    out, err = capsys.readouterr()
    header, first, second, last = out.splitlines()
    spec = ModelSpec.read(weights / "xception.json")
    cells = {
        "name": "xception", "title": "xception", "input": "40 x 40", "classes": "cat, dog",
        "val accuracy": "95.00 % of 10", "test accuracy": "-", "file": "0.02 MB", "sha256": spec.sha256[:12],
        "runs on": f"OpenVINO {version('openvino')}, float32",
    }  # fmt: skip
    assert all(second[header.index(column) :].startswith(cell) for column, cell in cells.items())
    assert first.startswith("scratch_cnn  scratch cnn  32 x 32  cat, dog  90.00 % of 10")
    assert last == f"Default: xception. Source: folder {weights.name}."
    assert err == ""


@pytest.mark.parametrize("engine", ["OpenVINO", "TensorFlow"])
def test_models_are_listed_as_json(weights, capsys, monkeypatch, engine):
    monkeypatch.setenv("CATDOG_ENGINE", engine.lower())
    assert main(["models", "--json"]) == DONE
    listing = json.loads(capsys.readouterr().out)
    assert (listing["default"], listing["source"], listing["problems"]) == ("xception", f"folder {weights.name}", [])
    assert [model["name"] for model in listing["models"]] == ["scratch_cnn", "xception"]
    public = ModelSpec.read(weights / "xception.json").public(listing["source"]).model_dump()
    runtime = f"{engine} {cache.installed(engine.lower())}, float32"
    assert listing["models"][1] == public | {"runtime": runtime}
    assert public["metrics"] == {"val": {"accuracy": 0.95, "images": 10}} and "training" not in public


def test_a_model_that_is_left_out_is_a_problem(one_damaged, cat, capsys):
    for argv in (["models"], ["predict", str(cat), str(cat)]):
        assert main(argv) == DONE
        out, err = capsys.readouterr()
        assert "scratch_cnn" in out and "xception" not in out
        assert err.startswith("catdog: ") and "xception.h5" in err and err.count("\n") == 1
    assert main(["models", "--json"]) == DONE
    out, err = capsys.readouterr()
    assert "xception.h5" in json.loads(out)["problems"][0]
    assert err == ""


# --- convert ------------------------------------------------------------------------------------


def test_convert_fills_the_cache_and_says_so(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CATDOG_CACHE", str(tmp_path))
    monkeypatch.setenv("CATDOG_ENGINE", "tensorflow")  # asked to convert, it converts
    specs = [ModelSpec.read(weights / f"{name}.json") for name in ("scratch_cnn", "xception")]
    for _ in range(2):  # the second time nothing is left to do
        assert main(["convert"]) == DONE
        out, err = capsys.readouterr()
        runtime = f"OpenVINO {version('openvino')}, float32"
        assert out.splitlines() == [f"{spec.name} is ready to run on {runtime}." for spec in specs]
        assert err == ""
    assert all(cache.find(tmp_path, spec.sha256) for spec in specs)


def test_convert_fails_where_nothing_can_be_kept_or_converted(one_damaged, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CATDOG_CACHE", str(tmp_path / "file"))
    assert main(["convert"]) == FAILED
    out, err = capsys.readouterr()
    assert out.startswith("scratch_cnn is ready to run on OpenVINO ")
    damaged, cannot_be_kept = err.splitlines()
    assert "xception.h5 is damaged" in damaged
    assert "scratch_cnn.h5 is converted anew at every start" in cannot_be_kept


# --- predict ------------------------------------------------------------------------------------


def test_predict_prints_an_aligned_table_per_photo(weights, cat, dog, tiny_comparator, capsys):
    assert main(["predict", str(cat), str(dog)]) == DONE
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert [lines[0], lines[6]] == [str(cat), str(dog)]
    assert lines[1].split() == ["model", "label", "confidence", "cat", "dog", "time"]
    assert len({len(line) for line in lines[1:4]}) == 1
    comparison = tiny_comparator.compare(cat)
    for line, verdict in zip(lines[2:4], comparison.models, strict=True):
        shares = [f"{100 * share:.1f}" for share in (verdict.confidence, *verdict.probabilities.values())]
        name, label, *numbers, time, unit = line.replace("%", "").split()
        assert (name, label, numbers, unit) == (verdict.model, verdict.label, shares, "ms")
        assert float(time) > 0
    assert lines[4].strip() == ("The models agree." if comparison.agree else "The models disagree.")
    assert all(name in lines[5] for name in tiny_comparator.models)  # were not calibrated


def test_an_adopted_model_stands_beside_the_others(tiny_weights, tmp_path, cat, capsys, monkeypatch):
    monkeypatch.setenv("CATDOG_HUB_REPO", "nobody/nothing")  # --weights counts instead
    (tmp_path / "mine").mkdir()
    write_tiny_model(tmp_path / "mine", "foreign", image_size=16, classes=("Dog", "owl", "Cat"), accuracy=0)
    beside = ["--weights", str(tmp_path / "mine"), "--weights", str(tiny_weights)]
    assert main(["predict", str(cat), *beside]) == DONE
    header, *rows = (line.split() for line in capsys.readouterr().out.splitlines()[1:5])
    assert header == ["model", "label", "confidence", "cat", "dog", "owl", "time"]
    assert [row[0] for row in rows] == ["scratch_cnn", "xception", "foreign"]
    assert {row[1] for row in rows} <= {"cat", "dog", "owl"}
    assert [row[5] == "-" for row in rows] == [True, True, False]
    assert main(["predict", str(cat), *beside, "--model", "foreign"]) == DONE
    out = capsys.readouterr().out
    assert "foreign" in out and "xception" not in out and "agree" not in out

    assert main(["models", "--json", *beside]) == DONE
    models = json.loads(capsys.readouterr().out)["models"]
    assert [model["classes"] for model in models] == [["cat", "dog"], ["cat", "dog"], ["dog", "owl", "cat"]]
    assert [model["source"] for model in models] == [f"folder {tiny_weights.name}"] * 2 + ["folder mine"]


@pytest.mark.parametrize(("stopped", "code"), [(True, INTERRUPTED), (False, FAILED)])
def test_a_run_on_ray_that_was_interrupted_says_so_whatever_else_is_wrong(monkeypatch, capsys, stopped, code):
    def classify(*_, stop, **options):
        if stopped:
            stop.set()
        return Summary(3, 0, 3, False, 1.0, 3.0, "out"), ["One model cannot be loaded."]

    monkeypatch.setattr(catdog.__main__, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "catdog.cluster.on_ray", SimpleNamespace(classify=classify))
    assert main(["classify", "photos", "--out", "out", "--on", "ray"]) == code
    assert "One model" in capsys.readouterr().err


def test_predict_as_json_lines(weights, cat, tmp_path, tiny_comparator, capsys):
    broken = tmp_path / "brøken.jpg"
    broken.write_bytes(cat.read_bytes()[:5000])
    assert main(["predict", "--json", str(cat), str(broken), str(cat), "--model", "scratch_cnn"]) == FAILED
    out, err = capsys.readouterr()
    assert err == ""
    first, second, third = map(json.loads, out.splitlines())
    expected = tiny_comparator.compare(cat, model="scratch_cnn").to_dict()
    assert list(first) == ["path", *expected]
    assert first["path"] == str(cat)
    assert first["confidence"] == pytest.approx(expected["confidence"], abs=1e-6)
    assert second.keys() == {"path", "error"}
    assert (second["path"], second["error"]["code"]) == (str(broken), "invalid_image")
    assert "damaged or incomplete" in second["error"]["message"]
    assert third["prediction"] == first["prediction"]


def test_a_bad_photo_is_a_sentence_and_the_others_are_answered(weights, cat, tmp_path, capsys):
    (tmp_path / "bad\x1b[31m.jpg").write_bytes(b"%PDF-1.7")
    (tmp_path / "empty").mkdir()
    photos = [tmp_path / "none.jpg", tmp_path / "empty", tmp_path / "bad\x1b[31m.jpg", cat]
    assert main(["predict", *map(str, photos)]) == FAILED
    out, err = capsys.readouterr()
    assert out.startswith(str(cat))
    missing, folder, pdf = err.splitlines()
    assert missing.startswith(f"catdog: {tmp_path}/none.jpg: ") and "No such file" in missing
    assert folder == f"catdog: {tmp_path}/empty: The folder holds no photos."
    assert "a PDF document" in pdf and "\x1b" not in pdf


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (1e-6, "Probably neither a cat nor a dog: do not trust the answers above."),
        (1 - 1e-6, "On photos it had not seen, about 70.0% of its answers were wrong."),
    ],
)
def test_people_are_told_how_far_to_trust_an_answer(tmp_path, cat, capsys, monkeypatch, threshold, sentence):
    sureness = {"confidence": [0.0], "error_rate": [0.7]}
    spec = write_tiny_model(tmp_path, "able", classes=("cat", "dog", "neither"))
    changes = {"classes": ("cat", "dog"), "neither": {"threshold": threshold}, "sureness": sureness}
    spec.replace(**changes).write(tmp_path / "able.json")
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tmp_path))
    assert main(["predict", str(cat)]) == DONE
    assert capsys.readouterr().out.splitlines()[-1].strip().endswith(sentence)


def test_nobody_is_vouched_for_on_a_photo_of_neither():
    comparator = fakes.comparator()
    disputed = comparator.compare(fakes.photo(fakes.DISPUTED))
    assert "When they disagreed" in plain_text.answer("x.jpg", disputed, comparator.specs)
    report = plain_text.answer("x.jpg", disputed.model_copy(update={"verdict": NEITHER}), comparator.specs)
    assert "agree" not in report
    assert report.endswith("\n  Probably neither a cat nor a dog: do not trust the answers above.")


def test_photos_come_from_folders_and_from_stdin(weights, cat, dog, tmp_path, tiny_comparator, capsys, monkeypatch):
    (tmp_path / "in").mkdir()
    for path in (cat, dog):
        shutil.copy(path, tmp_path / "in" / path.name)
    with open(dog, "rb") as stream:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
        assert main(["predict", "--json", str(tmp_path), "-"]) == DONE
    found = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [row["path"] for row in found] == [*(str(tmp_path / "in" / path.name) for path in sorted((cat, dog))), "-"]
    assert found[-1]["confidence"] == pytest.approx(tiny_comparator.compare(dog).confidence, abs=1e-6)


def test_a_pipe_in_a_folder_is_not_waited_for(weights, cat, tmp_path, capsys):
    shutil.copy(cat, tmp_path / "a.jpg")
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert main(["predict", "--json", str(tmp_path)]) == FAILED
    photo, *failed = map(json.loads, capsys.readouterr().out.splitlines())
    assert photo["path"] == str(tmp_path / "a.jpg") and "verdict" in photo
    messages = [row["error"]["message"] for row in failed]
    assert "No such file" in messages[0] and messages[1] == "It is not a regular file."


def test_without_stdin_the_other_photos_are_judged(weights, cat, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it where it is closed
    assert main(["predict", "--json", "-", str(cat)]) == FAILED
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["error"]["code"] == "invalid_image" and second["path"] == str(cat)


def test_several_models_are_asked_in_the_order_of_display(weights, cat, capsys):
    assert main(["predict", "--json", "--model", "xception", "--model", "scratch_cnn", str(cat)]) == DONE
    assert [row["model"] for row in json.loads(capsys.readouterr().out)["models"]] == ["scratch_cnn", "xception"]


def test_only_a_terminal_that_wants_it_gets_colour(weights, cat, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for terminal, quiet, coloured in ((True, "", True), (True, "1", False), (False, "", False)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal, raising=False)
        monkeypatch.setenv("NO_COLOR", quiet)
        assert main(["predict", str(cat)]) == DONE
        assert ("\x1b[" in capsys.readouterr().out) == coloured


def test_a_file_that_may_not_be_read_is_not_taken_for_an_answer_that_cannot_be_written(capsys, monkeypatch):
    def closed(_):
        raise PermissionError(errno.EACCES, "Permission denied", "mine")

    monkeypatch.setattr(catdog.__main__, "locate", closed)
    assert main(["models"]) == FAILED
    assert capsys.readouterr().err == "catdog: [Errno 13] Permission denied: 'mine'\n"


def test_the_shell_completes_names_of_models(environment):
    asked = {"_CATDOG_COMPLETE": "complete_bash", "COMP_WORDS": "catdog predict --model x", "COMP_CWORD": "3"}
    code = "import sys; sys.argv = ['catdog']; from catdog.__main__ import run; run()"
    assert python(code, **environment | asked).stdout.split() == ["xception"]


def test_maps_come_as_json_when_they_are_asked_for(weights, cat, capsys):
    for options, kind in ((["--explain"], list), ([], type(None))):
        assert main(["predict", "--json", *options, str(cat)]) == DONE
        assert {type(verdict["heatmap"]) for verdict in json.loads(capsys.readouterr().out)["models"]} == {kind}


# --- real processes -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def environment(tiny_weights) -> dict[str, str]:
    """As a person's shell would have it: nothing that quietens TensorFlow."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("CATDOG_", "TF_"))}
    return kept | {"CATDOG_WEIGHTS": str(tiny_weights)}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "catdog", *map(str, arguments)]


def listed(environment, **streams) -> subprocess.CompletedProcess:
    """`python -m catdog models` with other streams."""
    options = {"cwd": ROOT, "env": environment, "text": True, "timeout": PATIENCE, "stderr": subprocess.PIPE}
    return subprocess.run(command("models"), **options | streams)


def test_a_process_answers_reports_and_obeys_ctrl_c(environment, cat, tmp_path):
    photo = shutil.copy(cat, tmp_path / "Kätzchen im Körbchen.jpg")
    (tmp_path / "empty.jpg").touch()
    undecodable = os.fsencode(tmp_path) + b"/\xff.jpg"
    process = subprocess.Popen(
        [*command("predict", tmp_path / "empty.jpg"), undecodable, *[str(photo)] * 3000],
        cwd=ROOT, env=environment | {"LC_ALL": "C"}, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == f"{photo}\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == INTERRUPTED
    empty, missing = err.splitlines()  # not a word from TensorFlow, and no stack trace
    assert empty.startswith(f"catdog: {tmp_path}/empty.jpg: The file is empty")
    assert "No such file" in missing


def test_a_closed_pipe_is_quiet(environment):
    """Like `| head` when it has left."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as closed:
        result = listed(environment, stdout=closed)
    assert (result.returncode, result.stderr) == (CLOSED_PIPE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_an_answer_that_cannot_be_written_is_a_sentence(environment):
    with open("/dev/full", "w") as full:
        result = listed(environment, stdout=full)
    assert result.returncode == FAILED
    assert result.stderr == "catdog: [Errno 28] No space left on device. The answers before this are complete.\n"


@pytest.mark.parametrize("closed", ["2>&-", ">&-"])
def test_whoever_closed_a_stream_is_answered_on_the_other(environment, closed):
    line = f"{shlex.join(command('models', '--json'))} {closed}"
    result = subprocess.run(
        ["sh", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (DONE, "")
    assert bool(result.stdout) == (closed == "2>&-")

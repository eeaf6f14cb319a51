"""`python -m catdog classify`, in this process and as real processes that are killed."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from catdog.__main__ import DONE, FAILED, INTERRUPTED, WRONG_USAGE, main
from catdog.folder.run import BATCH
from tests.conftest import PATIENCE, ROOT
from tests.processes import python

from .conftest import read_csv


@pytest.fixture(autouse=True)
def weights(tiny_weights, monkeypatch) -> Path:
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tiny_weights))
    return tiny_weights


@pytest.fixture(autouse=True)
def without_processes(decoded_here):
    """In this process: the commands that are killed run in others, and decode as always."""


def run_until(name: str, batch: int, *arguments: object) -> subprocess.CompletedProcess:
    """Run the command line in a process group of its own, signalled at a batch."""
    command = [sys.executable, "-m", f"{__package__}.interrupted", name, str(batch), *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, start_new_session=True, check=False
    )


def wait_for_the_end_of(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([descriptor], [], [], PATIENCE)
    os.close(descriptor)
    assert ended, f"process {pid} is still there"


def test_the_last_line_is_json_and_the_exit_code_tells_of_failures(greys, tmp_path, capsys):
    folder, out = greys(3), tmp_path / "out.csv"
    assert main(["classify", str(folder), "--out", str(out), "--workers", "1", "--json"]) == DONE
    stdout, stderr = capsys.readouterr()
    summary = json.loads(stdout.splitlines()[-1])
    assert list(summary) == ["photos", "failed", "judged", "finished", "seconds", "photos_per_second", "out"]
    assert (summary["photos"], summary["failed"], summary["finished"], summary["out"]) == (3, 0, True, str(out))
    assert "3/3" in stderr and "photos/s" in stderr
    assert [row["model"] for row in read_csv(out)] == ["scratch_cnn", "xception"] * 3

    (folder / "bad.png").touch()
    assert main(["classify", str(folder), "--out", str(out)]) == FAILED
    stdout, stderr = capsys.readouterr()
    assert stdout.startswith(f"{out} holds the answers to 4 photos, 1 of them now, in ")
    assert "catdog: 1 of 4 photos " in stderr


def test_models_can_be_chosen_before_and_after_the_folder(greys, tmp_path, capsys):
    folder, out = greys(1), tmp_path / "out.csv"
    models = ["--model", "xception", "--model", "scratch_cnn", "--model", "xception"]
    assert main(["classify", str(folder), "--out", str(out), *models]) == DONE
    assert [row["model"] for row in read_csv(out)] == ["scratch_cnn", "xception"]  # in the order of display
    assert main(["classify", "--model", "xception", "--out", str(out), str(folder)]) == WRONG_USAGE
    assert "differs in models" in capsys.readouterr().err
    assert main(["classify", "--model", "xception", "--restart", "--out", str(out), str(folder)]) == DONE
    assert [row["model"] for row in read_csv(out)] == ["xception"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("none --out x.csv", "No such file or directory"),
        ("notes.txt --out x.csv", "Not a directory"),
        ("empty --out x.csv", "holds no photo"),
        ("DIR --out x.txt", "must end in .csv or .parquet"),
        ("DIR --out x", "must end in"),
        ("DIR --out .csv", "must end in"),
        ("DIR --out none/x.csv", "a folder that exists"),
        ("DIR --out photos", "a folder that exists"),
        ("DIR --out x.csv --model resnet", "no model 'resnet'"),
        (f"DIR --out {'x' * 300}.csv", "cannot be written: File name too long"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(arguments, reason, greys, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    code = main(["classify", *arguments.replace("DIR", str(greys(1))).split()])
    assert code == (FAILED if "written" in reason else WRONG_USAGE)
    stdout, stderr = capsys.readouterr()
    assert (stdout, stderr.count("\n")) == ("", 1) and stderr.startswith("catdog: ") and reason in stderr
    assert not (tmp_path / "x.csv").exists()


def test_memory_does_not_grow_with_the_number_of_photos(greys, tmp_path):
    """That of the command's own process at its end: the workers hold one photo at a time."""
    one = greys(1)
    code = (
        "import re, sys; from catdog.__main__ import main; code = main(sys.argv[1:]);"
        "print(re.search(r'VmRSS:\\s+(\\d+)', open('/proc/self/status').read())[1]); sys.exit(code)"
    )

    def held(copies: int) -> int:
        folder = tmp_path / str(copies)
        for number in range(copies):
            shutil.copytree(one, folder / f"{number:05}", copy_function=os.link)
        done = python(code, "classify", folder, "--out", f"{folder}.csv", "--workers", 1, "--json")
        summary, kilobytes = done.stdout.splitlines()[-2:]
        assert json.loads(summary)["photos"] == copies
        return int(kilobytes)

    few, many = held(100), held(2000)
    assert many - few < 6 * 1024


def test_a_killed_run_goes_on_to_the_rows_of_an_unbroken_one(greys, tmp_path, capsys):
    folder = greys(4 * BATCH + 5)
    (folder / "bad.png").touch()
    part, whole = tmp_path / "part.csv", tmp_path / "whole.csv"
    killed = run_until("SIGKILL", 3, "classify", folder, "--out", part)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(read_csv(part)) == 2 * 2 * BATCH
    workers = killed.stdout.split()
    assert workers
    for pid in workers:
        wait_for_the_end_of(int(pid))
    with open(part, "ab") as torn:
        torn.write(b"128.png,scratch_cnn,cat,0.9")

    assert main(["classify", str(folder), "--out", str(part), "--json"]) == FAILED
    summary = json.loads(capsys.readouterr().out)
    assert (summary["photos"], summary["judged"]) == (4 * BATCH + 6, 2 * BATCH + 6)
    assert main(["classify", str(folder), "--out", str(whole)]) == FAILED
    assert part.read_bytes() == whole.read_bytes()


def test_ctrl_c_finishes_cleanly_and_says_how_to_go_on(greys, tmp_path):
    folder, out = greys(4 * BATCH), tmp_path / "out.csv"
    stopped = run_until("SIGINT", 2, "classify", folder, "--out", out, "--json")
    assert stopped.returncode == INTERRUPTED
    assert (
        f"catdog: Stopped after {2 * BATCH} photos. Repeat the command, without --restart, to continue.\n"
        in stopped.stderr
    )
    assert "Traceback" not in stopped.stderr
    pids, summary = stopped.stdout.splitlines()
    assert (json.loads(summary)["photos"], json.loads(summary)["finished"]) == (2 * BATCH, False)
    for pid in pids.split():
        wait_for_the_end_of(int(pid))
    assert main(["classify", str(folder), "--out", str(out)]) == DONE
    assert [row["path"] for row in read_csv(out)] == [f"{i:03}.png" for i in range(4 * BATCH) for _ in range(2)]

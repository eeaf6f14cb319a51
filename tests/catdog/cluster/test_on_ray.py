"""`classify --on ray` on a local cluster of two nodes: the rows of plain `classify`, whatever is killed meanwhile."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from PIL import Image

pytest.importorskip("ray")
from ray.cluster_utils import Cluster

from catdog.__main__ import DONE, FAILED, WRONG_USAGE, main
from tests.conftest import EXAMPLES, PATIENCE, ROOT

KEY = ["path", "model"]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each, the second of which tests may remove."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 2**27})
    cluster.add_node(num_cpus=1, object_store_memory=2**27)
    yield cluster
    cluster.shutdown()


@pytest.fixture(autouse=True)
def weights(tiny_weights, monkeypatch) -> None:
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tiny_weights))


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with photos for eight parts, small and bad ones and many that take long."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.arange(800 * 800 * 3, dtype=np.uint32).reshape(800, 800, 3)
    Image.fromarray((pixels // 7919 % 256).astype(np.uint8)).save(folder / "000.png")
    for number in range(1, 960):
        os.link(folder / "000.png", folder / f"{number:03}.png")
    for name in ("cat.jpg", "dog.jpg", "owl.jpg"):
        shutil.copy(EXAMPLES / name, folder)
    (folder / "bad.png").write_bytes(b"no photo")
    return folder


def classify(source: object, out: object, *options: object) -> int:
    return main(["classify", str(source), "--out", str(out), *map(str, options)])


def rows(out: Path) -> pandas.DataFrame:
    table = pandas.read_csv(out, dtype={"error": str}) if out.is_file() else pandas.read_parquet(out)
    return table.sort_values(KEY, na_position="last").reset_index(drop=True)


def same(out: Path, plain: Path) -> None:
    ours, theirs = rows(out), rows(plain)
    assert list(ours) == list(theirs)
    pandas.testing.assert_frame_equal(ours, theirs, rtol=0, atol=1.000001e-6, check_dtype=False)


def files(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}


def until(condition: Callable[[], Any]) -> Any:
    """What a condition gives when it holds."""
    end = time.monotonic() + 5 * PATIENCE  # Ray alone takes a minute to start on a busy machine
    while not (given := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return given


@contextlib.contextmanager
def driver(*arguments: object) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "catdog", "classify", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def workers_of(node) -> list[int]:
    """The processes of a node that judge."""
    raylet = node.all_processes["raylet"][0].process.pid
    found = []
    for task in Path(f"/proc/{raylet}/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if b"_task" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def memory_of(pid: int) -> float:
    """Megabytes that a process and those that it started hold alone; 0 for one that has ended."""
    total, left = 0.0, [pid]
    while left:
        with contextlib.suppress(OSError):
            place = Path(f"/proc/{left.pop()}")
            total += sum(map(int, re.findall(r"RssAnon:\s+(\d+)", (place / "status").read_text()))) / 1024
            left += [
                int(child) for task in (place / "task").iterdir() for child in (task / "children").read_text().split()
            ]
    return total


def test_memory_stays_flat_over_20_000_photos(cluster, greys, tmp_path):
    few, folder, out = sorted(greys(100).iterdir()), tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(20_000):
        os.link(few[number % 100], folder / f"{number:05}.png")
    seen: list[tuple[int, float, float]] = []  # parts that are done; memory of the driver, and of a worker
    with driver(folder, "--out", out, "--on", "ray", "--address", cluster.address, "--json") as process:
        while process.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                stdout, stderr = process.communicate(timeout=0.5)
            workers = [memory_of(pid) for node in cluster.list_all_nodes() for pid in workers_of(node)]
            seen.append((len(files(out)), memory_of(process.pid), max(workers, default=0)))
    assert process.returncode == DONE, stderr
    summary = json.loads(stdout.splitlines()[-1])
    assert (summary["photos"], summary["judged"], summary["finished"]) == (20_000, 20_000, True)
    parts = len(files(out))
    early = np.array([sample for sample in seen if parts * 0.2 < sample[0] < parts * 0.5])
    late = np.array([sample for sample in seen if parts * 0.7 < sample[0] < parts])
    assert len(early) > 3 and len(late) > 3
    assert np.all(late.max(axis=0)[1:] < 1.1 * early.max(axis=0)[1:] + 10), (early, late)


def test_a_worker_then_a_node_then_the_driver_is_killed_and_no_row_is_lost_or_doubled(cluster, photos, tmp_path, capfd):
    out, plain = tmp_path / "out", tmp_path / "plain.csv"
    head, second = cluster.list_all_nodes()[:2]
    arguments = [photos, "--out", out, "--on", "ray", "--address", cluster.address]
    with driver(*arguments) as process:
        # Looked up once, as a worker may be between two tasks the next moment.
        busy = until(lambda: process.poll() is not None or (files(out) and workers_of(head)))
        assert busy is not True, process.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(busy[0], signal.SIGKILL)
        before = len(files(out))
        until(lambda: process.poll() is not None or len(files(out)) > before)
        cluster.remove_node(second, allow_graceful=False)
        until(lambda: process.poll() is not None or len(files(out)) > before + 1)
        assert process.poll() is None, process.communicate()
    partly = files(out)
    assert 0 < len(partly) < 6
    cluster.add_node(num_cpus=1, object_store_memory=2**27)
    assert classify(*arguments[:1], out, *arguments[3:], "--json") == FAILED  # as one photo is bad
    stdout, stderr = capfd.readouterr()
    summary = json.loads(stdout.splitlines()[-1])
    assert (summary["photos"], summary["failed"], summary["finished"]) == (964, 1, True)
    assert 0 < summary["judged"] < 964 and "964/964" in stderr and "photos/s" in stderr
    assert partly.items() <= files(out).items() and not list(out.glob(".*"))
    assert classify(photos, plain) == FAILED
    same(out, plain)
    done = files(out)
    assert classify(photos, out, "--on", "ray", "--address", cluster.address) == FAILED
    assert files(out) == done


def test_a_source_that_is_no_folder_has_its_rows(cluster, photos, pack, tmp_path):
    for number in range(40, 960):
        (photos / f"{number:03}.png").unlink()
    plain, out = tmp_path / "plain.csv", tmp_path / "out"
    assert classify(photos, plain) == FAILED
    packed = pack(photos, "tar")
    assert classify(packed, out, "--on", "ray", "--address", cluster.address, "--workers", 2) == FAILED
    same(out, plain)


def test_answers_in_the_folder_of_the_source_are_refused_by_any_name_of_it(greys, pack, tmp_path):
    packed = pack(greys(1), "tar")
    (tmp_path / "link").symlink_to(packed)
    for source in (packed, tmp_path / "link", packed.as_uri()):
        for out in (packed / "out", tmp_path / "link" / "out"):
            assert classify(source, out, "--on", "ray") == WRONG_USAGE
    assert sorted(os.listdir(packed)) == ["0.tar", "1.tar"]


def test_this_machine_alone_with_all_its_cores_in_one_worker(greys, tmp_path, capfd):
    from catdog.folder.run import cores

    folder = greys(3)
    assert classify(folder, tmp_path / "out", "--on", "ray", "--cpus-per-worker", cores()) == DONE
    assert classify(folder, tmp_path / "plain.csv") == DONE
    same(tmp_path / "out", tmp_path / "plain.csv")
    stdout, stderr = capfd.readouterr()
    assert stdout.count("\n") == 2 and "Warning" not in stderr
    done = files(tmp_path / "out")
    assert classify(folder, tmp_path / "out", "--on", "ray", "--restart", "--address", "127.0.0.1:1") == WRONG_USAGE
    assert classify(folder, tmp_path / "out", "--on", "ray", "--restart", "--cpus-per-worker", cores() + 1) == (
        WRONG_USAGE
    )
    assert done == files(tmp_path / "out")
    assert classify(folder, tmp_path / "more", "--on", "ray", "--cpus-per-worker", cores() + 1) == WRONG_USAGE
    assert classify(folder, tmp_path / "more", "--on", "ray", "--address", "127.0.0.1:1") == WRONG_USAGE

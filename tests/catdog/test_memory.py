"""Photos leave no memory behind in the threads that judged them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.catdog.photos import encoded, flag

ROOT = Path(__file__).parents[2]
STATUS = Path("/proc/self/status")
GROWTH = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import catdog

def megabytes():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

comparator = catdog.load()
photo = Path(sys.argv[1]).read_bytes()
comparator.compare(photo)
before = megabytes()
with ThreadPoolExecutor(16) as pool:
    list(pool.map(comparator.compare, [photo] * 48))
    print(megabytes() - before)
comparator.close()
"""


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says how much memory a process has")
def test_many_threads_keep_no_memory(tiny_weights, tiny_comparator, tmp_path, monkeypatch):
    (tmp_path / "large.bmp").write_bytes(encoded(flag(1800, 1500), "BMP"))  # 8 MB of pixels
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tiny_weights))
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path / "large.bmp")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert float(done.stdout) < 100  # 400 and more without the care taken

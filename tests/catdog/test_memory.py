"""Neither photos nor weights that have been read leave memory behind."""

import re
from pathlib import Path

import numpy as np
import pytest

from catdog.memory import drop_pages
from tests.catdog.photos import encoded, flag
from tests.processes import python

STATUS = Path("/proc/self/status")
GROWTH = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import catdog
from catdog.memory import limit_malloc

def megabytes():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

limit_malloc()
comparator = catdog.load()
photo = Path(sys.argv[1]).read_bytes()
comparator.compare(photo)
before = megabytes()
with ThreadPoolExecutor(16) as pool:
    list(pool.map(comparator.compare, [photo] * 32))
    print(megabytes() - before)
"""


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says how much memory a process has")
def test_many_threads_keep_no_memory(tiny_weights, tiny_comparator, tmp_path):
    (tmp_path / "large.bmp").write_bytes(encoded(flag(1800, 1500), "BMP"))  # 8 MB of pixels
    done = python(GROWTH, tmp_path / "large.bmp", CATDOG_WEIGHTS=tiny_weights)
    assert float(done.stdout) < 100  # 400 and more without the care taken


def resident(path: Path) -> int:
    """Kilobytes in memory of this process's mappings of a file."""
    smaps = Path("/proc/self/smaps").read_text()
    return sum(map(int, re.findall(rf"{re.escape(str(path))}\n(?:[A-Z].*\n)*?Rss:\s+(\d+)", smaps)))


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux can be told")
def test_a_mapped_file_is_given_back_and_stays_readable(tmp_path):
    mapped, other, written = (tmp_path / name for name in ("a.bin", "b.bin", "c.bin"))
    content = np.arange(250_000, dtype=np.float32)
    for path in (mapped, other, written):
        content.tofile(path)
    read, kept = np.memmap(mapped, np.float32, "r"), np.memmap(other, np.float32, "r")
    changed = np.memmap(written, np.float32, "c")
    changed += 1
    total = read.sum() + kept.sum()
    assert min(map(resident, (mapped, other, written))) > 900
    drop_pages(mapped)
    drop_pages(written)
    assert resident(mapped) < 100 < 900 < min(resident(other), resident(written))
    assert read.sum() + kept.sum() == total
    np.testing.assert_array_equal(changed, content + 1)

"""The CSV file of a finished run -> a Parquet file, which could not grow during the run.

Only this needs pyarrow.
"""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

from catdog.errors import InvalidSettings
from catdog.files import whole
from catdog.folder.rows import Columns, read_groups

ROWS_AT_ONCE = 2**16


def require_pyarrow() -> None:
    """Raise InvalidSettings where pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InvalidSettings("A Parquet file needs pyarrow: `pip install pyarrow`, or let --out end in .csv.")


def write(csv: Path, out: Path, columns: Columns) -> None:
    """Turn a CSV file of results into a Parquet file, which appears whole or not at all.

    The columns are the same: numbers as float64, all else as text, empty cells as null.
    """
    import pyarrow
    from pyarrow import parquet

    types = {name: pyarrow.float64() if name in columns.numbers else pyarrow.string() for name in columns.names}
    rows = itertools.chain.from_iterable(group for group, _ in read_groups(csv, columns))
    with whole(out) as partial, parquet.ParquetWriter(partial, pyarrow.schema(types)) as writer:
        while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
            columns_of_cells = zip(*some, strict=True)
            arrays = [
                pyarrow.array([cell or None for cell in cells], pyarrow.string()).cast(kind)
                for cells, kind in zip(columns_of_cells, types.values(), strict=True)
            ]
            writer.write(pyarrow.record_batch(arrays, list(types)))

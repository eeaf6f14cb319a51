"""The CSV file of a finished run -> a Parquet file, which could not grow during the run.

Only this needs pyarrow.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from catdog.errors import InvalidSettings
from catdog.files import whole
from catdog.folder.rows import Columns, read_groups

if TYPE_CHECKING:
    import pyarrow

ROWS_AT_ONCE = 2**16


def require_pyarrow() -> None:
    """Raise InvalidSettings where pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InvalidSettings("A Parquet file needs pyarrow: `pip install pyarrow`, or let --out end in .csv.")


def write(csv: Path, out: Path, columns: Columns) -> None:
    """Turn a CSV file of results into a Parquet file, which appears whole or not at all.

    The columns are the same: numbers as float64, all else as text, empty cells as null.
    """
    from pyarrow import parquet

    schema = schema_of(columns)
    rows = itertools.chain.from_iterable(group for group, _ in read_groups(csv, columns))
    with whole(out) as partial, parquet.ParquetWriter(partial, schema) as writer:
        while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
            writer.write(batch_of(some, schema))


def schema_of(columns: Columns) -> pyarrow.Schema:
    """Numbers as float64, all else as text."""
    import pyarrow

    return pyarrow.schema(
        {name: pyarrow.float64() if name in columns.numbers else pyarrow.string() for name in columns.names}
    )


def batch_of(rows: Sequence[Sequence[str]], schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    """Rows of cells, empty ones as null."""
    import pyarrow

    arrays = [
        pyarrow.array([row[i] or None for row in rows], pyarrow.string()).cast(field.type)
        for i, field in enumerate(schema)
    ]
    return pyarrow.record_batch(arrays, schema=schema)

"""The rows of results as CSV, and back.

The CSV is that of RFC 4180: UTF-8, commas, quotes where needed, lines that end with CR LF, a header first.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from catdog.comparator import Answer
from catdog.errors import CatDogError, InvalidSettings
from catdog.models.spec import ModelSpec, classes_of
from catdog.verdict import Comparison, Verdict

LONGEST_ERROR = 1000  # characters
# What to do about an --out that holds something else.
ADVICE = "Choose another --out, or --restart to write it anew."


class Columns:
    """path, model, label, verdict, confidence, p_<class> for each class of any model, neither, error."""

    def __init__(self, specs: Sequence[ModelSpec]):
        self.models = [spec.name for spec in specs]  # whose rows a photo has, in this order
        self.numbers = ["confidence", *(f"p_{name}" for name in classes_of(specs)), "neither"]
        self.names = ["path", "model", "label", "verdict", *self.numbers, "error"]

    def rows(self, path: str, answer: Answer) -> list[list[str]]:
        """The rows of a photo as texts: one per model, or a single one with an error and no model."""
        if isinstance(answer, CatDogError):
            rows = [{"error": " ".join(str(answer).split())[:LONGEST_ERROR]}]
        else:
            rows = [cells_of(verdict, answer) for verdict in answer.models]
        return [[to_text(path), *(row.get(name, "") for name in self.names[1:])] for row in rows]


def cells_of(verdict: Verdict, comparison: Comparison) -> dict[str, str]:
    """Column -> cell, of what one model says of a photo; without what it does not know.

    Numbers have six decimals: further ones depend on which photos were in the batch.
    """
    shares = {f"p_{name}": share for name, share in verdict.probabilities.items()}
    numbers = {"confidence": verdict.confidence, **shares, "neither": verdict.neither}
    texts = {"model": verdict.model, "label": verdict.label, "verdict": comparison.verdict}
    return texts | {name: f"{number:.6f}" for name, number in numbers.items() if number is not None}


def to_text(path: str) -> str:
    r"""A path as UTF-8 text; `to_path` turns it back.

    A byte that is not part of a character is written like `\xff`, and a `\x` in a name as `\x5cx`, so that no text
    stands for two paths.
    """
    return os.fsencode(path.replace(r"\x", r"\x5cx")).decode("utf-8", "backslashreplace")


def to_path(text: str) -> str:
    """The path that `to_text` turned into this text; `open` accepts it."""
    name = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), text.encode())
    return os.fsdecode(name)


def to_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows of cells as lines of CSV."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)  # its default dialect is that of RFC 4180
    return stream.getvalue().encode("utf-8", "backslashreplace")


def read_groups(path: Path, columns: Columns) -> Iterator[tuple[list[list[str]], int]]:
    """Read a CSV file of results: for each photo the cells of its rows, and the offset at which they end.

    The first group, without rows, is the header. What a killed run leaves at the end of the file is left out: a
    half-written line, or a photo without a row for each model. Raises InvalidSettings for anything else that this
    program does not write.
    """
    rows: list[list[str]] = []
    for number, (cells, end) in enumerate(_records(path)):
        if number == 0:
            if cells != columns.names:
                raise _foreign(path, "it begins with other columns")
            yield [], end
            continue
        rows.append(cells)
        if not _fit(rows, columns):
            raise _foreign(path, f"see row {number}")
        if cells[1] == "" or len(rows) == len(columns.models):
            yield rows, end
            rows = []


def _fit(rows: list[list[str]], columns: Columns) -> bool:
    """Whether these can be the first rows of a photo."""
    path, model, *_ = (*rows[-1], "", "")
    if len(rows[-1]) != len(columns.names) or path != rows[0][0]:
        return False
    return model == columns.models[len(rows) - 1] or (model == "" and len(rows) == 1)


def _records(path: Path) -> Iterator[tuple[list[str], int]]:
    """The complete records of a CSV file, each with the offset at which it ends."""
    end, exhausted = 0, False

    def lines() -> Iterator[str]:
        nonlocal end, exhausted
        with open(path, "rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    end += len(line)
                    yield line.decode()
        exhausted = True

    try:
        for cells in csv.reader(lines(), strict=True):
            yield cells, end
    except (csv.Error, UnicodeDecodeError) as error:
        if not exhausted:  # otherwise the file ends inside a quoted cell, as a killed run leaves it
            raise _foreign(path, str(error)) from error


def _foreign(path: Path, reason: str) -> InvalidSettings:
    return InvalidSettings(f"{path} is not as this command wrote it ({reason}). {ADVICE}")

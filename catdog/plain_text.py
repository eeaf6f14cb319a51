"""Answers and models as aligned plain text, for the command line."""

from collections.abc import Iterator, Sequence

from catdog import wording
from catdog.models.spec import ModelSpec
from catdog.verdict import Comparison


def answer(path: str, comparison: Comparison, specs: Sequence[ModelSpec], *, colour: bool = False) -> str:
    """The answer to one photo: its path, a line per model, and remarks on how far to trust them.

    With `colour`, the path is bold and the header is faint (ECMA-48, select graphic rendition).
    """
    classes = list(dict.fromkeys(name for verdict in comparison.models for name in verdict.probabilities))
    if len(classes) > wording.FEW_CLASSES:
        classes = []  # a column each would not fit
    rows = [("model", "label", "confidence", *classes, "time")]
    for verdict in comparison.models:
        shares = [_share(verdict.probabilities.get(name)) for name in classes]
        time = f"{verdict.milliseconds:.1f} ms"
        rows.append((verdict.model, verdict.label, _share(verdict.confidence), *shares, time))
    header, *lines = [f"  {line}" for line in (*aligned(rows, left=2), *_remarks(comparison, specs))]
    bold, faint, normal = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if colour else ("", "", "")
    return "\n".join([f"{bold}{printable(path)}{normal}", f"{faint}{header}{normal}", *lines])


def summary(photos: int, judged: int, seconds: float, out: str) -> str:
    """What a run over a folder did: how many photos have answers, and how many of them it added in how many seconds."""
    if not judged:
        return f"{printable(out)} holds the answers to all {photos:,} photos already."
    speed = f" ({judged / seconds:.1f} a second)" if seconds else ""
    of = "" if judged == photos else f" {judged:,} of them now,"
    return f"{printable(out)} holds the answers to {photos:,} photos,{of} in {wording.duration(seconds)}{speed}."


def table(specs: Sequence[ModelSpec], runtimes: Sequence[str]) -> str:
    """A header and a line per model; `runtimes` are those of `specs`, in the same order."""
    header = ("name", "title", "input", "classes", "val accuracy", "test accuracy", "file", "sha256", "runs on")
    rows = [
        (
            spec.name,
            spec.title,
            wording.input_size(spec),
            ", ".join(spec.classes),
            _accuracy(spec, "val"),
            _accuracy(spec, "test"),
            f"{spec.bytes / 1e6:.2f} MB",
            spec.sha256[:12],
            runtime,
        )
        for spec, runtime in zip(specs, runtimes, strict=True)
    ]
    return "\n".join(aligned([header, *rows], left=len(header)))


def printable(path: str) -> str:
    """A path as it is, or escaped if it holds characters that a terminal cannot print."""
    return path if path.isprintable() else ascii(path)


def _remarks(comparison: Comparison, specs: Sequence[ModelSpec]) -> Iterator[str]:
    """Sentences on how far to trust an answer."""
    if wording.is_neither(comparison):
        yield f"{wording.headline(comparison, specs)}: do not trust the answers above."
        return
    if len(comparison.models) > 1:
        yield "The models agree." if comparison.agree else "The models disagree."
    if favourite := wording.usually_right(comparison, specs):
        yield favourite
    if comparison.leading.error_rate is not None:
        spec = next(spec for spec in specs if spec.name == comparison.leader)
        sure = wording.certainty(comparison.leading)
        yield f"{comparison.leader} is {sure}. {wording.reliability(comparison.leading, spec)}"
    if unmeasured := [verdict.model for verdict in comparison.models if verdict.error_rate is None]:
        yield f"Never measured how often answers this sure are wrong: {', '.join(unmeasured)}."


def _accuracy(spec: ModelSpec, split: str) -> str:
    figures = spec.metrics.get(split, {})
    if "accuracy" not in figures:
        return "-"
    images = f" of {figures['images']}" if "images" in figures else ""
    return f"{100 * figures['accuracy']:.2f} %{images}"


def _share(share: float | None) -> str:
    return "-" if share is None else wording.percent(share)


def aligned(rows: Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """Rows as lines of aligned columns: the first `left` of them to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:left], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[left:], widths[left:], strict=True)]
        yield "  ".join(cells).rstrip()

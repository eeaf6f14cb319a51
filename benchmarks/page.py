"""The results as a page of Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from catdog.photo.reader import CONFIDENT

from . import aims

SIDES = {"catdog": "catdog", "plain": "plain way"}
SERVERS = {"flask": "catdog on Flask", "gradio": "catdog on Gradio", "plain": "plain way on Flask"}


def render(results: Mapping[str, Any]) -> str:
    """The whole page, ready to be written."""
    parts = [
        "# Benchmarks",
        "<!-- Made by `make bench`, from benchmarks/results.json. Change the program, not this page. -->",
        _introduction(results),
        "## Aims",
        *_aims(results),
        "## One photo after the other",
        *_compare(results["compare"]),
        "## Servers",
        *_servers(results["serving"]),
        "## A folder of photos",
        *_folder(results["folder"]),
        "## Starting",
        *_start(results["start"]),
        "## Photos of 12 megapixels",
        *_large(results["large"]),
    ]
    return "\n\n".join(map(_wrapped, parts)) + "\n"


def _wrapped(part: str) -> str:
    """Lines of prose of at most 120 characters; tables as they are."""
    return "\n".join(line if line.startswith("|") else _filled(line) for line in part.splitlines())


def _filled(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _introduction(results: Mapping[str, Any]) -> str:
    machine, photos, plan = results["machine"], results["photos"], results["plan"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items() if version)
    models = ", ".join(f"{m['name']} ({m['image_size']} px, {m['runtime']})" for m in results["models"])
    lines = [
        "`make bench` measures catdog beside the plain way of doing the same: a Flask route that calls `model.predict` "
        "on each photo, one model after the other (`benchmarks/plain.py`). Both run in turns, in the same minutes, on "
        "the same cores and the same `.h5` files. Read the ratios: the other figures are those of one machine. Each "
        "turn gives a ratio, as what else runs on the hardware slows a machine down for minutes at a time; what is "
        "shown is their median.",
        "",
        f"- Machine: {machine['processor']}, {machine['cores']} of {machine['cores_of_the_machine']} cores; "
        f"{', '.join(machine['flags']) or 'flags not known'}; {machine['system']}",
        f"- Load in the minute before: {machine['load_before']}, after: {machine['load_after']} "
        "(processes that wanted to run; what is not ours is noise)",
        f"- Software: Python {machine['python']}, {libraries}",
        f"- Models: {models}",
        f"- Photos: {photos}",
        f"- Turns: {plan['rounds']}, of a folder {plan['folder_rounds']}. Date: {results['date']}. "
        f"Command: `{results['command']}`",
    ]
    if results["quick"]:
        lines.insert(0, "> A quick run, which shows that everything works: its figures mean nothing.\n")
    return "\n".join(lines)


def _aims(results: Mapping[str, Any]) -> Iterable[str]:
    words = {True: "yes", False: "no", None: "not measured"}
    rows = [
        (aim.what, aim.wanted, _number(aim.value, aim.unit), _from_to(aim.turns, aim.unit), words[aim.met])
        for aim in aims.check(results)
    ]
    yield _table(("", "aim", "measured", "single turns", "met"), rows)


def _compare(figures: Mapping[str, Any]) -> Iterable[str]:
    yield (
        "Milliseconds from the bytes of a photo of examples/ to the answers of all models, in a process that has "
        f"loaded them: {figures['ratio']:.1f} times as fast as the plain way."
    )
    yield _durations(figures)


def _servers(figures: Mapping[str, Any]) -> Iterable[str]:
    yield (
        "Milliseconds per photo as clients see it, in all turns, and photos per second, the median of the turns, for "
        "1, 4 and 16 clients at once that send the photos of examples/. Flask runs on gunicorn, one process with 16 "
        "threads; Gradio as `python app.py`, and a photo is two requests there. The clients share the cores."
    )
    rows = [
        (clients, SERVERS[name], *_percentiles(row), f"{row['photos_per_second']:.1f}", f"{row['ratio']:.1f}×")
        for clients, servers in figures["clients"].items()
        for name, row in servers.items()
    ]
    yield _table(("clients", "", "p50", "p95", "p99", "photos/s", "to the plain way"), rows)
    yield "Memory at most, all processes of a server added up:"
    rows = [(SERVERS[name], _number(value, " MB")) for name, value in figures["peak_megabytes"].items()]
    yield _table(("", "peak"), rows)


def _folder(figures: Mapping[str, Any]) -> Iterable[str]:
    yield (
        f"Photos per second of {figures['photos']} files, each judged by all models, and how they compare turn by "
        "turn: medians. TensorFlow computes batches of 32 while threads decode the next one, with its models loaded "
        "before. Bare OpenVINO gets photos decoded before, eight at a time as catdog does, and chooses the arithmetic "
        "by itself: float32, or bfloat16 where the processor has it. The last row is the same with the networks that "
        "catdog asks first; what is not clear to them it asks once more, in float32."
    )
    rows = [
        ("`python -m catdog classify`", f"{figures['classify']:.0f}", ""),
        ("TensorFlow in batches", f"{figures['tensorflow']:.0f}", f"{figures['to_tensorflow']['ratio']:.1f}×"),
        ("bare OpenVINO, nothing to decode", f"{figures['bare']:.0f}", f"{figures['to_bare']['ratio']:.0%}"),
        ("catdog's networks, nothing to decode", f"{figures['engines']:.0f}", f"{figures['to_engines']['ratio']:.0%}"),
    ]
    yield _table(("", "photos/s", "classify to it"), rows)


def _start(figures: Mapping[str, Any]) -> Iterable[str]:
    yield (
        f"Seconds from starting the command line to its first answer: the medians of {figures['starts']} processes. "
        "The first start ever, which converts the models, was measured once."
    )
    rows = [
        ("`python -m catdog predict`, models converted", f"{figures['warm']:.2f}"),
        ("plain way", f"{figures['plain']:.2f}"),
        ("`python -m catdog predict`, first start ever", f"{figures['cold']:.1f}"),
    ]
    yield _table(("", "seconds"), rows)


def _large(figures: Mapping[str, Any]) -> Iterable[str]:
    compare = figures["compare"]
    yield (
        "Milliseconds for a JPEG file of 12 megapixels (quality 90), all models, in a process that has loaded them: "
        f"{compare['ratio']:.1f} times as fast as the plain way."
    )
    yield _durations(compare)
    yield (
        "Large photos are reduced while they are decoded, and read once more as a whole when a model gives its label "
        f"less than {CONFIDENT:.0%} (see `catdog.photo.reader`): {figures['in_doubt']:.0%} of the test photos would "
        "be. How far the answers are from those to the whole photo, for the photos whose answers are only just clear, "
        "as these can move most; enlarged to 12 megapixels, and to the shorter side at which reduction leaves "
        "the fewest pixels. For scale, how far they move when the values of a model's input change by one grey level:"
    )
    rows = [
        (
            size, name, str(row["photos"]), f"{row['largest_change']:.4f}", f"{row['mean_change']:.5f}",
            str(row["labels_changed"]), f"{row['one_grey_level']:.4f}",
        )
        for size, models in figures["agreement"].items()
        for name, row in models.items()
    ]  # fmt: skip
    yield _table(("size", "model", "photos", "largest", "mean", "labels changed", "one grey level, largest"), rows)


def _durations(figures: Mapping[str, Any]) -> str:
    rows = [(shown, *_percentiles(figures[name]), str(figures[name]["count"])) for name, shown in SIDES.items()]
    return _table(("", "p50", "p95", "p99", "photos"), rows)


def _percentiles(row: Mapping[str, float]) -> Iterable[str]:
    return (f"{row[key]:.1f}" for key in ("p50", "p95", "p99"))


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}{unit}" if value >= 100 or value == int(value) else f"{value:.3g}{unit}"


def _from_to(ends: tuple[float, float] | None, unit: str) -> str:
    return "" if ends is None else f"{_number(ends[0], '')} to {_number(ends[1], unit)}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])

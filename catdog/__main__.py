"""The command line.

    python -m catdog predict IMAGE... [--model NAME] [--json [--explain]]
    python -m catdog classify DIR --out FILE.csv|FILE.parquet [--model NAME ...] [--workers N] [--restart]
    python -m catdog models [--json]
    python -m catdog convert

Settings come from the environment, as `catdog.settings` says. Answers go to stdout; what went wrong
goes to stderr, one sentence each. Exit codes: 0 done, 1 some inputs failed or no model could be
loaded, 2 wrong usage, 130 interrupted, 141 when nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from catdog import Settings, __version__, load, wording
from catdog.comparator import Comparator
from catdog.engine import describe
from catdog.errors import CatDogError, InvalidSettings, UnknownModel
from catdog.memory import limit_malloc
from catdog.models.locate import locate
from catdog.models.spec import ModelSpec
from catdog.terminal import hidden_stderr, never_fail_to_print, stopping
from catdog.verdict import Comparison, default_of

DONE, FAILED, WRONG_USAGE = 0, 1, 2
INTERRUPTED, CLOSED_PIPE = 130, 141  # 128 + the signal, as shells report them
MOST_WORKERS = 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; wrong arguments raise SystemExit(2)."""
    arguments = _parser().parse_args(argv)
    limit_malloc()
    try:
        with warnings.catch_warnings():
            # Pillow's remarks on odd metadata; what matters becomes an error of its own.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except (InvalidSettings, UnknownModel) as error:
        _complain(error)
        return WRONG_USAGE
    except CatDogError as error:
        _complain(error)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # Stdout cannot take more, and Python will flush it again at exit: let it find an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        _complain(f"{error}. Whatever was answered before holds.")
        return FAILED


def _parser() -> argparse.ArgumentParser:
    installed = Path(sys.argv[0]).stem == "catdog"
    prog = "catdog" if installed else "python -m catdog"
    parser = argparse.ArgumentParser(prog=prog, description="Cat or dog? Several models answer.")
    parser.add_argument("--version", action="version", version=f"catdog {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="ask the models about photos")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="a photo's file")
    predict.add_argument("--model", metavar="NAME", help="ask only this model")
    predict.add_argument("--json", action="store_true", help="print JSON Lines: one object per photo")
    predict.add_argument("--explain", action="store_true", help="with --json: where in the photo each label was found")
    predict.set_defaults(run=_predict)

    classify = commands.add_parser(
        "classify",
        help="ask the models about all photos of a folder",
        # By itself argparse would name DIR last, where --model takes it for the name of a model.
        usage="%(prog)s DIR --out FILE [--model NAME ...] [--workers N] [--restart]",
    )
    classify.add_argument("folder", metavar="DIR", type=Path, help="a folder of photos, in folders or not")
    classify.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="where the answers go: a .csv or .parquet file"
    )
    classify.add_argument(
        "--model", nargs="+", action="extend", default=[], dest="models", metavar="NAME", help="ask only these models"
    )
    classify.add_argument(
        "--workers", type=_count, metavar="N", help="processes that decode; by default one per core, at most 16"
    )
    classify.add_argument("--restart", action="store_true", help="forget the answers that FILE holds")
    classify.set_defaults(run=_classify)

    models = commands.add_parser("models", help="list the models, without loading them")
    models.add_argument("--json", action="store_true", help="print one JSON object")
    models.set_defaults(run=_models)

    convert = commands.add_parser("convert", help="convert the models for OpenVINO now rather than at the first start")
    convert.set_defaults(run=_convert)
    return parser


def _predict(arguments: argparse.Namespace) -> int:
    with hidden_stderr():
        comparator = load(Settings.from_env())
    code = DONE
    with contextlib.closing(comparator):
        _complain(*comparator.problems)
        for path in arguments.images:
            try:
                comparison = comparator.compare(path, model=arguments.model, explain=arguments.explain)
            except UnknownModel:
                raise  # the same for every photo
            except CatDogError as error:
                code = FAILED
                if arguments.json:
                    _print_json({"path": path, "error": error.to_dict()})
                else:
                    _complain(f"{_shown(path)}: {error}")
            else:
                if arguments.json:
                    _print_json({"path": path, **comparison.to_dict()})
                else:
                    print(_report(path, comparison, comparator), flush=True)
    return code


def _classify(arguments: argparse.Namespace) -> int:
    from catdog.folder.run import check, classify

    settings = Settings.from_env()
    check(arguments.folder, arguments.out)
    with hidden_stderr():
        comparator = load(settings)
    with contextlib.closing(comparator), stopping() as stop:
        _complain(*comparator.problems)
        summary = classify(
            arguments.folder, arguments.out, comparator,
            models=arguments.models, workers=arguments.workers, restart=arguments.restart, stop=stop,
        )  # fmt: skip
    if summary.failed:
        _complain(f"{summary.failed} of {summary.photos} photos have an error: see the last column.")
    if not summary.finished:
        _complain(f"Stopped after {summary.photos} photos. The same command, without --restart, goes on from there.")
    _print_json(dataclasses.asdict(summary))
    if not summary.finished:
        return INTERRUPTED
    return FAILED if summary.failed else DONE


def _models(arguments: argparse.Namespace) -> int:
    settings = Settings.from_env()
    located = locate(settings)
    specs = [model.spec for model in located.models]
    default = default_of(specs).name
    runtimes = [describe(spec, settings) for spec in specs]
    if arguments.json:
        models = [spec.public() | {"runtime": runtime} for spec, runtime in zip(specs, runtimes, strict=True)]
        _print_json({"default": default, "source": located.source, "problems": located.problems, "models": models})
        return DONE
    _complain(*located.problems)
    header = ("name", "title", "input", "classes", "val accuracy", "test accuracy", "file", "sha256", "runs on")
    rows = [(*_summary(spec), runtime) for spec, runtime in zip(specs, runtimes, strict=True)]
    print(*_aligned([header, *rows]), sep="\n")
    print(f"Default: {default}. Source: {located.source}.")
    return DONE


def _convert(arguments: argparse.Namespace) -> int:
    """Load every model, which converts it, on OpenVINO or not at all."""
    settings = dataclasses.replace(Settings.from_env(), engine="openvino")
    with hidden_stderr(), contextlib.closing(load(settings)) as comparator:
        runtimes = {name: classifier.engine.runtime for name, classifier in comparator.models.items()}
    print(*(f"{name} is ready to run on {runtime}." for name, runtime in runtimes.items()), sep="\n")
    _complain(*comparator.problems)
    return FAILED if comparator.problems else DONE


def _count(text: str) -> int:
    """A number of processes, for argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"it must be a whole number from 1 to {MOST_WORKERS}, received {text}")
    return int(text)


def _report(path: str, comparison: Comparison, comparator: Comparator) -> str:
    """The answers about one photo, a line per model, and what else is known of them, for people."""
    classes = list(dict.fromkeys(name for verdict in comparison.models for name in verdict.probabilities))
    rows = [("model", "label", "confidence", *classes, "time")]
    for verdict in comparison.models:
        shares = [_percent(verdict.probabilities.get(name)) for name in classes]
        time = f"{verdict.milliseconds:.1f} ms"
        rows.append((verdict.model, verdict.label, _percent(verdict.confidence), *shares, time))
    lines = [_shown(path), *(f"  {line}" for line in _aligned(rows, left=2))]
    if len(comparison.models) > 1 and not wording.is_neither(comparison):
        lines.append("  The models agree." if comparison.agree else "  The models disagree.")
    lines += [f"  {remark}" for remark in _remarks(comparison, comparator)]
    return "\n".join(lines)


def _remarks(comparison: Comparison, comparator: Comparator) -> Iterator[str]:
    """Sentences on how far the answers can be trusted; none where the specs do not know."""
    specs = comparator.specs
    if wording.is_neither(comparison):
        yield f"{wording.neither(specs)}: do not trust the answers above."
        return
    if favourite := wording.usually_right(comparison, specs):
        yield favourite
    if rate := wording.reliability(comparison.leading):
        yield f"{comparison.leader} is {wording.certainty(comparison.leading)}. {rate}"


def _summary(spec: ModelSpec) -> tuple[str, ...]:
    size = f"{spec.image_size} x {spec.image_size}"
    accuracies = [_accuracy(spec.metrics.get(split, {})) for split in ("val", "test")]
    return (spec.name, spec.title, size, ", ".join(spec.classes), *accuracies, _megabytes(spec.bytes), spec.sha256[:12])


def _accuracy(figures: dict[str, Any]) -> str:
    if "accuracy" not in figures:
        return "-"
    images = f" of {figures['images']}" if "images" in figures else ""
    return f"{100 * figures['accuracy']:.2f} %{images}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB"


def _percent(share: float | None) -> str:
    return "-" if share is None else wording.percent(share)


def _aligned(rows: Sequence[Sequence[str]], left: int | None = None) -> Iterator[str]:
    """Rows as lines of aligned columns: the first `left` of them to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = len(widths) if left is None else left
    for row in rows:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _shown(path: str) -> str:
    """A path as it is, unless it could upset a terminal."""
    return path if path.isprintable() else ascii(path)


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, allow_nan=False), flush=True)


def _complain(*problems: object) -> None:
    for problem in problems:
        print(f"catdog: {problem}", file=sys.stderr)


def run() -> None:
    """Run the command line of this process and end it."""
    never_fail_to_print()
    sys.exit(main())


if __name__ == "__main__":
    run()

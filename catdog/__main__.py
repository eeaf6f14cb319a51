"""The command line; `--help` says what there is.

Settings come from the environment, see `catdog.settings`. Answers go to stdout and problems, one sentence each, to
stderr. Exit codes: 0 done, 1 some inputs failed or no model could be loaded, 2 wrong usage, 130 interrupted, 141 when
nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from catdog import Settings, __version__, load, plain_text
from catdog.engine import describe
from catdog.errors import CatDogError, InvalidSettings, ModelUnavailable, UnknownModel
from catdog.memory import limit_malloc
from catdog.models.locate import locate
from catdog.terminal import hidden_stderr, never_fail_to_print, stopping
from catdog.verdict import default_of

DONE, FAILED, WRONG_USAGE = 0, 1, 2
INTERRUPTED, CLOSED_PIPE = 130, 141  # 128 + the signal, as shells report them
MOST_WORKERS = 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; wrong arguments raise SystemExit(2)."""
    arguments = _parser().parse_args(argv)
    limit_malloc()
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata; what matters becomes an error.
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
        # Stdout is closed or full, and Python flushes it again at exit: point it at an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        _complain(f"{error}. Whatever was answered before holds.")
        return FAILED


def _parser() -> argparse.ArgumentParser:
    prog = "catdog" if Path(sys.argv[0]).stem == "catdog" else "python -m catdog"
    parser = argparse.ArgumentParser(prog=prog, description="Cat or dog? Several models answer.")
    parser.add_argument("--version", action="version", version=f"catdog {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="ask the models about photos")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="a photo's file")
    predict.add_argument("--model", metavar="NAME", help="ask only this model")
    predict.add_argument("--json", action="store_true", help="print JSON Lines: one object per photo")
    predict.add_argument("--explain", action="store_true", help="with --json: add each model's heat map")
    predict.set_defaults(run=_predict)

    classify = commands.add_parser(
        "classify",
        help="ask the models about all photos of a folder",
        # argparse would print DIR last, where --model would take it for a name.
        usage="%(prog)s DIR --out FILE [--model NAME ...] [--workers N] [--restart]",
    )
    classify.add_argument("folder", metavar="DIR", type=Path, help="a folder of photos; the folders in it count too")
    classify.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="where the answers go: a .csv or .parquet file"
    )
    classify.add_argument(
        "--model", nargs="+", action="extend", default=[], dest="models", metavar="NAME", help="ask only these models"
    )
    classify.add_argument(
        "--workers", type=_count, metavar="N", help="processes that decode; by default one per core, at most 16"
    )
    classify.add_argument("--restart", action="store_true", help="discard the answers that FILE holds")
    classify.set_defaults(run=_classify)

    models = commands.add_parser("models", help="list the models, without loading them")
    models.add_argument("--json", action="store_true", help="print one JSON object")
    models.set_defaults(run=_models)

    convert = commands.add_parser("convert", help="convert the models for OpenVINO now rather than at the first start")
    convert.set_defaults(run=_convert)

    adopt = commands.add_parser("adopt", help="make a model of any Keras version ready to be served")
    adopt.add_argument(
        "path", metavar="FILE", type=Path, help="a .h5, .hdf5, .keras or model.json, or a folder or zip that holds one"
    )
    names = adopt.add_mutually_exclusive_group()
    names.add_argument("--classes", metavar="CLASS,CLASS", help="the classes, in the order of the model's outputs")
    names.add_argument("--labels", metavar="FILE", type=Path, help="a file that names them, one a line, or JSON")
    adopt.add_argument(
        "--photos", metavar="DIR", type=Path, help="photos that it was not trained on, in a folder for each class"
    )
    adopt.add_argument("--out", metavar="DIR", type=Path, default=Path("mine"), help="where it goes (default: mine)")
    adopt.add_argument("--name", help="its name, by default that of the file")
    adopt.add_argument("--size", type=_size, metavar="WxH", help="size of its photos, where the file does not say")
    adopt.add_argument("--logits", action="store_true", help="its linear outputs are logits")
    adopt.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    adopt.set_defaults(run=_adopt)
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
                    _complain(f"{plain_text.printable(path)}: {error}")
                continue
            if arguments.json:
                _print_json({"path": path, **comparison.to_dict()})
            else:
                print(plain_text.answer(path, comparison, comparator.specs), flush=True)
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
    _print_json(summary._asdict())
    if not summary.finished:
        return INTERRUPTED
    return FAILED if summary.failed else DONE


def _models(arguments: argparse.Namespace) -> int:
    settings = Settings.from_env()
    located = locate(settings)
    specs = [model.spec for model in located.models]
    default, runtimes = default_of(specs).name, [describe(spec, settings) for spec in specs]
    if arguments.json:
        models = [
            spec.public().model_dump() | {"runtime": runtime} for spec, runtime in zip(specs, runtimes, strict=True)
        ]
        _print_json({"default": default, "source": located.source, "problems": located.problems, "models": models})
        return DONE
    _complain(*located.problems)
    print(plain_text.table(specs, runtimes))
    print(f"Default: {default}. Source: {located.source}.")
    return DONE


def _convert(arguments: argparse.Namespace) -> int:
    """Load every model on OpenVINO, which converts it, or report why it cannot be."""
    settings = dataclasses.replace(Settings.from_env(), engine="openvino")
    with hidden_stderr(), contextlib.closing(load(settings)) as comparator:
        runtimes = {name: classifier.engine.runtime for name, classifier in comparator.models.items()}
    print(*(f"{name} is ready to run on {runtime}." for name, runtime in runtimes.items()), sep="\n")
    _complain(*comparator.problems)
    return FAILED if comparator.problems else DONE


def _adopt(arguments: argparse.Namespace) -> int:
    if find_spec("keras") is None:
        raise ModelUnavailable("adopt needs TensorFlow and Keras: install what requirements.txt names.")
    from catdog.adopt.adoption import adopt
    from catdog.adopt.source import read_labels
    from catdog.adopt.table import report

    classes = arguments.classes.split(",") if arguments.classes else ()
    if arguments.labels:
        classes = read_labels(arguments.labels)
    with hidden_stderr():
        adopted = adopt(
            arguments.path, arguments.out, classes=classes, photos=arguments.photos, size=arguments.size,
            logits=arguments.logits, name=arguments.name, overwrite=arguments.overwrite,
        )  # fmt: skip
    print(report(adopted))
    return DONE


def _size(text: str) -> tuple[int, int]:
    """Height and width, for argparse, from WIDTHxHEIGHT or the side of a square."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 8 <= int(side) <= 2048 for side in sides):
        raise argparse.ArgumentTypeError(f"it must be like 128x128, with sides from 8 to 2048, received {text}")
    return int(sides[-1]), int(sides[0])


def _count(text: str) -> int:
    """A number of processes, for argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"it must be a whole number from 1 to {MOST_WORKERS}, received {text}")
    return int(text)


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

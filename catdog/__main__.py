"""The command line; `--help` says what there is.

Settings come from the environment, see `catdog.settings`. Answers go to stdout and problems, one sentence each, to
stderr. Exit codes: 0 done, 1 some inputs failed or no model could be loaded, 2 wrong usage, 130 interrupted, 141 when
nobody reads the output any more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from catdog import Settings, __version__, load, plain_text
from catdog.engine import describe
from catdog.errors import CatDogError, InvalidImage, InvalidSettings, ModelUnavailable, UnknownModel
from catdog.folder import walk
from catdog.memory import limit_malloc
from catdog.models.locate import locate
from catdog.models.spec import respelt
from catdog.terminal import ending_at_once, hidden_stderr, never_fail_to_print, stopping
from catdog.verdict import default_of

if TYPE_CHECKING:
    from catdog.folder.run import Summary

DONE, FAILED, WRONG_USAGE = 0, 1, 2
INTERRUPTED, CLOSED_PIPE = 130, 141  # 128 + the signal, as shells report them
MOST_WORKERS = 1024
STDIN = "-"

app = typer.Typer(
    epilog="Exit codes: 0 done, 1 some inputs failed or no model could be loaded, 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _model_names() -> list[str]:
    """For tab completion; none where a repository would have to be asked, or nothing can be read."""
    with contextlib.suppress(CatDogError):
        settings = Settings.from_env()
        if not settings.hub_repo and all(isinstance(source, Path) for source in settings.sources):
            return [model.spec.name for model in locate(settings).models]
    return []


# Options of several commands
Models = Annotated[
    list[str],
    Option("--model", metavar="NAME", help="Ask only this model. Repeatable.", autocompletion=_model_names),
]
Weights = Annotated[
    list[str],
    Option(
        "--weights",
        metavar="FOLDER",
        help="A folder of models, or a repository USER/NAME[@REVISION] of the Hub, instead of what CATDOG_WEIGHTS and "
        "CATDOG_HUB_REPO say. Repeatable.",
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print JSON.")]


def _settings(weights: Sequence[str]) -> Settings:
    settings = Settings.from_env()
    return dataclasses.replace(settings, weights=os.pathsep.join(weights), hub_repo=None) if weights else settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    prog = "catdog" if Path(sys.argv[0]).stem == "catdog" else "python -m catdog"
    try:
        app(None if argv is None else list(argv), prog_name=prog)
    except SystemExit as exit:
        return int(exit.code or 0)
    return DONE


def command(function: Callable[..., int]) -> Callable[..., None]:
    """Register a function as a command that ends with the exit code it returns, and tells its errors in a sentence."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        raise typer.Exit(_code_of(function, given))

    return app.command()(run)


def _code_of(function: Callable[..., int], given: dict[str, Any]) -> int:
    limit_malloc()
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata; what matters becomes an error.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            code = function(**given)
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
        if error.filename is not None:  # a file that may not be read, and not stdout
            _complain(error)
            return FAILED
        # Stdout is closed or full, and Python flushes it again at exit: point it at an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return CLOSED_PIPE
        _complain(f"{error}. The answers before this are complete.")
        return FAILED


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"catdog {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, Option("--version", is_eager=True, callback=_tell_version, help="Print the version.")
    ] = False,
) -> None:
    """Cat or dog? Several models answer."""


@command
def predict(
    images: Annotated[list[str], Argument(metavar="IMAGE", help="Photos, folders, addresses, or - for stdin.")],
    model: Models = (),
    weights: Weights = (),
    as_json: AsJson = False,
    explain: Annotated[bool, Option("--explain", help="With --json: add each model's heat map.")] = False,
) -> int:
    """Ask the models about photos.

    Examples:

    catdog predict cat.jpg dog.jpg

    catdog predict --json --model xception holiday/

    catdog predict https://example.org/cat.jpg

    curl -s ADDRESS | catdog predict -
    """
    with hidden_stderr():
        comparator = ending_at_once(lambda: load(_settings(weights)))
    code = DONE
    _complain(*comparator.problems)
    comparator.chosen(model)  # raises UnknownModel before any photo is read
    for path, photo in _photos(images):
        try:
            if isinstance(photo, CatDogError):
                raise photo
            comparison = comparator.compare(photo, model=model, explain=explain)
            if as_json:
                _print_json({"path": path, **comparison.to_dict()})
            else:
                print(plain_text.answer(path, comparison, comparator.specs, colour=_in_colour()), flush=True)
        except CatDogError as error:
            code = FAILED
            if as_json:
                _print_json({"path": path, "error": error.to_dict()})
            else:
                _complain(f"{plain_text.printable(path)}: {error}")
    return code


def _photos(images: Sequence[str]) -> Iterator[tuple[str, str | IO[bytes] | CatDogError]]:
    """Each photo with its name for the output; the error in its place where there is none."""
    for path in images:
        if path == STDIN:
            # A service manager may have started this process without one.
            yield path, sys.stdin.buffer if sys.stdin else InvalidImage("There is no stdin. Name the photo's file.")
        elif os.path.isdir(path):
            empty = True
            for found in walk.find(Path(path)):
                empty, inside = False, os.path.join(path, found.path)
                special = os.path.exists(inside) and not os.path.isfile(inside)  # a pipe would be waited for
                problem = found.problem or ("It is not a regular file." if special else "")
                yield inside, InvalidImage(problem) if problem else inside
            if empty:
                yield path, InvalidImage("The folder holds no photos.")
        else:
            yield path, path


@command
def classify(
    source: Annotated[
        str,
        Argument(
            metavar="DIR",
            help="A folder of photos, with its subfolders. With --on ray also a .csv or .parquet file with a column "
            "path, Parquet files with the bytes of photos, or .tar files, here or at an address like s3://.",
        ),
    ],
    out: Annotated[
        str,
        Option(metavar="FILE", help="Where the answers go: a .csv or .parquet file; with --on ray a folder of them."),
    ],
    model: Models = (),
    weights: Weights = (),
    workers: Annotated[
        int | None,
        Option(
            min=1,
            max=MOST_WORKERS,
            help="Processes that decode photos; by default one per core, at most 16. With --on ray: workers; by "
            "default as many as there are cores for.",
        ),
    ] = None,
    restart: Annotated[bool, Option("--restart", help="Discard the answers that FILE holds.")] = False,
    as_json: AsJson = False,
    on: Annotated[str | None, Option(metavar="ray", help="Run on Ray, on this machine or on many.")] = None,
    address: Annotated[
        str | None, Option(help="With --on ray: address of the cluster, or auto. Without it, only this machine.")
    ] = None,
    cpus_per_worker: Annotated[
        int | None, Option(min=1, max=MOST_WORKERS, help="With --on ray: cores of each worker, by default 1.")
    ] = None,
) -> int:
    """Ask the models about all photos of a folder, and write a row for each photo and model.

    Repeat the command to continue an interrupted run. Examples:

    catdog classify photos --out answers.csv

    catdog classify s3://bucket/photos --out s3://bucket/answers --on ray --address auto
    """
    if on not in (None, "ray"):
        raise typer.BadParameter(f"--on must be ray. Received: {on}.")
    if not on and (address or cpus_per_worker):
        raise typer.BadParameter("--address and --cpus-per-worker need --on ray.")
    settings = _settings(weights)
    if on:
        summary, problems, interrupted = _classify_on_ray(
            source, out, settings, models=model, cluster=address, workers=workers, threads=cpus_per_worker or 1,
            restart=restart,
        )  # fmt: skip
        _complain(*problems)
    else:
        summary = _classify_here(Path(source), Path(out), settings, models=model, workers=workers, restart=restart)
        interrupted = not summary.finished
    if summary.failed:
        _complain(f"{summary.failed} of {summary.photos} photos could not be judged: see the last column.")
    if not summary.finished:
        _complain(f"Stopped after {summary.photos} photos. Repeat the command, without --restart, to continue.")
    if as_json:
        _print_json(summary._asdict())
    else:
        print(plain_text.summary(summary.photos, summary.judged, summary.seconds, summary.out))
    if not summary.finished:
        return INTERRUPTED if interrupted else FAILED
    return FAILED if summary.failed else DONE


def _classify_here(folder: Path, out: Path, settings: Settings, **options: Any) -> Summary:
    from catdog.folder.run import check, classify

    check(folder, out)
    with hidden_stderr():
        comparator = ending_at_once(lambda: load(settings))
    with stopping() as stop:
        _complain(*comparator.problems)
        return classify(folder, out, comparator, stop=stop, **options)


def _classify_on_ray(source: str, out: str, settings: Settings, **options: Any) -> tuple[Summary, list[str], bool]:
    """What was done, a sentence for each problem, and whether somebody stopped the run."""
    missing = [name for name in ("ray", "pyarrow") if find_spec(name) is None]
    if missing:
        raise InvalidSettings(f"--on ray needs {' and '.join(missing)}: `pip install 'catdog[ray]'`.")
    from catdog.cluster.on_ray import classify

    with stopping() as stop:
        return *classify(source, out, settings, stop=stop, **options), stop.is_set()


@command
def models(weights: Weights = (), as_json: AsJson = False) -> int:
    """List the models, without loading them."""
    settings = _settings(weights)
    located = locate(settings)
    specs = respelt(model.spec for model in located.models)
    default, runtimes = default_of(specs).name, [describe(spec, settings) for spec in specs]
    if as_json:
        models = [
            spec.public(model.source).model_dump() | {"runtime": runtime}
            for spec, model, runtime in zip(specs, located.models, runtimes, strict=True)
        ]
        _print_json({"default": default, "source": located.source, "problems": located.problems, "models": models})
        return DONE
    _complain(*located.problems)
    print(plain_text.table(specs, runtimes))
    print(f"Default: {default}. Source: {located.source}.")
    return DONE


@command
def convert(weights: Weights = ()) -> int:
    """Convert the models for OpenVINO now rather than at the first start."""
    settings = dataclasses.replace(_settings(weights), engine="openvino")
    with hidden_stderr():
        comparator = ending_at_once(lambda: load(settings))
    for name, classifier in comparator.models.items():
        print(f"{name} is ready to run on {classifier.engine.runtime}.")
    _complain(*comparator.problems)
    return FAILED if comparator.problems else DONE


@command
def adopt(
    path: Annotated[
        Path,
        Argument(metavar="FILE", help="A .h5, .hdf5, .keras or model.json, or a folder or zip that holds one."),
    ],
    classes: Annotated[
        str, Option(metavar="CLASS,CLASS", help="The classes, in the order of the model's outputs.")
    ] = "",
    labels: Annotated[
        Path | None, Option(metavar="FILE", help="A file with the names of the classes, one per line, or JSON.")
    ] = None,
    photos: Annotated[
        Path | None,
        Option(metavar="DIR", help="Photos that the model was not trained on, in a folder for each class."),
    ] = None,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for the adopted model.")] = Path("mine"),
    name: Annotated[str | None, Option(help="Name of the model, by default that of the file.")] = None,
    size: Annotated[str | None, Option(metavar="WxH", help="Size of the model's input, if FILE has none.")] = None,
    logits: Annotated[bool, Option("--logits", help="The model's linear outputs are logits.")] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace a model of that name.")] = False,
) -> int:
    """Make a model of any Keras version ready to be served.

    Example:

    catdog adopt keras_model.h5 --labels labels.txt --photos photos
    """
    if labels and classes:
        raise typer.BadParameter("Name the classes with --classes or with --labels, not with both.")
    if find_spec("keras") is None:
        raise ModelUnavailable("adopt needs TensorFlow and Keras: `pip install -r requirements.txt`.")
    from catdog.adopt.adoption import adopt
    from catdog.adopt.source import read_labels
    from catdog.adopt.table import report

    names = read_labels(labels) if labels else classes.split(",") if classes else ()
    sides = _size(size) if size else None
    with hidden_stderr():
        adopted = adopt(
            path, out, classes=names, photos=photos, size=sides, logits=logits, name=name, overwrite=overwrite
        )
    print(report(adopted))
    return DONE


def _size(text: str) -> tuple[int, int]:
    """Height and width, from WIDTHxHEIGHT or the side of a square; raises BadParameter."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 8 <= int(side) <= 2048 for side in sides):
        raise typer.BadParameter(f"--size must be like 128x128, with sides from 8 to 2048, received {text}.")
    return int(sides[-1]), int(sides[0])


def _in_colour() -> bool:
    """Whether stdout is a terminal that shows colours, and nobody asked for none (no-color.org)."""
    if not sys.stdout.isatty():
        return False
    from rich.console import Console  # slow to import

    console = Console()
    return console.color_system is not None and not console.no_color


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

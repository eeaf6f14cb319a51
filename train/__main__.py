"""Make, measure and publish the models.

The last line that a command prints is JSON, for programs.
"""

import contextlib
import dataclasses
import functools
import importlib.util
import inspect
import json
import os.path
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer import Argument, Option

from catdog.errors import CatDogError, InvalidSettings
from catdog.models.spec import ModelSpec
from catdog.terminal import never_fail_to_print, tell
from train.fit.job import Data, DatasetName, Job, Limit, More, Product
from train.networks.recipes import TEACHER_SIZE
from train.quiet import load_keras

app = typer.Typer(
    name="python -m train", help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
CONTINUES = "the same command, without --restart, continues after the last finished epoch"
NOTHING_WRITTEN = "nothing was written"


# Options of several commands
Weights = Annotated[Path, Option(help="Folder of the models.")]
Sources = Annotated[str, Option(metavar="FOLDER", help="Folder of the models, or several as in PATH: mine:weights.")]
Report = Annotated[Path, Option(help="Folder of the report.")]
Overwrite = Annotated[bool, Option("--overwrite", help="Change the specs of the models that ship with catdog, too.")]
Split = Annotated[Literal["val", "test"], Option(help="Photos to measure on.")]


def main(argv: list[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 an error told in one sentence, 2 wrong usage, 130 stopped by Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        app(argv, prog_name="python -m train", obj=shlex.join(["python", "-m", "train", *argv]))
    except SystemExit as exit:
        return int(exit.code or 0)
    return 0


def command(*, if_stopped: str, keras: bool = True) -> Callable:
    """Register a function as a command that tells its errors in one sentence, and on Ctrl-C what to do next.

    Where its first parameter is a dataclass, each annotated field of that is an option.
    """

    def register(function: Callable) -> Callable:
        signature = inspect.signature(function, eval_str=True)
        parameters = list(signature.parameters.values())
        group, fields = parameters[0].annotation, []
        if dataclasses.is_dataclass(group):
            fields = [p for p in inspect.signature(group, eval_str=True).parameters.values() if p.annotation is not str]
            parameters[:1] = fields

        @functools.wraps(function)
        def run(**given: Any) -> None:
            with _told(if_stopped):
                if keras:
                    load_keras()
                with warnings.catch_warnings():
                    # Pillow's remarks on odd metadata; what matters becomes an error of its own.
                    warnings.filterwarnings("ignore", module=r"PIL\.")
                    grouped = [group(**{field.name: given.pop(field.name) for field in fields})] if fields else []
                    function(*grouped, **given)

        run.__signature__ = signature.replace(parameters=[p.replace(kind=p.KEYWORD_ONLY) for p in parameters])
        return app.command()(run)

    return register


@contextlib.contextmanager
def _told(if_stopped: str) -> Iterator[None]:
    """End the command with a sentence on an error, or on Ctrl-C."""
    try:
        yield
        return
    except CatDogError as error:
        code, said = 1, f"error: {error}"
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        code, said = 1, f"error: A file cannot be read or written: {what}."
    except KeyboardInterrupt:
        code, said = 130, f"\nstopped; {if_stopped}"
    print(said, file=sys.stderr)
    raise typer.Exit(code)


@command(if_stopped=NOTHING_WRITTEN)
def prepare(
    sources: Annotated[list[Path], Argument(metavar="ZIP_OR_FOLDER...")],
    out: Annotated[Path, Option(help="Folder to make.")],
    val: Annotated[float, Option(help="Share of the photos without a split that becomes validation photos.")] = 0.1,
    test: Annotated[float, Option(help="Share of the photos without a split that becomes test photos.")] = 0.1,
    by_kind: Annotated[
        bool, Option("--by-kind", help="Split each kind by itself: a_1.jpg and a_2.jpg are of the kind a.")
    ] = False,
) -> None:
    """Turn zips or folders of photos into a clean data folder."""
    from train.data import prepare

    report = prepare.prepare(sources, out, val=val, test=test, by_kind=by_kind)
    print(prepare.describe(report))
    print(json.dumps({"out": str(out), "kept": report["kept"]}))


def _require_optuna() -> None:
    if importlib.util.find_spec("optuna") is None:
        raise InvalidSettings("A search needs Optuna: `pip install -r requirements-tune.txt`.")


def _as_the_best(context: typer.Context, trial: Path | None) -> Path | None:
    """Make the options of the best trial of a study the defaults."""
    if trial is not None:
        with _told(CONTINUES):
            load_keras()
            _require_optuna()
            from train.tune import study_file

            context.default_map = study_file.best_options(study_file.loaded(trial))
    return trial


@command(if_stopped=CONTINUES)
def fit(
    job: Job,
    context: typer.Context,
    trial: Annotated[
        Path | None,
        Option(
            metavar="STUDY",
            is_eager=True,
            callback=_as_the_best,
            help="Train with the recipe of the best trial in this folder of `tune`. Options given here override it.",
        ),
    ] = None,
) -> None:
    """Train a classifier on labelled photos; write its .h5 and its spec."""
    from train.fit import supervised

    job = _complete(job, context)
    if trial is not None:
        from train.tune import study_file

        job = dataclasses.replace(job, command=study_file.command(study_file.options(job)))
    _print_trained(supervised.fit(job), job)


@command(if_stopped="the same command, without --restart, continues the study")
def tune(
    job: Job,
    context: typer.Context,
    trials: Annotated[
        int | None, Option(help="Trials of the study, earlier ones included. Default: 20, with --grid all.")
    ] = None,
    space: Annotated[
        Path | None, Option(help="TOML file of the options to vary. Default: several, around the usual recipe.")
    ] = None,
    grid: Annotated[bool, Option("--grid", help="Try all combinations of the space.")] = False,
) -> None:
    """Search for a better recipe of `fit` on train and val; write a table, drawings and the best command."""
    _require_optuna()
    from train.tune import search, study_report

    job = _complete(job, context)
    study = search.search(job, trials=trials, space=space, as_grid=grid)
    found = study_report.report(study, job.run)
    print(found["summary"])
    best = {name: found[name] for name in ("trial", "log_loss", "command")}
    print(json.dumps({"study": str(job.run), "ended": found["ended"], "stopped": found["stopped"], "best": best}))


@command(if_stopped=CONTINUES)
def distill(
    job: Job,
    context: typer.Context,
    teacher: Annotated[Path, Option(help="An .h5: a classifier, or a model whose first layer extracts features.")],
    answers: Annotated[
        Path | None,
        Option(help="The .h5 that the teacher began with: its answers are imitated too."),
    ] = None,
    teacher_size: Annotated[int, Option(help="Size of the crops that the teacher sees, pixels.")] = TEACHER_SIZE,
    imitation: Annotated[float, Option(help="Weight of the loss from the teacher; the labels have weight 1.")] = 1.0,
) -> None:
    """Train a classifier to imitate a teacher's features and answers; write its .h5 and its spec."""
    from train.fit import distill

    told = {"teacher": teacher, "answers": answers, "teacher_size": teacher_size, "imitation": imitation}
    _print_trained(distill.distill(_complete(job, context), **told), job)


@command(if_stopped=NOTHING_WRITTEN)
def average(
    product: Product,
    context: typer.Context,
    files: Annotated[list[Path], Argument(metavar="FILE...", help=".h5 files; the one trained longest last.")],
) -> None:
    """Average the weights of classifiers that were trained from the same starting weights."""
    from train.fit import average

    _print_trained(average.average(_complete(product, context), files), product)


@command(if_stopped="nothing was recorded")
def evaluate(data: Data, split: Split = "test", weights: Sources = "weights", overwrite: Overwrite = False) -> None:
    """Measure the served models and record the figures in their specs."""
    from train.measure import evaluate
    from train.measure.served import require_told
    from train.report.results import doubt, figures_table

    require_told(weights, overwrite)
    results = evaluate.evaluate(weights, data, split)
    print(figures_table([(name, split, figures) for name, figures in results.items()]))
    tell(filter(None, (doubt(name, split, figures) for name, figures in results.items())))
    accuracy = {name: figures["accuracy"] for name, figures in results.items()}
    print(json.dumps({"split": split, "accuracy": accuracy}))


@command(if_stopped="nothing was recorded")
def calibrate(data: Data, more: More = (), weights: Sources = "weights", overwrite: Overwrite = False) -> None:
    """Learn on val how often answers of each confidence are right, which model to believe, and what to refuse."""
    from train.measure.calibration import calibrate
    from train.measure.served import require_told

    require_told(weights, overwrite)
    for name, spec in calibrate.calibrate(weights, data, more).items():
        learned = spec.model_dump()
        sizes = {field: len(json.dumps(learned[field])) for field in ("sureness", "disagreement")}
        told = {field: learned[field] for field in ("temperature", "clear", "neither")}
        print(json.dumps({"model": name, "characters": sizes} | told))


@command(if_stopped=NOTHING_WRITTEN)
def insight(
    data: Data,
    strangers: Annotated[Path, Option(help="Folder with folders of photos of neither class.")],
    split: Split = "test",
    more: More = (),
    weights: Sources = "weights",
    out: Report = Path("docs/report"),
    photos: Annotated[int, Option(help="Photos for heat maps.")] = 200,
) -> None:
    """Measure how faithful heat maps, error rates and refusals are."""
    from train.report.insight_figures import insight

    figures = insight(weights, data, strangers, out, split_name=split, photos=photos, more=more)
    rules = figures["neither"]["rules"]
    caught = {name: {key: rule[key]["share"] for key in ("refused_pets", "caught")} for name, rule in rules.items()}
    print(json.dumps({"out": str(out), "neither": caught, "cost": figures["cost"]["ratio_explained"]}))


@command(if_stopped="the same command starts again")
def strangers(
    out: Annotated[Path, Option(help="Folder to make.")],
    package: Annotated[Path, Option(help="Folder of the package's files.")] = Path("/usr/share/gcompris-qt/rcc"),
) -> None:
    """Make a folder of photos of neither out of Debian's package gcompris-qt-data."""
    from train.data import neither_photos

    print(json.dumps({"out": str(out)} | neither_photos.assemble(package, out)))


@command(if_stopped=NOTHING_WRITTEN, keras=False)
def compare(weights: Sources = "weights") -> None:
    """List the models by validation accuracy and name the default."""
    from train.report import results

    specs, problems = results.ranked(weights)
    tell(problems)
    print(results.figures_table(results.recorded(specs)))
    print(json.dumps(results.summary(specs)))


@command(if_stopped="the same command continues with the answers it has")
def report(
    context: typer.Context,
    data: Data,
    split: Split = "test",
    weights: Sources = "weights",
    out: Report = Path("docs/report"),
    dataset: DatasetName = "",
    more: More = (),
    limit: Limit = None,
    resamples: Annotated[int, Option(help="Bootstrap resamples behind intervals.")] = 1000,
) -> None:
    """Measure the served models and write a page with drawings about them."""
    from train.report.report_figures import report

    found = report(
        weights, data, split, out=out, limit=limit, dataset=dataset, resamples=resamples, more=more, command=context.obj
    )
    accuracy = {name: model["figures"]["accuracy"] for name, model in found["models"].items()}
    print(json.dumps({"report": str(out / "README.md"), "split": split, "accuracy": accuracy}))


def _repository(name: str | None) -> str | None:
    """The name of a Hub repository, or None; raises BadParameter for what is none."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name or "user/name")
    except HFValidationError as error:
        raise typer.BadParameter(str(error)) from error
    if name and "/" not in name:
        raise typer.BadParameter(f"It must be USER/NAME, received {name!r}.")
    return name


# The models that export and static take.
Repo = Annotated[
    str | None, Option(metavar="USER/NAME", callback=_repository, help="Take the models of this Hub repository.")
]
Revision = Annotated[str, Option(help="Commit, tag or branch of that repository.")]


def _folder_of(context: typer.Context, weights: Path, repo: str | None, revision: str) -> Path:
    """Where the models are: `weights`, or the Hub's cache of a repository. Raises BadParameter for useless options."""
    from catdog.models import hub

    if repo and _is_given(context, "weights"):
        raise typer.BadParameter("--weights and --repo exclude each other.")
    if not repo and _is_given(context, "revision"):
        raise typer.BadParameter("--revision needs --repo.")
    return hub.download(repo, revision) if repo else weights


def _is_given(context: typer.Context, option: str) -> bool:
    return context.get_parameter_source(option).name == "COMMANDLINE"


@command(if_stopped=NOTHING_WRITTEN)
def export(
    context: typer.Context,
    weights: Weights = Path("weights"),
    repo: Repo = None,
    revision: Revision = "main",
    data: Annotated[
        Path | None,
        Option(help="Data folder whose val photos, like the examples, check the files. Default: data, if it exists."),
    ] = None,
    limit: Limit = None,
    exact: Annotated[bool, Option("--exact", help="Round nothing, so that servers need no TensorFlow.")] = False,
    format: Annotated[Literal["onnx"], Option(help="Kind of files.")] = "onnx",
    out: Annotated[
        Path | None, Option(help="Folder of the ONNX files. Default: build/onnx; with --exact that of the models.")
    ] = None,
) -> None:
    """Write the models as ONNX files that answer as Keras does: small ones for browsers, or exact ones for servers."""
    from train.export import onnx_folder

    weights = _folder_of(context, weights, repo, revision)
    if exact and repo and not out:
        raise typer.BadParameter("With --exact and --repo, name a folder with --out.")
    out = out or (weights if exact else Path("build/onnx"))
    manifest = onnx_folder.export(weights, onnx_folder.photos(data, limit), out, exact=exact)
    figures = ("file", "bytes", "bits", "largest_difference", "photos")
    models = [{name: entry[name] for name in figures} for entry in manifest["models"]]
    print(json.dumps({"out": str(out), "models": models}))


@command(if_stopped=NOTHING_WRITTEN, keras=False)
def static(
    context: typer.Context,
    onnx: Annotated[Path, Option(help="Folder made by `export`.")] = Path("build/onnx"),
    weights: Weights = Path("weights"),
    repo: Repo = None,
    revision: Revision = "main",
    out: Annotated[Path, Option(help="Folder of the page.")] = Path("build/static"),
    address: Annotated[str, Option(help="Where it will be served, for the preview of links.", metavar="URL")] = "",
) -> None:
    """Build the app as static files, whose models run in the visitor's browser."""
    from train.export import static_page

    weights = _folder_of(context, weights, repo, revision)
    address = address and f"{address.rstrip('/')}/"
    print(json.dumps({"out": str(out)} | static_page.build(onnx, weights, out, address=address)))


@command(if_stopped=NOTHING_WRITTEN, keras=False)
def card(context: typer.Context, weights: Weights = Path("weights"), report: Report = Path("docs/report")) -> None:
    """Bring the generated parts of weights/README.md up to date."""
    from train.publish import commands

    _require_report(context, report)
    commands.card(weights, report)


@command(if_stopped="the same command continues", keras=False)
def publish(
    context: typer.Context,
    repo: Annotated[
        str | None, Option(metavar="USER/NAME", callback=_repository, help="Repository of the models.")
    ] = None,
    space: Annotated[
        str | None,
        Option(
            metavar="USER/NAME",
            callback=_repository,
            help="Publish the app to this Space. Without --repo, it keeps its models; a new one takes those of the "
            "repository of its name.",
        ),
    ] = None,
    revision: Annotated[str | None, Option(help="Commit, tag or branch of the models for the Space.")] = None,
    static: Annotated[
        Path | None, Option(help="Make it a static Space, which is free, of the page in this folder: build/static.")
    ] = None,
    weights: Weights = Path("weights"),
    report: Report = Path("docs/report"),
    data: Annotated[
        Path | None, Option(help="Data folder to check the figures on before publishing. Default: data, if it exists.")
    ] = None,
    unmeasured: Annotated[bool, Option("--unmeasured", help="Publish the figures without checking them.")] = False,
    replace_card: Annotated[bool, Option("--replace-card", help="Replace the text of the card on the Hub.")] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace models on the Hub of other classes.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would be published, and publish nothing.")] = False,
    private: Annotated[bool, Option("--private", help="Make a new repository or Space private.")] = False,
) -> None:
    """Publish models to a Hub repository, or the app to a Space, as one commit."""
    from train.publish import commands

    if data and unmeasured:
        raise typer.BadParameter("--data and --unmeasured exclude each other.")
    if static and not repo and _is_given(context, "revision"):
        raise typer.BadParameter("--revision needs --repo.")
    if space:
        _refuse(context, "a Space", "weights", "report", "data", "unmeasured", "replace_card", "overwrite")
        commands.publish_space(space, repo, revision or "main", static, dry_run=dry_run, private=private)
    elif repo:
        _refuse(context, "models", "revision", "static")
        if not (data or unmeasured) and Path("data").is_dir():
            data = Path("data")  # where the other commands put it
        _require_report(context, report)
        how = {"replace_card": replace_card, "overwrite": overwrite}
        commands.publish_models(repo, weights, report, data, dry_run=dry_run, private=private, **how)
    else:
        raise InvalidSettings("Say what to publish: the models with --repo USER/NAME, the app with --space USER/NAME.")


def _require_report(context: typer.Context, report: Path) -> None:
    """Raise InvalidSettings for a folder of a report that was named and is not there."""
    if _is_given(context, "report") and not report.is_dir():
        raise InvalidSettings(f"There is no folder {report}: `python -m train report --out {report}` makes it.")


def _refuse(context: typer.Context, what: str, *options: str) -> None:
    if named := ", ".join(f"--{name.replace('_', '-')}" for name in options if _is_given(context, name)):
        raise InvalidSettings(f"Not for {what}: {named}. Publish the models with --repo, the app with --space.")


def _complete(product: Product, context: typer.Context) -> Any:
    """`product` with the command line, and a folder of the run if it has none, named after the model and --out."""
    out = re.sub(r"[^\w.-]+", "-", os.path.relpath(product.out))[-100:].strip("-.")
    own = "" if out == "weights" else f"-{out}"
    run = product.run or Path("runs") / f"{context.info_name}-{product.name}{own}"
    return dataclasses.replace(product, run=run, command=context.obj)


def _print_trained(spec: ModelSpec, product: Product) -> None:
    from train.report.results import doubt

    val = spec.metrics["val"]
    tell(filter(None, [doubt(spec.name, "val", val, spec.temperature)]))
    figures = {"val_accuracy": val["accuracy"], "images": val["images"], "temperature": spec.temperature}
    if "elsewhere" in spec.metrics:
        figures["accuracy_elsewhere"] = spec.metrics["elsewhere"]["accuracy"]
    if spec.neither:
        figures["neither"] = spec.neither.model_dump()
    made = {"model": spec.name, "file": str(product.file), "run": str(product.run), "bytes": spec.bytes}
    print(json.dumps(made | figures))


if __name__ == "__main__":
    never_fail_to_print()
    sys.exit(main())

"""Make, measure and publish the models."""

from __future__ import annotations

import dataclasses
import functools
import json
import shlex
import sys
import warnings
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from catdog.errors import CatDogError, InvalidSettings
from catdog.terminal import never_fail_to_print, tell
from train.quiet import load_keras

app = typer.Typer(
    name="python -m train", help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
CONTINUES = "the same command, without --restart, continues after the last finished epoch"
NOTHING_WRITTEN = "nothing was written"


class Split(StrEnum):
    """The photos that a model can be measured on."""

    VAL = "val"
    TEST = "test"


# Options of several commands
Name = Annotated[str, typer.Argument(help="Architecture: scratch_cnn, xception, mobilenet_v2, ...")]
Data = Annotated[Path, typer.Option(help="Folder made by `prepare`.")]
More = Annotated[list[Path], typer.Option(help="Another data folder, such as one with photos of neither. Repeatable.")]
Weights = Annotated[Path, typer.Option(help="Folder of the models.")]
Report = Annotated[Path, typer.Option(help="Folder of the report.")]
SplitOption = Annotated[Split, typer.Option(help="Photos to measure on.")]
Out = Annotated[Path, typer.Option(help="Folder for the model.")]
ImageSize = Annotated[int | None, typer.Option(help="Input size of the served model, pixels.")]
Run = Annotated[Path | None, typer.Option(help="Folder of the checkpoints and of the model before rounding.")]
Limit = Annotated[int | None, typer.Option(help="Use only the first photos of each class.")]
DatasetName = Annotated[str, typer.Option(help="Name of the data, for the model card.")]
Base = Annotated[str | None, typer.Option(help="Weights of the base: imagenet, none, or an .h5 that begins with it.")]
Start = Annotated[Path | None, typer.Option(help="An .h5 of the same architecture to continue from.")]
Restart = Annotated[bool, typer.Option("--restart", help="Ignore the checkpoints of an earlier run.")]
# What a recipe can be told
Stages = Annotated[str | None, typer.Option(metavar="SIZExEPOCHS,...", help="Photo sizes and epochs: 96x20,128x4.")]
FrozenStages = Annotated[int | None, typer.Option(help="How many of the first stages keep the base as it is.")]
BatchSize = Annotated[int | None, typer.Option(help="Photos per step.")]
LearningRate = Annotated[float | None, typer.Option(help="Peak learning rate.")]
Crop = Annotated[float | None, typer.Option(help="Least share of a photo that a random crop keeps.")]
CutMix = Annotated[float | None, typer.Option(help="Share of photos with a box of another pasted in.")]
Degrade = Annotated[float | None, typer.Option(help="Share of photos that are blurred, shrunk, tilted, ...")]
Steps = Annotated[int | None, typer.Option(help="Batches per epoch. Default: every photo once.")]
Settled = Annotated[
    bool | None, typer.Option("--settled", help="Keep the batch norm statistics and depthwise kernels.")
]
Ema = Annotated[float | None, typer.Option(help="Momentum of the moving average of the weights; 0 for none.")]
Seed = Annotated[int | None, typer.Option(help="Seed of all random numbers.")]
Precision = Annotated[str | None, typer.Option(help="auto, float32 or mixed_bfloat16.")]


def main(argv: list[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 an error told in one sentence, 2 wrong usage, 130 stopped by Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        app(argv, prog_name="python -m train", obj=shlex.join(["python", "-m", "train", *argv]))
    except SystemExit as exit:
        return int(exit.code or 0)
    return 0


def command(*, if_stopped: str, name: str | None = None, keras: bool = True) -> Callable:
    """Register a function as a command that tells its errors in one sentence, and on Ctrl-C what to do next."""

    def register(function: Callable) -> Callable:
        @app.command(name)
        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            try:
                if keras:
                    load_keras()
                with warnings.catch_warnings():
                    # Pillow's remarks on odd metadata; what matters becomes an error of its own.
                    warnings.filterwarnings("ignore", module=r"PIL\.")
                    function(*arguments, **options)
            except CatDogError as error:
                _fail(str(error))
            except OSError as error:
                what = f"{error.filename}: {error.strerror}" if error.filename else error
                _fail(f"A file cannot be read or written: {what}.")
            except KeyboardInterrupt:
                print(f"\nstopped; {if_stopped}", file=sys.stderr)
                raise typer.Exit(130) from None

        return run

    return register


def _fail(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr)
    raise typer.Exit(1)


@command(if_stopped=NOTHING_WRITTEN)
def prepare(
    sources: Annotated[list[Path], typer.Argument(metavar="ZIP_OR_FOLDER...")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    val: Annotated[float, typer.Option(help="Share of the photos without a split.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the photos without a split.")] = 0.1,
    by_kind: Annotated[
        bool, typer.Option("--by-kind", help="Split photos whose names begin alike (a_1.jpg, a_2.jpg) kind by kind.")
    ] = False,
) -> None:
    """Turn zips or folders of photos into a clean data folder."""
    from train.data import prepare

    report = prepare.prepare(sources, out, val=val, test=test, by_kind=by_kind)
    print(prepare.describe(report))
    _print_json({"out": str(out), "kept": report["kept"]})


@command(if_stopped=CONTINUES)
def fit(
    context: typer.Context,
    name: Name,
    data: Data,
    more: More = [],  # noqa: B006
    base: Base = None,
    start: Start = None,
    out: Out = Path("weights"),
    run: Run = None,
    restart: Restart = False,
    image_size: ImageSize = None,
    limit: Limit = None,
    dataset: DatasetName = "",
    stages: Stages = None,
    frozen_stages: FrozenStages = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    crop: Crop = None,
    cutmix: CutMix = None,
    degrade: Degrade = None,
    steps: Steps = None,
    settled: Settled = None,
    ema: Ema = None,
    seed: Seed = None,
    precision: Precision = None,
) -> None:
    """Train a classifier on labelled photos; write its .h5 and its spec."""
    from train.fit import supervised

    _require_beginning(base, start, frozen_stages)
    job = _job(context, _recipe_of(name))
    _print_trained(supervised.fit(job, base=base, start=start), job)


@command(if_stopped=CONTINUES)
def distill(
    context: typer.Context,
    name: Name,
    data: Data,
    teacher: Annotated[Path, typer.Option(help="A classifier's .h5, or one whose first layer extracts features.")],
    answers: Annotated[
        Path | None, typer.Option(help="An .h5 whose last layer says what the teacher knew before.")
    ] = None,
    teacher_size: Annotated[int | None, typer.Option(help="Size of the crops that the teacher sees, pixels.")] = None,
    imitation: Annotated[float | None, typer.Option(help="Weight of the teacher, where the labels count 1.")] = None,
    more: More = [],  # noqa: B006
    base: Base = None,
    start: Start = None,
    out: Out = Path("weights"),
    run: Run = None,
    restart: Restart = False,
    image_size: ImageSize = None,
    limit: Limit = None,
    dataset: DatasetName = "",
    stages: Stages = None,
    frozen_stages: FrozenStages = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    crop: Crop = None,
    cutmix: CutMix = None,
    degrade: Degrade = None,
    steps: Steps = None,
    settled: Settled = None,
    ema: Ema = None,
    seed: Seed = None,
    precision: Precision = None,
) -> None:
    """Train a classifier to imitate a teacher's features and answers; write its .h5 and its spec."""
    from train.fit import distill
    from train.networks.recipes import DISTILLATION

    _require_beginning(base, start, frozen_stages)
    _recipe_of(name)
    job = _job(context, DISTILLATION)
    options = {"start": start, "base": base, "answers": answers, "teacher_size": teacher_size, "imitation": imitation}
    given = {key: value for key, value in options.items() if value is not None}
    _print_trained(distill.distill(job, teacher=teacher, **given), job)


@command(if_stopped=NOTHING_WRITTEN)
def average(
    context: typer.Context,
    name: Name,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=".h5 files; the one trained longest last.")],
    data: Data,
    more: More = [],  # noqa: B006
    out: Out = Path("weights"),
    run: Run = None,
    image_size: ImageSize = None,
    limit: Limit = None,
    dataset: DatasetName = "",
) -> None:
    """Average the weights of classifiers that continued from the same ones."""
    from train.fit import average
    from train.fit.job import Product

    product = Product(**_product(context))
    _print_trained(average.average(product, files), product)


@command(if_stopped="nothing was recorded")
def evaluate(
    data: Data,
    split: SplitOption = Split.TEST,
    weights: Weights = Path("weights"),
    exact: Annotated[
        list[Path], typer.Option(help="Unrounded .h5 of a run folder, to count what rounding changed. Repeatable.")
    ] = [],  # noqa: B006
) -> None:
    """Measure the served models and record the figures in their specs."""
    from train.measure import evaluate
    from train.report.results import figures_table

    results = evaluate.evaluate(weights, data, split.value, exact)
    print(figures_table([(name, split.value, figures) for name, figures in results.items()]))
    for name, figures in results.items():
        if "rounding" in figures:
            print(f"Rounding the weights of {name}: {figures['rounding']}")
    accuracy = {name: figures["accuracy"] for name, figures in results.items()}
    _print_json({"split": split.value, "accuracy": accuracy})


@command(if_stopped="nothing was recorded")
def calibrate(data: Data, more: More = [], weights: Weights = Path("weights")) -> None:  # noqa: B006
    """Learn on val how often a model's answers are right, and when it should refuse one."""
    from train.measure.calibration import calibrate

    for name, spec in calibrate.calibrate(weights, data, more).items():
        learned = spec.model_dump()
        sizes = {field: len(json.dumps(learned[field])) for field in ("sureness", "novelty", "disagreement")}
        _print_json({"model": name, "characters": sizes, "clear": spec.clear, "neither": learned["neither"]})


@command(if_stopped=NOTHING_WRITTEN)
def insight(
    data: Data,
    strangers: Annotated[Path, typer.Option(help="Folder with folders of photos of neither class.")],
    split: SplitOption = Split.TEST,
    weights: Weights = Path("weights"),
    out: Report = Path("docs/report"),
    photos: Annotated[int, typer.Option(help="Photos for heat maps.")] = 200,
) -> None:
    """Measure heat maps, error rates and what is refused as neither."""
    from train.report.insight_figures import insight

    figures = insight(weights=weights, data=data, strangers=strangers, out=out, photos=photos, split_name=split.value)
    rules = figures["neither"]["rules"]
    caught = {name: {key: rule[key]["share"] for key in ("refused_pets", "caught")} for name, rule in rules.items()}
    _print_json({"out": str(out), "neither": caught, "cost": figures["cost"]["ratio_explained"]})


@command(if_stopped="the same command starts again")
def strangers(
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    package: Annotated[Path, typer.Option(help="Installed package.")] = Path("/usr/share/gcompris-qt/rcc"),
) -> None:
    """Make a folder of photos of neither out of Debian's package gcompris-qt-data."""
    from train.data import neither_photos

    _print_json({"out": str(out)} | neither_photos.assemble(package, out))


@command(if_stopped=NOTHING_WRITTEN, keras=False)
def compare(weights: Weights = Path("weights")) -> None:
    """List the models by validation accuracy and name the default."""
    from train.report import results

    specs, problems = results.ranked(weights)
    tell(problems)
    print(results.compared(specs))
    _print_json(results.summary(specs))


@command(if_stopped="the same command continues with the answers it has")
def report(
    context: typer.Context,
    data: Data,
    split: SplitOption = Split.TEST,
    weights: Weights = Path("weights"),
    out: Report = Path("docs/report"),
    dataset: DatasetName = "",
    limit: Limit = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples behind intervals.")] = 1000,
) -> None:
    """Measure the served models and write a page with drawings about them."""
    from train.report.report_figures import report

    found = report(
        weights, data, split.value, out=out, limit=limit, dataset=dataset, resamples=resamples, command=context.obj
    )
    accuracy = {name: model["figures"]["accuracy"] for name, model in found["models"].items()}
    _print_json({"report": str(out / "README.md"), "split": split.value, "accuracy": accuracy})


def _repository(name: str | None) -> str | None:
    """The name of a Hub repository, once it is known to be one."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name or "user/name")
    except HFValidationError as error:
        raise typer.BadParameter(str(error)) from error
    if name and "/" not in name:
        raise typer.BadParameter(f"It must be USER/NAME, received {name!r}.")
    return name


@command(if_stopped=NOTHING_WRITTEN, keras=False)
def card(weights: Weights = Path("weights"), report: Report = Path("docs/report")) -> None:
    """Bring the generated parts of weights/README.md up to date."""
    from train.publish import commands

    commands.card(weights, report)


@command(if_stopped="the same command continues", keras=False)
def publish(
    context: typer.Context,
    repo: Annotated[
        str | None, typer.Option(metavar="USER/NAME", callback=_repository, help="Repository of the models.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="USER/NAME",
            callback=_repository,
            help="Publish the app to this Space. Without --repo it keeps its models, or takes those of its name.",
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of the models for the Space.")] = None,
    weights: Weights = Path("weights"),
    report: Report = Path("docs/report"),
    data: Annotated[
        Path | None, typer.Option(help="Photos to measure the figures on again. Default: data, if it exists.")
    ] = None,
    unmeasured: Annotated[bool, typer.Option("--unmeasured", help="Do not measure the figures again.")] = False,
    replace_card: Annotated[bool, typer.Option("--replace-card", help="Replace the text of the card there.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and publish nothing.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository or Space private.")] = False,
) -> None:
    """Publish models to a Hub repository, or the app to a Space, as one commit."""
    from train.publish import commands

    if data and unmeasured:
        raise typer.BadParameter("--data and --unmeasured exclude each other.")
    if space:
        _refuse(context, "a Space", "weights", "report", "data", "unmeasured", "replace_card")
        commands.publish_space(space, repo, revision or "main", dry_run=dry_run, private=private)
    elif repo:
        _refuse(context, "models", "revision")
        if not (data or unmeasured) and Path("data").is_dir():
            data = Path("data")  # where the other commands put it
        how = {"replace_card": replace_card, "dry_run": dry_run, "private": private}
        commands.publish_models(repo, weights, report, data, **how)
    else:
        raise InvalidSettings("Say what to publish: the models with --repo USER/NAME, the app with --space USER/NAME.")


def _refuse(context: typer.Context, what: str, *options: str) -> None:
    """Raise InvalidSettings when one of these options was given."""
    given = (name for name in options if context.get_parameter_source(name).name == "COMMANDLINE")
    if named := ", ".join(f"--{name.replace('_', '-')}" for name in given):
        raise InvalidSettings(f"Not for {what}: {named}. Publish the models with --repo, the app with --space.")


def _require_beginning(base: str | None, start: Path | None, frozen_stages: int | None) -> None:
    if base is not None and start is not None:
        raise typer.BadParameter("--base and --start exclude each other.")
    if frozen_stages and not start and base in (None, "none"):
        raise InvalidSettings("Random weights are not worth freezing: --frozen-stages needs --base or --start.")


def _recipe_of(name: str) -> Any:
    """The recipe of `fit` for an architecture; raises InvalidSettings for an unknown one."""
    from train.networks import architectures
    from train.networks.recipes import RECIPES

    architectures.get(name)
    return RECIPES[name]


def _product(context: typer.Context) -> dict[str, Any]:
    """The fields of a Product from the options of a command."""
    given = context.params
    run = given["run"] or Path("runs") / f"{context.info_name}-{given['name']}"
    same = {name: given[name] for name in ("name", "data", "out", "image_size", "limit", "dataset")}
    return same | {"run": run, "more": tuple(given["more"]), "command": context.obj}


def _job(context: typer.Context, recipe: Any) -> Any:
    """The Job that the options of a command ask for: the default recipe with what they say instead."""
    from train.fit.job import Job
    from train.networks.recipes import parse_stages

    names = [field.name for field in dataclasses.fields(recipe)]
    given = {name: value for name, value in context.params.items() if name in names and value is not None}
    if "stages" in given:
        given = {"frozen_stages": 0} | given | {"stages": parse_stages(given["stages"])}
    if context.params["crop"] is not None:
        given["scale"] = (context.params["crop"], 1.0)
    return Job(recipe=dataclasses.replace(recipe, **given), restart=context.params["restart"], **_product(context))


def _print_trained(spec: Any, product: Any) -> None:
    val = spec.metrics["val"]
    figures = {"val_accuracy": val["accuracy"], "images": val["images"], "temperature": spec.temperature}
    if "elsewhere" in spec.metrics:
        figures["accuracy_elsewhere"] = spec.metrics["elsewhere"]["accuracy"]
    if spec.neither:
        figures["neither"] = spec.neither.model_dump()
    _print_json({"model": spec.name, "file": str(product.file), "bytes": spec.bytes} | figures)


def _print_json(result: dict[str, Any]) -> None:
    """The last line of every command, for programs."""
    print(json.dumps(result))


if __name__ == "__main__":
    never_fail_to_print()
    sys.exit(main())

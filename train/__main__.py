"""Make, measure and publish the models; `python -m train --help` lists the commands."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
import warnings
from pathlib import Path

from catdog.errors import CatDogError, InvalidSettings
from catdog.terminal import never_fail_to_print, tell

from . import release
from .quiet import load_keras

GOES_ON = "the same command, without --restart, goes on from the last finished epoch"


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when done, 1 on an error told in one sentence, 2 on wrong usage."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(argv)
    arguments.command = shlex.join(["python", "-m", "train", *argv])
    try:
        if arguments.needs_keras:
            load_keras()
        with warnings.catch_warnings():
            # Pillow's remarks on odd metadata; what matters becomes an error of its own.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            arguments.run_command(arguments)
    except CatDogError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"error: A file cannot be read or written: {what}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped; {arguments.after_stop}", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    parser.set_defaults(needs_keras=True)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    prepare = commands.add_parser("prepare", help="zips or folders of photos -> a clean data folder")
    prepare.add_argument("sources", nargs="+", type=Path, metavar="ZIP_OR_DIR")
    prepare.add_argument("--out", type=Path, required=True)
    prepare.add_argument("--val", type=float, default=0.1, help="share of photos without a split (default 0.1)")
    prepare.add_argument("--test", type=float, default=0.1, help="share of photos without a split (default 0.1)")
    prepare.add_argument(
        "--by-kind", action="store_true", help="divide photos whose names begin alike, as a_1.jpg and a_2.jpg, by kinds"
    )
    prepare.set_defaults(run_command=_prepare, after_stop="nothing was written")

    fit = commands.add_parser("fit", help="train a classifier and write its .h5 and spec")
    fit.add_argument("name", help="scratch_cnn, xception, mobilenet_v2 or resnet50")
    beginning = fit.add_mutually_exclusive_group()
    beginning.add_argument(
        "--base", default=None, help="imagenet, none or an .h5 that begins with this base; scratch_cnn takes none"
    )
    beginning.add_argument("--start", type=Path, default=None, help="an .h5 of the same architecture to go on from")
    fit.add_argument("--frozen-stages", type=int, default=None, help="first stages with a frozen base")
    _add_training_arguments(fit)
    fit.set_defaults(run_command=_fit, after_stop=GOES_ON, verb="fit")

    distill = commands.add_parser("distill", help="train a classifier to imitate a teacher's features and answers")
    distill.add_argument("name", help="the student: xception, ...")
    distill.add_argument(
        "--teacher",
        type=Path,
        required=True,
        help="a classifier's .h5, with its spec for its answers; or one whose first layer is the feature extractor",
    )
    beginning = distill.add_mutually_exclusive_group()
    beginning.add_argument("--base", default=None, help="imagenet or an .h5 that begins with the student's base")
    beginning.add_argument("--start", type=Path, default=None, help="an .h5 of the student to go on from")
    distill.add_argument(
        "--answers", type=Path, default=None, help="an .h5 whose last layer says what the teacher knew before"
    )
    distill.add_argument("--teacher-size", type=int, default=None, help="pixels of the crops that the teacher sees")
    distill.add_argument("--frozen-stages", type=int, default=None, help="first stages with a frozen base")
    distill.add_argument("--imitation", type=float, default=None, help="what the teacher counts, where labels count 1")
    _add_training_arguments(distill)
    distill.set_defaults(run_command=_distill, after_stop=GOES_ON, verb="distill")

    average = commands.add_parser("average", help="classifiers that went on from the same weights -> one, their mean")
    average.add_argument("name", help="what they are: mobilenet_v2, ...")
    average.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".h5, the one with most training last")
    average.add_argument("--data", type=Path, required=True, help="folder made by prepare")
    _add_places(average)
    average.set_defaults(run_command=_average, after_stop="nothing was written", verb="average")

    evaluate = commands.add_parser("evaluate", help="measure the served models and record it in their specs")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--split", choices=("val", "test"), default="test")
    evaluate.add_argument("--weights", type=Path, default=Path("weights"))
    evaluate.add_argument(
        "--exact", type=Path, action="append", default=[], help="unrounded .h5 in a run folder, to count what changed"
    )
    evaluate.set_defaults(run_command=_evaluate, after_stop="nothing was recorded")

    calibrate = commands.add_parser("calibrate", help="learn on val how sure, strange and right answers are")
    calibrate.add_argument("--data", type=Path, required=True)
    calibrate.add_argument(
        "--more",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="further folders with photos of neither",
    )
    calibrate.add_argument("--weights", type=Path, default=Path("weights"))
    calibrate.set_defaults(run_command=_calibrate, after_stop="nothing was recorded")

    insight = commands.add_parser("insight", help="measure heat maps, sureness and what is refused as neither")
    insight.add_argument("--data", type=Path, required=True)
    insight.add_argument("--split", choices=("val", "test"), default="test")
    insight.add_argument("--strangers", type=Path, required=True, help="folders with photos of neither class")
    insight.add_argument("--weights", type=Path, default=Path("weights"))
    insight.add_argument("--out", type=Path, default=Path("docs/report"))
    insight.add_argument("--photos", type=int, default=200, help="photos for heat maps (default 200)")
    insight.set_defaults(run_command=_insight, after_stop="nothing was written")

    strangers = commands.add_parser("strangers", help="a folder of photos of neither, from Debian's gcompris-qt-data")
    strangers.add_argument("--package", type=Path, default=Path("/usr/share/gcompris-qt/rcc"))
    strangers.add_argument("--out", type=Path, required=True)
    strangers.set_defaults(run_command=_strangers, after_stop="the same command starts again")

    compare = commands.add_parser("compare", help="list the models by validation accuracy and name the default")
    compare.add_argument("--weights", type=Path, default=Path("weights"))
    compare.set_defaults(run_command=_compare, after_stop="nothing was written", needs_keras=False)

    report = commands.add_parser("report", help="measure the served models and write a page with drawings about it")
    report.add_argument("--data", type=Path, required=True)
    report.add_argument("--split", choices=("val", "test"), default="test")
    report.add_argument("--weights", type=Path, default=Path("weights"))
    report.add_argument("--out", type=Path, default=Path("docs/report"), help="folder (default docs/report)")
    report.add_argument("--dataset", default="", help="name of the data, for the page")
    report.add_argument("--limit", type=int, default=None, help="use only the first photos of each class")
    report.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples behind intervals")
    report.set_defaults(run_command=_report, after_stop="the same command goes on with the answers it has")

    release.add_commands(commands)
    return parser


def _add_training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder made by prepare")
    _add_places(parser)
    parser.add_argument("--restart", action="store_true", help="forget the checkpoints of an earlier run")
    parser.add_argument(
        "--stages",
        default=None,
        metavar="SIZExEPOCHS,...",
        help="e.g. 96x20,128x4; the base is frozen in none of them unless --frozen-stages says so",
    )
    parser.add_argument("--batch-size", type=int, default=None)
    parser.add_argument("--learning-rate", type=float, default=None)
    parser.add_argument("--crop", type=float, default=None, help="least share of a photo that a random crop keeps")
    parser.add_argument("--cutmix", type=float, default=None, help="share of photos with a box of another pasted in")
    parser.add_argument(
        "--degrade", type=float, default=None, help="share of photos that are blurred, shrunk, tilted, ..."
    )
    parser.add_argument("--steps", type=int, default=None, help="batches in an epoch; all photos once unless given")
    parser.add_argument(
        "--settled", action="store_true", default=None, help="keep the statistics of batch norm and depthwise kernels"
    )
    parser.add_argument(
        "--ema", type=float, default=None, help="momentum of the moving average of the weights, 0 for none"
    )
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--precision", default=None, help="auto, float32 or mixed_bfloat16")


def _add_places(parser: argparse.ArgumentParser) -> None:
    """What every command takes that makes a model."""
    parser.add_argument("--out", type=Path, default=Path("weights"), help="folder for the result (default weights)")
    parser.add_argument("--image-size", type=int, default=None, help="input size of the served model, pixels")
    parser.add_argument("--run", type=Path, default=None, help="folder of checkpoints and of the model before rounding")
    parser.add_argument(
        "--more", type=Path, action="append", default=[], metavar="FOLDER", help="further data folders to learn from"
    )
    parser.add_argument("--limit", type=int, default=None, help="use only the first photos of each class")
    parser.add_argument("--dataset", default="", help="name of the data, for the model card")


def _prepare(arguments: argparse.Namespace) -> None:
    from . import prepare

    report = prepare.prepare(
        arguments.sources, arguments.out, val=arguments.val, test=arguments.test, by_kind=arguments.by_kind
    )
    print(prepare.describe(report))
    print(json.dumps({"out": str(arguments.out), "kept": report["kept"]}))


def _fit(arguments: argparse.Namespace) -> None:
    from . import fit

    job = _job(arguments, fit.RECIPES[_known(arguments.name)])
    if arguments.frozen_stages and not arguments.start and arguments.base in (None, "none"):
        raise InvalidSettings("Random weights are not worth freezing: --frozen-stages needs --base or --start.")
    _say_trained(fit.fit(job, base=arguments.base, start=arguments.start), job)


def _distill(arguments: argparse.Namespace) -> None:
    from . import distill

    _known(arguments.name)
    job = _job(arguments, distill.RECIPE)
    if arguments.frozen_stages and not arguments.start and not arguments.base:
        raise InvalidSettings("Random weights are not worth freezing: --frozen-stages needs --base or --start.")
    given = {
        name: getattr(arguments, name) for name in ("teacher", "start", "base", "answers", "teacher_size", "imitation")
    }
    _say_trained(distill.distill(job, **{name: value for name, value in given.items() if value is not None}), job)


def _average(arguments: argparse.Namespace) -> None:
    from . import average
    from .fit import Product

    product = Product(**_product(arguments))
    _say_trained(average.average(product, arguments.files), product)


def _known(name: str) -> str:
    from . import architectures

    architectures.get(name)
    return name


def _job(arguments: argparse.Namespace, recipe):
    from .fit import Job

    return Job(recipe=_recipe(recipe, arguments), restart=arguments.restart, **_product(arguments))


def _product(arguments: argparse.Namespace) -> dict[str, object]:
    """The fields of a Product."""
    same = ("name", "data", "out", "image_size", "limit", "dataset", "command")
    run = arguments.run or Path("runs") / f"{arguments.verb}-{arguments.name}"
    return {"run": run, "more": tuple(arguments.more)} | {name: getattr(arguments, name) for name in same}


def _say_trained(spec, product) -> None:
    val = spec.metrics["val"]
    figures = {"val_accuracy": val["accuracy"], "images": val["images"], "temperature": spec.temperature}
    if "elsewhere" in spec.metrics:
        figures["accuracy_elsewhere"] = spec.metrics["elsewhere"]["accuracy"]
    if spec.neither:
        figures["neither"] = spec.neither
    print(json.dumps({"model": spec.name, "file": str(product.file), "bytes": spec.bytes} | figures))


def _evaluate(arguments: argparse.Namespace) -> None:
    from . import evaluate

    results = evaluate.evaluate(arguments.weights, arguments.data, arguments.split, arguments.exact)
    print(evaluate.describe(results))
    for name, figures in results.items():
        if "rounding" in figures:
            print(f"Rounding the weights of {name}: {figures['rounding']}")
    accuracy = {name: figures["accuracy"] for name, figures in results.items()}
    print(json.dumps({"split": arguments.split, "accuracy": accuracy}))


def _compare(arguments: argparse.Namespace) -> None:
    from . import compare

    specs, default, problems = compare.compare(arguments.weights)
    tell(problems)
    print(compare.describe(specs, default))
    print(json.dumps(compare.summary(specs, default)))


def _report(arguments: argparse.Namespace) -> None:
    from . import report

    same = ("out", "limit", "dataset", "resamples", "command")
    found = report.report(
        arguments.weights, arguments.data, arguments.split, **{name: getattr(arguments, name) for name in same}
    )
    accuracy = {name: model["figures"]["accuracy"] for name, model in found["models"].items()}
    print(json.dumps({"report": str(arguments.out / "README.md"), "split": arguments.split, "accuracy": accuracy}))


def _calibrate(arguments: argparse.Namespace) -> None:
    from . import calibrate

    for name, spec in calibrate.calibrate(arguments.weights, arguments.data, arguments.more).items():
        sizes = {field: len(json.dumps(getattr(spec, field))) for field in ("sureness", "novelty", "disagreement")}
        print(json.dumps({"model": name, "characters": sizes, "clear": spec.clear, "neither": spec.neither}))


def _insight(arguments: argparse.Namespace) -> None:
    from . import insight

    same = ("weights", "data", "strangers", "out", "photos")
    figures = insight.insight(**{name: getattr(arguments, name) for name in same}, split_name=arguments.split)
    rules = figures["neither"]["rules"]
    caught = {name: {key: rule[key]["share"] for key in ("refused_pets", "caught")} for name, rule in rules.items()}
    print(json.dumps({"out": str(arguments.out), "neither": caught, "cost": figures["cost"]["ratio_explained"]}))


def _strangers(arguments: argparse.Namespace) -> None:
    from . import strangers

    print(json.dumps({"out": str(arguments.out)} | strangers.assemble(arguments.package, arguments.out)))


def _recipe(recipe, arguments: argparse.Namespace):
    """The default recipe with what the command line says instead."""
    from .trainer import parse_stages

    names = (
        "batch_size",
        "learning_rate",
        "cutmix",
        "degrade",
        "steps",
        "settled",
        "ema",
        "seed",
        "precision",
        "frozen_stages",
    )
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name, None) is not None}
    if arguments.stages:
        given = {"stages": parse_stages(arguments.stages), "frozen_stages": 0} | given
    if arguments.crop is not None:
        given["scale"] = (arguments.crop, 1.0)
    return dataclasses.replace(recipe, **given)


if __name__ == "__main__":
    never_fail_to_print()
    sys.exit(main())

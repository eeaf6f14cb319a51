"""Measure everything and write results.json and docs/benchmarks.md.

python -m benchmarks [--quick] [--data DIR] [--weights DIR] [--results FILE] [--page FILE] [--browser | --ray N]
"""

import dataclasses
import datetime
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from subprocess import SubprocessError
from typing import Annotated, Any

import typer
from typer import Option

from catdog.files import whole
from catdog.photo.reader import min_side_for

from . import browser, comparing, folder_speed, http_speed, large, machine, markdown, ray_speed, starting
from .plan import EXAMPLES, QUICK, Plan, some
from .processes import ROOT, Failed
from .worker import Worker, worker

PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
RESULTS, PAGE = ROOT / "benchmarks" / "results.json", ROOT / "docs" / "benchmarks.md"
STATIC = ROOT / "build" / "static"  # where `make static` puts the page
SPLITS = {"validation": "val", "test": "test"}
# For each photo to enlarge, so many are asked about, to choose those that reduced decoding can move most.
CANDIDATES = 10

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all benchmarks; 0 when everything could be measured, whether or not the aims are met."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        app(argv, prog_name="python -m benchmarks", obj=shlex.join(["python", "-m", "benchmarks", *argv]))
    except SystemExit as exit:
        return int(exit.code or 0)
    return 0


def _to_write(path: Path | None) -> Path | None:
    """A file to write; one in no folder is refused now, not after half an hour of measuring."""
    if path and not path.parent.is_dir():
        raise typer.BadParameter(f"There is no folder {path.parent}.")
    return path


@app.command()
def run(
    context: typer.Context,
    quick: Annotated[bool, Option("--quick", help="Show in a minute that everything works, and print it.")] = False,
    data: Annotated[Path | None, Option(exists=True, file_okay=False, help="Default: data, or else examples/.")] = None,
    weights: Annotated[Path, Option(exists=True, file_okay=False, help="The models.")] = ROOT / "weights",
    results: Annotated[Path | None, Option(callback=_to_write, help="All figures, as JSON.")] = None,
    page: Annotated[Path | None, Option(callback=_to_write, help="The page about them.")] = None,
    of_browser: Annotated[bool, Option("--browser", help="Only measure the static page; keep other figures.")] = False,
    ray: Annotated[int | None, Option(min=1, help="Only measure Ray on so many photos; keep other figures.")] = None,
    large: Annotated[int | None, Option(min=1, help="Photos to enlarge, to compare ways to decode them.")] = None,
) -> None:
    """Measure catdog beside the plain way."""
    if of_browser and ray:
        raise typer.BadParameter("--browser and --ray exclude each other.")
    plan = QUICK if quick else Plan()
    plan = dataclasses.replace(plan, ray=ray or plan.ray, large=large or plan.large)
    weights = weights.resolve()
    try:
        splits = {split: _photos((data or ROOT / "data") / folder) for split, folder in SPLITS.items()}
        if of_browser:
            found = {"browser": browser.measure(plan, STATIC, weights, splits["validation"])}
            if not found["browser"]:
                raise Failed("The static page needs Chromium and, of the same models, what `make static` builds.")
        elif ray:
            found = {"ray": ray_speed.measure(plan, splits["validation"], {"CATDOG_WEIGHTS": str(weights)})}
        else:
            found = measure(plan, weights, **splits)
            found |= {"quick": quick, "command": context.obj, "date": datetime.date.today().isoformat()}
        if of_browser or ray:
            found = json.loads(RESULTS.read_text()) | {"quick": quick} | found
        _write(found, quick, results, page)
    except (Failed, OSError, HTTPException, SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def _write(found: dict[str, Any], quick: bool, results: Path | None, page: Path | None) -> None:
    """Write the figures and the page. A quick run, whose figures mean nothing, replaces no file unless told to."""
    text = markdown.render(found)
    usual = (None, None) if quick else (RESULTS, PAGE)
    for path, content in ((results or usual[0], json.dumps(found, indent=1) + "\n"), (page or usual[1], text)):
        if path:
            with whole(path) as partial:
                partial.write_text(content, encoding="utf-8")
            print(f"Written: {path}.")
    if quick:
        print(text)


def measure(plan: Plan, weights: Path, *, validation: list[Path], test: list[Path]) -> dict[str, Any]:
    """All results except what the command line adds, on photos of two splits. Raises Failed."""
    results: dict[str, Any] = {"machine": machine.describe(), "plan": dataclasses.asdict(plan)}
    with tempfile.TemporaryDirectory() as cache:
        environment = {"CATDOG_WEIGHTS": str(weights), "CATDOG_CACHE": cache, "TF_CPP_MIN_LOG_LEVEL": "3"}
        _say("starting")
        results["start"] = starting.measure(plan, environment)  # first, as it fills the cache
        with worker("catdog", environment) as catdog, worker("plain", environment) as plain:
            _say("compare()")
            results["models"] = catdog.ask("describe")
            results["compare"] = comparing.measure(plan, catdog, plain, [str(path) for path in EXAMPLES])
            _say("large photos")
            results["large"] = _large(plan, catdog, plain, test)
            _say("a folder of photos")
            results["folder"] = folder_speed.measure(plan, catdog, plain, validation, environment)
        _say("a folder of photos on Ray")
        results["ray"] = ray_speed.measure(plan, validation, environment)
        _say("servers")
        results["serving"] = http_speed.measure(plan, environment)
    _say("the page without a server")
    results["browser"] = browser.measure(plan, STATIC, weights, validation)
    results["photos"] = (
        f"{len(EXAMPLES)} of examples/ for servers, compare() and the time of 12 megapixels; for folders from "
        f"{_source(validation, 'validation')}; for what reduced decoding changes from {_source(test, 'test')}"
    )
    results["machine"]["load_after"] = machine.load()
    return results


def _large(plan: Plan, catdog: Worker, plain: Worker, photos: list[Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        enlarged = [Path(folder) / f"{i}.jpg" for i, _ in enumerate(EXAMPLES)]
        for path, example in zip(enlarged, EXAMPLES, strict=True):
            path.write_bytes(large.enlarged(example, megapixels=plan.megapixels))
        compare = comparing.measure(plan, catdog, plain, list(map(str, enlarged)))
    candidates = list(dict.fromkeys(some(photos, CANDIDATES * plan.large)))
    chosen = catdog.ask("hardly_clear", photos=candidates, count=plan.large)
    largest = max(model["image_size"] for model in catdog.ask("describe"))
    side = 4 * min_side_for(largest)  # which is reduced to just enough
    sizes = {f"{plan.megapixels} megapixels": {"megapixels": plan.megapixels}, f"{side} px": {"side": side}}
    return {
        "compare": compare,
        "in_doubt": chosen["in_doubt"],
        "agreement": {name: catdog.ask("agreement", photos=chosen["photos"], **size) for name, size in sizes.items()},
    }


def _photos(folder: Path) -> list[Path]:
    """The photos of a split, or those of examples/ where there is none."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTOS) or EXAMPLES


def _source(photos: list[Path], split: str) -> str:
    return "them, too" if photos == EXAMPLES else f"{len(photos)} of the {split} split"


def _say(what: str) -> None:
    print(f"Measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

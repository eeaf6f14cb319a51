"""Measure everything and write results.json and docs/benchmarks.md.

python -m benchmarks [--quick] [--data DIR] [--weights DIR] [--results FILE] [--page FILE] [--browser | --ray N]
"""

from __future__ import annotations

import argparse
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
from typing import Any

from catdog.files import whole
from catdog.photo.reader import min_side_for

from . import browser, comparing, folder_speed, http_speed, large, machine, markdown, processes, ray_speed, starting
from .plan import EXAMPLES, QUICK, Plan, some
from .processes import ROOT, Failed, Worker

PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
RESULTS, PAGE = ROOT / "benchmarks" / "results.json", ROOT / "docs" / "benchmarks.md"
STATIC = ROOT / "build" / "static"  # where `make static` puts the page
SPLITS = {"validation": "val", "test": "test"}
# For each photo to enlarge, so many are asked about, to choose those that reduced decoding can move most.
CANDIDATES = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run all benchmarks; 0 when everything could be measured, whether or not the aims are met."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure catdog beside the plain way.")
    parser.add_argument(
        "--quick", action="store_true", help="show in a minute that everything works, and print the page"
    )
    parser.add_argument("--data", type=_folder, help="a data folder (default data, or examples/ where there is none)")
    parser.add_argument("--weights", type=_folder, default=ROOT / "weights", help="the models (default weights/)")
    parser.add_argument("--results", type=_file, help="all figures, as JSON (default benchmarks/results.json)")
    parser.add_argument("--page", type=_file, help="the page about them (default docs/benchmarks.md)")
    parser.add_argument("--browser", action="store_true", help="measure the static page, and keep the other figures")
    parser.add_argument("--ray", type=_count, metavar="N", help="measure Ray on N photos, and keep the other figures")
    parser.add_argument("--large", type=_count, metavar="N", help="photos to enlarge, to compare ways to decode them")
    arguments = parser.parse_args(argv)
    plan = QUICK if arguments.quick else Plan()
    if arguments.large:
        plan = dataclasses.replace(plan, large=arguments.large)
    try:
        splits = {split: _photos((arguments.data or ROOT / "data") / folder) for split, folder in SPLITS.items()}
        if arguments.browser:
            measured = browser.measure(plan, STATIC, arguments.weights.resolve(), splits["validation"])
            if not measured:
                raise Failed("The static page needs Chromium and, of the same models, what `make static` builds.")
            results = json.loads(RESULTS.read_text()) | {"browser": measured}
        elif arguments.ray:
            plan = dataclasses.replace(plan, ray=arguments.ray)
            environment = {"CATDOG_WEIGHTS": str(arguments.weights.resolve())}
            results = json.loads(RESULTS.read_text()) | {
                "ray": ray_speed.measure(plan, splits["validation"], environment)
            }
        else:
            results = measure(plan, arguments.weights.resolve(), **splits)
            command = shlex.join(["python", "-m", "benchmarks", *argv])
            results |= {"quick": arguments.quick, "command": command, "date": datetime.date.today().isoformat()}
        _write(results, arguments)
    except (Failed, OSError, HTTPException, SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)


def _file(text: str) -> Path:
    """A file to write; a folder that does not exist is refused now, not after half an hour of measuring."""
    _folder(str(Path(text).parent))
    return Path(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it must be 1 or more, received {text}")
    return int(text)


def _write(results: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Write the figures and the page. A quick run, whose figures mean nothing, replaces no file unless told to."""
    text = markdown.render(results)
    usual = (None, None) if arguments.quick else (RESULTS, PAGE)
    figures = json.dumps(results, indent=1) + "\n"
    for path, content in ((arguments.results or usual[0], figures), (arguments.page or usual[1], text)):
        if path:
            with whole(path) as partial:
                partial.write_text(content, encoding="utf-8")
            print(f"Written: {path}.")
    if arguments.quick:
        print(text)


def measure(plan: Plan, weights: Path, *, validation: list[Path], test: list[Path]) -> dict[str, Any]:
    """All results except what the command line adds, on photos of two splits. Raises Failed."""
    results: dict[str, Any] = {"machine": machine.describe(), "plan": dataclasses.asdict(plan)}
    with tempfile.TemporaryDirectory() as cache:
        environment = {"CATDOG_WEIGHTS": str(weights), "CATDOG_CACHE": cache, "TF_CPP_MIN_LOG_LEVEL": "3"}
        _say("starting")
        results["start"] = starting.measure(plan, environment)  # first, as it fills the cache
        with processes.worker("catdog", environment) as catdog, processes.worker("plain", environment) as plain:
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

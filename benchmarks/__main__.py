"""Measure everything, and write down what came out.

python -m benchmarks [--quick] [--data DIR] [--weights DIR] [--results FILE] [--page FILE]
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
from pathlib import Path
from typing import Any

from . import comparing, folders, large, machine, page, processes, serving, starting
from .plan import EXAMPLES, QUICK, Plan, some
from .processes import ROOT, Failed, Worker

PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
SPLITS = {"validation": "val", "test": "test"}
# Of so many photos for each that is enlarged, those are taken that reduced decoding can move most.
CANDIDATES = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run all benchmarks; 0 when everything could be measured, whether or not the aims are met."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure catdog beside the plain way.")
    parser.add_argument("--quick", action="store_true", help="show in a minute that everything works")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="a data folder; without one, examples/ it is")
    parser.add_argument("--weights", type=Path, default=ROOT / "weights", help="the models (default weights/)")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--large", type=int, metavar="N", help="photos to enlarge, to compare ways to decode them")
    arguments = parser.parse_args(argv)
    plan = QUICK if arguments.quick else Plan()
    if arguments.large:
        plan = dataclasses.replace(plan, large=arguments.large)
    try:
        splits = {split: _photos(arguments.data / folder) for split, folder in SPLITS.items()}
        results = measure(plan, arguments.weights.resolve(), **splits)
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    command = shlex.join(["python", "-m", "benchmarks", *argv])
    results |= {"quick": arguments.quick, "command": command, "date": datetime.date.today().isoformat()}
    arguments.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    arguments.page.write_text(page.render(results), encoding="utf-8")
    print(f"Written: {arguments.results} and {arguments.page}.")
    return 0


def measure(plan: Plan, weights: Path, *, validation: list[Path], test: list[Path]) -> dict[str, Any]:
    """All results but for what the command line adds, on photos of two splits; raises Failed."""
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
            results["folder"] = folders.measure(plan, catdog, plain, validation, environment)
        _say("servers")
        results["serving"] = serving.measure(plan, environment)
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
            path.write_bytes(large.enlarged(example, megapixels=large.MEGAPIXELS))
        compare = comparing.measure(plan, catdog, plain, list(map(str, enlarged)))
    candidates = list(dict.fromkeys(some(photos, CANDIDATES * plan.large)))
    chosen = catdog.ask("least_sure", photos=candidates, count=plan.large)
    side = 2 * large.enough_of(model["image_size"] for model in catdog.ask("describe"))
    sizes = {f"{large.MEGAPIXELS} megapixels": {"megapixels": large.MEGAPIXELS}, f"{side} px": {"side": side}}
    return {
        "compare": compare,
        "agreement": {name: catdog.ask("agreement", photos=chosen, **size) for name, size in sizes.items()},
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

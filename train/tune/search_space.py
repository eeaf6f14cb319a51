"""The space of a search: options of `fit` that change what is trained, and the values to try."""

import dataclasses
import itertools
import math
import tomllib
import typing
from pathlib import Path
from typing import Any

from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from catdog.errors import CatDogError, InvalidSettings
from train.fit.job import Job
from train.networks import architectures
from train.networks.recipes import RECIPES, Recipe

# Which model of which photos it is, and where things lie. All other options of `fit` can be searched.
FIXED = {"name", "data", "more", "out", "run", "limit", "dataset", "overwrite", "command", "start", "restart"}
LARGEST_GRID = 10_000
RANGE = {"low", "high", "step", "log"}

Space = dict[str, BaseDistribution]


def searchable() -> dict[str, type]:
    """The options that can be searched, as in a space file, and their types: bool, int, float or str."""
    hints = typing.get_type_hints(Job)
    fields = (field.name for field in dataclasses.fields(Job) if field.name not in FIXED)
    return {name: next(kind for kind in (typing.get_args(hints[name]) or (hints[name],))) for name in fields}


def usual(recipe: Recipe) -> Space:
    """The default space of a search, around the usual recipe."""
    rate = recipe.learning_rate
    return {
        "learning_rate": FloatDistribution(rate / 8, rate * 4, log=True),
        "weight_decay": FloatDistribution(0.002, 0.2, log=True),
        "batch_size": CategoricalDistribution([32, 64, 128]),
        "crop": FloatDistribution(0.2, 0.9),
        "jitter": FloatDistribution(0.0, 0.4),
        "cutmix": FloatDistribution(0.0, 0.5),
        "label_smoothing": FloatDistribution(0.0, 0.15),
        "dropout": FloatDistribution(0.0, 0.5),
    }


def read(path: Path) -> Space:
    """The space that a TOML file names: option = [values] or option = {low = ..., high = ..., step = ..., log = true}.

    Raises InvalidSettings for a file that is no TOML, for an option that cannot be searched, and for values of another
    type than the option's.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidSettings(f"{path} is not TOML: {error}") from error
    if not entries:
        raise InvalidSettings(f"{path} names nothing to search, such as learning_rate = {{low = 1e-4, high = 1e-2}}.")
    return {name: _distribution(name, entry) for name, entry in entries.items()}


def _distribution(name: str, entry: Any) -> BaseDistribution:
    kinds = searchable()
    if name not in kinds:
        raise InvalidSettings(f"{name!r} cannot be searched; these can: {', '.join(kinds)}.")
    kind = kinds[name]
    if isinstance(entry, list):
        values = list(dict.fromkeys(_value(name, kind, value) for value in entry))
        if values:
            return CategoricalDistribution(values)
    elif isinstance(entry, dict) and kind in (int, float) and {"low", "high"} <= entry.keys() <= RANGE:
        low, high = (_value(name, kind, entry[end]) for end in ("low", "high"))
        step, log = entry.get("step"), _value(name, bool, entry.get("log", False))
        step = step if step is None else _value(name, kind, step)
        try:
            return (
                IntDistribution(low, high, log, step or 1) if kind is int else FloatDistribution(low, high, log, step)
            )
        except ValueError as error:
            raise InvalidSettings(f"The range of {name} is not valid: {error}") from error
    raise InvalidSettings(
        f"{name} must be a list of values, or for numbers a range such as {{low = 1, high = 8}}, with a step or with "
        f"log = true. Received: {entry!r}."
    )


def _value(name: str, kind: type, value: Any) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise InvalidSettings(f"A value of {name} must be a finite {kind.__name__}. Received: {value!r}.")
    return value


def require_possible(job: Job, space: Space, usual: Recipe) -> None:
    """Raise InvalidSettings for a space with a value that no recipe or network may have."""
    ends = {name: getattr(where, "choices", None) or (where.low, where.high) for name, where in space.items()}
    linked = [name for name in ("base", "width", "depth") if name in space]
    values = [dict(zip(linked, of, strict=True)) for of in itertools.product(*(ends[name] for name in linked))]
    values += [{name: value} for name in ends if name not in linked for value in ends[name]]
    for one in values:
        try:
            changed = dataclasses.replace(job, **one)
            changed.recipe(usual)
            architectures.require_possible(job.name, changed.base, changed.width, changed.depth)
        except CatDogError as error:
            tried = ", ".join(f"{name} = {value!r}" for name, value in one.items())
            raise InvalidSettings(f"{tried or job.name} cannot be searched: {error}") from error


def usual_values(job: Job, space: Space) -> dict[str, Any]:
    """The values that the job has without a search; empty if the space leaves one of them out."""
    recipe = job.recipe(RECIPES[job.name])
    architecture = architectures.get(job.name)
    usual = dataclasses.asdict(recipe) | {
        "crop": recipe.scale[0],
        "stages": ",".join(f"{size}x{epochs}" for size, epochs in recipe.stages),
        "dropout": architecture.dropout if recipe.dropout is None else recipe.dropout,
        "image_size": job.image_size,
        "base": job.base,
    }
    possible = all(
        usual[name] in where.choices
        if isinstance(where, CategoricalDistribution)
        else where._contains(where.to_internal_repr(usual[name]))
        for name, where in space.items()
    )
    return {name: usual[name] for name in space} if possible else {}


def grid(space: Space) -> dict[str, list[Any]]:
    """The values of all options in a space of lists and of ranges with a step.

    Raises InvalidSettings for another space, and for more than LARGEST_GRID combinations.
    """
    values = {}
    for name, where in space.items():
        if isinstance(where, CategoricalDistribution):
            values[name] = list(where.choices)
        elif where.step is None or where.log:
            raise InvalidSettings(f"A grid needs {name} as a list of values or as a range with a step.")
        else:
            count = round((where.high - where.low) / where.step) + 1
            values[name] = [min(where.low + i * where.step, where.high) for i in range(count)]
    if (count := math.prod(map(len, values.values()))) > LARGEST_GRID:
        raise InvalidSettings(f"The grid has {count:,} combinations; at most {LARGEST_GRID:,} are searched.")
    return values


def drawn(trial: Trial, space: Space) -> dict[str, Any]:
    """The values that a trial tries."""
    values = {}
    for name, where in space.items():
        if isinstance(where, CategoricalDistribution):
            values[name] = trial.suggest_categorical(name, where.choices)
        else:
            suggest = trial.suggest_int if isinstance(where, IntDistribution) else trial.suggest_float
            values[name] = suggest(name, where.low, where.high, step=where.step, log=where.log)
    return values

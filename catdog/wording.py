"""What the pages say about models and their verdicts, in plain text."""

from __future__ import annotations

from collections.abc import Sequence

from catdog.models.spec import ModelSpec, classes_of
from catdog.verdict import Comparison, Verdict

# For an error that the page's server cannot explain: these are the causes that can be.
UNANSWERED = (
    "No answer came. The server may be busy, the connection lost, or the upload already deleted. Try again, or choose "
    "the photo again."
)
BUSY = "Many people are asking at the moment. Try again in a few seconds."

# Every sentence about a verdict, by name; the static page forms its sentences from them as well.
SENTENCES = {
    "neither": "Probably neither {first} nor {second}",
    "none": "Probably none of {classes}",
    "split": "The models disagree",
    "one says": "{title} says {label}",
    "one leans": "{title} leans towards {label}",
    "all say": "{everyone} say {label}",
    "all lean": "{everyone} lean towards {label}",
    "both": "Both models",
    "all": "All {count} models",
    "unlike": "The photo is unlike those that the models learned from. Do not trust the answers below.",
    "usually right": "When they disagreed like this before, {title} was right {right} of {photos} times. "
    "It says {label}.",
    "leader is": "{title}, {which}, is {sure} ({confidence}).",
    "leader says": "{title}, {which}, says {label} and is {sure} ({confidence}).",
    "leader leans": "{title}, {which}, leans towards {label} ({confidence}).",
    "most accurate": "the most accurate of them",
    "first": "asked first",
    "share wrong": "About {share} of its answers this sure are wrong.",
    "half wrong": "About half of its answers this sure are wrong.",
    "rarely wrong": "Fewer than 1 in {number} answers this sure are wrong.",
    "one wrong": "About 1 in {number} answers this sure is wrong.",
    "no place": "Heat map over the photo: no place speaks for {label}.",
    "place": "Heat map over the photo: the strongest sign of {label} is at the {place}.",
    "nothing judged": "Nothing was judged",
    "judged": "Judged {done} of {photos} photos",
    "some judged": "{photos} photos judged",
    "one judged": "1 photo judged",
    "none judged": "No photo could be judged",
    "reasons": "The reasons are below.",
    "stopped": "Stopped after {done} of {photos} photos",
    "counted": "{what}: {photos}. ",
    "order": "The least certain answers come first.",
}
VERTICAL, HORIZONTAL = ("upper ", "", "lower "), ("left", "centre", "right")

# Highest error rate -> how sure an answer is called. The headline says of an UNSURE answer that the model leans to it.
UNSURE = "unsure"
CERTAINTIES = ((0.01, "very sure"), (0.05, "sure"), (0.2, "fairly sure"), (1.0, UNSURE))
# An answer less confident than 1 minus this is called no surer than its confidence allows.
DOUBTFUL = 0.2
# Lower error rates are not shown as a number: they were learned from a handful of mistakes, or from none.
RAREST = 0.01


def say(name: str, **values: str) -> str:
    """One of SENTENCES with these values in it."""
    return SENTENCES[name].format(**values)


def scope(specs: Sequence[ModelSpec]) -> str:
    """What a visitor should know before trying other things; empty without models."""
    if not specs:
        return ""
    names = class_names(specs)
    several = "both" if len(names) == 2 else "several of these"
    return f"The models can only answer {listed(names, 'or')}, even if a photo shows {several} or something else."


def neither(specs: Sequence[ModelSpec]) -> str:
    """The verdict on a photo of none of the classes, without a full stop."""
    names = [name.lower() for name in specs[0].classes]
    if len(names) == 2:
        return say("neither", first=_with_article(names[0]), second=_with_article(names[1]))
    return say("none", classes=listed(names, "and"))


def is_neither(comparison: Comparison) -> bool:
    """Whether a photo is probably of none of the classes."""
    return comparison.verdict not in {verdict.label for verdict in comparison.models}


def listed(names: Sequence[str], conjunction: str) -> str:
    """`cat`, `cat and dog`, `cat, dog and owl`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {conjunction} {names[-1]}"


def headline(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """The verdict on a photo in a few words, without a full stop."""
    if is_neither(comparison):
        return neither(specs)
    if not comparison.agree:
        return say("split")
    label, count, firm = comparison.leading.label, len(comparison.models), certainty(comparison.leading) != UNSURE
    if count == 1:
        return say("one says" if firm else "one leans", title=_title(comparison.leader, specs), label=label)
    everyone = say("both") if count == 2 else say("all", count=number_word(count))
    return say("all say" if firm else "all lean", everyone=everyone, label=label)


def explanation(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """What a visitor should know besides the headline: a sentence or two, or nothing."""
    if is_neither(comparison):
        return say("unlike")
    return usually_right(comparison, specs) or _leader_says(comparison, specs)


def usually_right(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """Which model to believe when they disagree, in a sentence; empty when they agree or nothing is known."""
    known = comparison.usually_right
    if not known:
        return ""
    label = next(verdict.label for verdict in comparison.models if verdict.model == known["model"])
    right, photos = f"{round(known['rate'] * known['photos']):,}", f"{known['photos']:,}"
    return say("usually right", title=_title(known["model"], specs), right=right, photos=photos, label=label)


def _leader_says(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """What the leader says and how sure it is, in a sentence; empty when no other model was asked."""
    if len(comparison.models) == 1:
        return ""
    verdict, sure = comparison.leading, certainty(comparison.leading)
    measured = any(spec.validation_accuracy > 0 for spec in specs if spec.name == comparison.leader)
    name = "leader leans" if sure == UNSURE else "leader is" if comparison.agree else "leader says"
    title, which = _title(comparison.leader, specs), say("most accurate" if measured else "first")
    return say(name, title=title, which=which, label=verdict.label, sure=sure, confidence=percent(verdict.confidence))


def certainty(verdict: Verdict) -> str:
    """How sure an answer is, in a word or two, measured by how often answers this sure are wrong."""
    return next(word for limit, word in CERTAINTIES if _error_rate(verdict) <= limit)


def reliability(verdict: Verdict) -> str:
    """How often answers this sure are wrong, in a sentence; empty when it was never measured."""
    if verdict.error_rate is None:
        return ""
    error_rate = _error_rate(verdict)
    if error_rate > 0.6:
        return say("share wrong", share=percent(error_rate))
    if error_rate > 0.4:
        return say("half wrong")
    if error_rate < RAREST:
        return say("rarely wrong", number=f"{1 / RAREST:.0f}")
    return say("one wrong", number=f"{1 / error_rate:.0f}")


def _error_rate(verdict: Verdict) -> float:
    """The measured error rate of answers this sure; for a doubtful one, at least 1 minus its confidence.

    The measured rates were learned in groups of at least 50 answers. If few answers were doubtful, the least sure group
    reaches from a confidence of one half to nearly 1, and its rate is far too low for answers near one half.
    """
    claimed = 1 - verdict.confidence
    if verdict.error_rate is None:
        return claimed
    return max(claimed, verdict.error_rate) if claimed > DOUBTFUL else verdict.error_rate


def map_alt(verdict: Verdict) -> str:
    """The alternative text of a heat map; empty without a map."""
    if not verdict.heatmap:
        return ""
    rows, columns = len(verdict.heatmap), len(verdict.heatmap[0])
    most, row, column = max((value, y, x) for y, line in enumerate(verdict.heatmap) for x, value in enumerate(line))
    if most <= 0:
        return say("no place", label=verdict.label)
    place = VERTICAL[int(3 * (row + 0.5) / rows)] + HORIZONTAL[int(3 * (column + 0.5) / columns)]
    return say("place", label=verdict.label, place=place)


def measured(spec: ModelSpec) -> str:
    """How often the model was right on test photos, or on validation photos; empty when it was measured on neither."""
    for split, name in (("test", "test"), ("val", "validation")):
        figures = spec.metrics.get(split, {})
        if "accuracy" in figures:
            count = f"{figures['images']:,} " if isinstance(figures.get("images"), int) else ""
            return f"Right on {percent(figures['accuracy'])} of {count}{name} photos"
    return ""


def costs(spec: ModelSpec, verdict: Verdict | None = None) -> dict[str, str]:
    """Name -> text for each known cost of a model; the time is that of `verdict`, or a dash without one."""
    values = {
        "Time": milliseconds(verdict.milliseconds) if verdict else "–",
        "Size": readable_size(spec.bytes),
        "Parameters": readable_count(spec.parameters) if spec.parameters else "",
        "Training": duration(spec.training_seconds) if spec.training_seconds else "",
        "Input": f"{input_size(spec, '×')} px",
    }
    return {name: value for name, value in values.items() if value}


def input_size(spec: ModelSpec, times: str = "x") -> str:
    """Width and height of a model's input, in pixels, and whether it is grey."""
    height, width, channels = spec.input.array
    return f"{width} {times} {height}{' grey' if channels == 1 else ''}"


def percent(probability: float) -> str:
    """0..1 -> text with one decimal; only an exact 0 or 1 becomes 0 % or 100 %."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"


def milliseconds(value: float) -> str:
    """A duration as text, e.g. `3.1 ms`, `12 ms`."""
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def readable_size(size: int) -> str:
    """A size in bytes as text, e.g. `19 kB`, `1.3 MB`, `83 MB`."""
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def readable_count(count: int) -> str:
    """A number of parameters as text, e.g. `850`, `12 thousand`, `2.9 million`."""
    if count < 1000:
        return str(count)
    value, unit = (count / 1e6, "million") if count >= 999_500 else (count / 1e3, "thousand")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def duration(seconds: float) -> str:
    """A duration as text, e.g. `40 s`, `21 min`, `1 h 5 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number_word(number: int) -> str:
    """2, 3 and 4 in letters, other numbers in digits."""
    return {2: "two", 3: "three", 4: "four"}.get(number, str(number))


def class_names(specs: Sequence[ModelSpec]) -> list[str]:
    """All classes that the models know, in small letters and sorted."""
    return sorted({name.lower() for name in classes_of(specs)})


def _title(model: str, specs: Sequence[ModelSpec]) -> str:
    return next(spec.title for spec in specs if spec.name == model)


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"

"""What the pages say about models and their verdicts, in plain text."""

from collections.abc import Sequence

from catdog.models.spec import ModelSpec, classes_of
from catdog.verdict import Comparison, Verdict, keenest

DESCRIPTION = "Neural networks look at a photo and say side by side what it shows."
# For an error that the page's server cannot explain: it names the possible causes.
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
    "example": "Below is an example, our photo “{example}”: {answer}.",
    "something else": "The photo seems to show something else. Do not trust the answers below.",
    "usually right": "When they disagreed like this before, {title} was right {right} of {photos} times. "
    "It says {label}.",
    "leader is": "{title}, {which}, is {sure}.",
    "leader says": "{title}, {which}, says {label} and is {sure}.",
    "leader leans": "{title}, {which}, leans towards {label}.",
    "leader claims": "{title}, {which}, says {label} with a claimed confidence of {confidence}.",
    "most accurate": "the most accurate of them",
    "first": "asked first",
    "unmeasured": "How often answers this sure are wrong was never measured.",
    "claimed": "Claimed confidence: {confidence}",
    "had to choose": "If it had to choose: {confidence}",
    "always picks": "Always picks a class: {confidence}",
    "always": "On {photos}, {wrong} of its answers were wrong.",
    "below": "On {photos}, {wrong} of its answers below {high} were wrong.",
    "between": "On {photos}, {wrong} of its answers from {low} to {high} were wrong.",
    "above": "On {photos}, {wrong} of its answers above {low} were wrong.",
    "unseen": "photos it had not seen",
    "set aside": "validation photos",
    "adopted with": "the photos it was adopted with",
    "share wrong": "about {share}",
    "half wrong": "about half",
    "rarely wrong": "fewer than 1 in {number}",
    "one wrong": "about 1 in {number}",
    "no place": "Heat map over the photo: no place speaks for {label}.",
    "place": "Heat map over the photo: the strongest sign of {label} is at the {place}.",
    "nothing judged": "Nothing was judged",
    "opening": "Opening the files…",
    "judged": "Judged {done} of {photos} photos",
    "one photo": "1 photo",
    "some photos": "{photos} photos",
    "some judged": "{photos} judged",
    "none judged": "No photo could be judged",
    "reasons": "The reasons are below.",
    "stopped": "Stopped after {done} of {photos} photos",
    "part": "These are {done} of {photos} photos, taken in random order.",
    "counted": "{what}: {photos}. ",
    "order": "The least certain answers come first.",
}
VERTICAL, HORIZONTAL = ("upper ", "", "lower "), ("left", "centre", "right")

# Largest chance of being wrong -> how sure an answer is called: one scale for all models. The headline says that models
# lean to a label where all are UNSURE.
UNSURE = "unsure"
CERTAINTIES = ((0.01, "very sure"), (0.05, "sure"), (0.2, "fairly sure"), (1.0, UNSURE))
# Lower error rates are not shown as a number: they were learned from a handful of mistakes, or from none.
RAREST = 0.01
# More classes than this are counted, not listed.
FEW_CLASSES = 6


def question(specs: Sequence[ModelSpec]) -> str:
    """What the page asks, such as "Cat or dog?"."""
    names = list(dict.fromkeys(name.lower() for name in classes_of(specs))) or ["cat", "dog"]
    return f"{listed(names, 'or').capitalize()}?" if len(names) <= 4 else "What is it?"


def answering(specs: Sequence[ModelSpec]) -> str:
    """How many models answer, in a sentence; empty without models."""
    if len(specs) > 1:
        return f"{number_word(len(specs)).capitalize()} neural networks look at your photo and answer side by side."
    return "One neural network looks at your photo and says how sure it is." if specs else ""


def say(name: str, **values: str) -> str:
    """One of SENTENCES with these values in it."""
    return SENTENCES[name].format(**values)


def counted(photos: int) -> str:
    """So many photos, as text."""
    return say("one photo") if photos == 1 else say("some photos", photos=f"{photos:,}")


def scope(specs: Sequence[ModelSpec]) -> str:
    """What a visitor should know before trying other things; empty without models."""
    if not specs:
        return ""
    several = "both" if len(class_names(specs)) == 2 else "several of these"
    can = (
        f"The model{'s' if len(specs) > 1 else ''} can only answer {any_class(specs)}, even if a photo shows {several}"
    )
    if any(spec.neither for spec in specs):
        return f"{can}. For a photo of anything else, the verdict is neither."
    return f"{can} or something else."


def any_class(specs: Sequence[ModelSpec]) -> str:
    """The classes that the models know, such as `cat, dog or owl`, or how many they are."""
    names = class_names(specs)
    return listed(names, "or") if len(names) <= FEW_CLASSES else f"one of {len(names):,} classes"


def neither(specs: Sequence[ModelSpec]) -> str:
    """The verdict on a photo of none of the classes, without a full stop; `specs` are of the models that were asked."""
    names = [name.lower() for name in (keenest(specs) or specs[0]).classes]
    if len(names) == 2:
        return say("neither", first=_with_article(names[0]), second=_with_article(names[1]))
    return say("none", classes=listed(names, "and") if len(names) <= FEW_CLASSES else "its classes")


def is_neither(comparison: Comparison) -> bool:
    """Whether a photo is probably of none of the classes."""
    return comparison.verdict not in {verdict.label for verdict in comparison.models}


def listed(names: Sequence[str], conjunction: str) -> str:
    """`cat`, `cat and dog`, `cat, dog and owl`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {conjunction} {names[-1]}"


def headline(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """The verdict on a photo in a few words, without a full stop."""
    if is_neither(comparison):
        asked = {verdict.model for verdict in comparison.models}
        return neither([spec for spec in specs if spec.name in asked])
    if not comparison.agree:
        return say("split")
    label, count = comparison.leading.label, len(comparison.models)
    firm = any(certainty(verdict) != UNSURE for verdict in comparison.models)
    if count == 1:
        return say("one says" if firm else "one leans", title=_title(comparison.leader, specs), label=label)
    everyone = say("both") if count == 2 else say("all", count=number_word(count))
    return say("all say" if firm else "all lean", everyone=everyone, label=label)


def explanation(comparison: Comparison, specs: Sequence[ModelSpec]) -> str:
    """What a visitor should know besides the headline: a sentence or two, or nothing."""
    if is_neither(comparison):
        return say("something else")
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
    if sure == UNSURE:
        name = "leader leans"
    elif verdict.error_rate is None:
        name = "leader claims"
    else:
        name = "leader is" if comparison.agree else "leader says"
    title, which = _title(comparison.leader, specs), say("most accurate" if measured else "first")
    return say(name, title=title, which=which, label=verdict.label, sure=sure, confidence=percent(verdict.confidence))


def certainty(verdict: Verdict) -> str:
    """How sure an answer is, in a word or two: by its confidence or its error rate, whichever is less sure.

    Both are rounded as the page shows them.
    """
    wrong, rate = round(1 - verdict.confidence, 3), verdict.error_rate or 0
    if rate >= RAREST:
        wrong = max(wrong, 1 / round(1 / rate))
    return next(word for largest, word in CERTAINTIES if wrong <= largest)


def stance(verdict: Verdict, neither: bool) -> str:
    """What a card says below a label: how sure the model is, or the bare confidence on a photo of `neither`."""
    confidence = percent(verdict.confidence)
    if neither:
        return say("always picks" if verdict.neither is None else "had to choose", confidence=confidence)
    return say("claimed", confidence=confidence) if verdict.error_rate is None else certainty(verdict).capitalize()


def reliability(verdict: Verdict, spec: ModelSpec) -> str:
    """How often answers about this sure were wrong, in a sentence that says which answers these are."""
    if verdict.error_rate is None or spec.sureness is None:
        return say("unmeasured")
    low, high = spec.sureness.around(verdict.confidence)
    level = ("above" if low > 0 else "always") if high == 1 else ("between" if low > 0 else "below")
    low, high = (percent(min(end, 0.999)) for end in (low, high))
    return say(level, photos=tried(spec), wrong=_often(verdict.error_rate), low=low, high=high)


def tried(spec: ModelSpec) -> str:
    """The photos on which the error rates were measured, for the middle of a sentence.

    For an adopted model these are the photos it was set up with, until `calibrate` measures it on others. It may have
    been trained on any of them.
    """
    if not spec.adopted:
        return say("unseen")
    return say("adopted with" if "photos" in spec.metrics else "set aside")


def _often(error_rate: float) -> str:
    """How often something is wrong, for the middle of a sentence."""
    if error_rate > 0.6:
        return say("share wrong", share=percent(error_rate))
    if error_rate > 0.4:
        return say("half wrong")
    if error_rate < RAREST:
        return say("rarely wrong", number=f"{1 / RAREST:.0f}")
    return say("one wrong", number=f"{1 / error_rate:.0f}")


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
    """How often the model was right: on test photos, else on validation photos, else on those it was adopted with."""
    adopted = "photos it was adopted with"
    for split, name in (("test", "test photos"), ("val", "validation photos"), ("photos", adopted)):
        figures = spec.metrics.get(split, {})
        if "accuracy" in figures:
            count = f"{figures['images']:,} " if isinstance(figures.get("images"), int) else ""
            return f"Right on {percent(figures['accuracy'])} of {count}{name}"
    return "Never measured on labelled photos"


def foremost(spec: ModelSpec, verdict: Verdict | None = None) -> list[str]:
    """The classes that get a bar on a model's card: all, or if there are many, the most probable ones."""
    if len(spec.classes) <= FEW_CLASSES:
        return list(spec.classes)
    shares = verdict.probabilities if verdict else {}
    return sorted(spec.classes, key=lambda name: -shares.get(name, 0))[: FEW_CLASSES - 1]


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
    """A duration as text, e.g. `4 s`, `21 min`, `1 h 5 min`."""
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

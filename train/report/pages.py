"""The page of a report: what `findings` holds, in Markdown, with the words that make it understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from catdog.wording import duration, readable_size
from train.fit.lineage import CONVERGED
from train.measure.robustness import AS_THEY_ARE, CONDITIONS
from train.measure.statistics import CALIBRATION_BINS
from train.report.drawings import SHOWN
from train.report.results import SPLIT_NAMES

LISTED = 30


def page(found: dict[str, Any]) -> str:
    """The whole page; sections without anything to say are left out."""
    sections = (_head, _accuracy, _differences, _confidence, _labels, _mistakes, _samples, _robustness, _training)
    return "\n\n".join(text for section in sections if (text := section(found))) + "\n"


def _head(found: dict[str, Any]) -> str:
    photos = " and ".join(f"{count:,} {name}" for name, count in found["photos"].items())
    of_what = f" of {found['dataset']}" if found["dataset"] else ""
    first = f" (the first {found['limit']:,} of each class)" if found["limit"] else ""
    runtimes = sorted({model["runtime"] for model in found["models"].values()})
    default = found["models"][found["default"]]["title"]
    lines = [
        "# How good the models are",
        f"Measured on the {_total(found):,} {_kind(found)} photos{of_what}{first}, {photos}, through the code that "
        f"serves the models ({'; '.join(runtimes)}). Every figure below is of these photos unless it says otherwise; "
        f"the temperatures and the choice of the default model, {default}, come from the validation photos. All "
        "figures are in [report.json](report.json).",
    ]
    if found["split"] == "val":
        lines.append("The models were watched on these very photos while they learnt: others tell more about them.")
    if found["command"]:
        lines.append(f"```sh\n{found['command']}\n```")
    return "\n\n".join(lines)


def _accuracy(found: dict[str, Any]) -> str:
    rows = [
        _row("**accuracy**", found, lambda m: f"**{m['figures']['accuracy']:.2%}**{_between(m, 'accuracy')}"),
        _row("mistakes", found, lambda m: f"{_wrong(m['figures']['confusion']):,}"),
    ]
    for key, title, form in (
        ("precision", "precision", ".2%"),
        ("recall", "recall", ".2%"),
        ("f1", "F1", ".2%"),
        ("roc_auc", "ROC AUC", ".4f"),
        ("log_loss", "log loss", ".4f"),
        ("calibration_error", "calibration error", ".4f"),
        ("calibration_error_uncalibrated", "… without temperature", ".4f"),
    ):
        if all(key in model["figures"] for model in found["models"].values()):
            rows.append(_row(title, found, lambda m, k=key, f=form: _figure(m, k, f)))
    rows += [
        _row("temperature", found, lambda m: f"{m['temperature']:.3f}"),
        _row("input", found, lambda m: f"{m['image_size']} x {m['image_size']} px"),
        _row("parameters", found, lambda m: f"{m['parameters']:,}" if m["parameters"] else "-"),
        _row("file", found, lambda m: readable_size(m["bytes"])),
    ]
    resampled = (
        f", and for the other figures the middle 95 % of {found['resamples']:,} bootstrap resamples of the photos, "
        "for the calibration error less their bias, since resampling adds noise to it"
        if found["resamples"]
        else ""
    )
    return "\n\n".join(
        [
            "## Accuracy",
            _table(["", *_titles(found)], rows),
            f"Below each figure is its 95 % interval: Wilson's for accuracy{resampled}. Precision, recall and F1 are "
            f"means over the classes. The calibration error is the mean gap between confidence and accuracy over "
            f"{CALIBRATION_BINS} equal bins of confidence.",
            _image("confusion.png", "Confusion matrix of each model: labels by rows, answers by columns"),
            f"Rows are labels, columns answers; {_total(found):,} {_kind(found)} photos.",
        ]
    )


def _differences(found: dict[str, Any]) -> str:
    if not found["pairs"]:
        return ""
    rows = [
        [
            " / ".join(found["models"][name]["title"] for name in pair["models"]),
            _share(pair["disagree"], _total(found)),
            *(f"{pair[key]:,}" for key in ("first", "second", "both", "neither")),
            _probability(pair["p"]),
        ]
        for pair in found["pairs"]
    ]
    header = ["models", "they disagree on", "only first right", "only second right", "both right", "both wrong", "p"]
    agree, disagree = found["agreement"]["agree"], found["agreement"]["disagree"]
    who = [
        [model["title"], *(_right(group["right"][name]) for group in (agree, disagree))]
        for name, model in found["models"].items()
    ]
    several = f" {len(rows)} pairs are compared, and p is not corrected for that." if len(rows) > 1 else ""
    return "\n\n".join(
        [
            "## Differences between the models",
            _table(header, rows),
            "p is McNemar's test, two-sided and exact (binomial): how often two equally good models would differ at "
            f"least so much on {_total(found):,} photos by chance.{several}",
            _table(
                ["right where", f"all agree ({agree['photos']:,})", f"not all agree ({disagree['photos']:,})"],
                who,
            ),
        ]
    )


def _confidence(found: dict[str, Any]) -> str:
    return "\n\n".join(
        [
            "## Confidence",
            _image("reliability.png", "How often each model is right against how sure it is"),
            "How often a model is right against how sure it says it is, with the 95 % interval (Wilson) and, at the "
            f"foot, the number of the {_total(found):,} {_kind(found)} photos behind each point. On the dashed line "
            "confidence means what it says; above it a model is better than it says. The temperature of each model "
            "was fitted on the validation photos.",
        ]
    )


def _labels(found: dict[str, Any]) -> str:
    suspected = found["suspected_labels"]
    rule = (
        f"A label is suspected where every model is at least {suspected['confidence']:.0%} sure of one and the same "
        "other class."
    )
    if not suspected["photos"]:
        return f"## Labels that may be wrong\n\n{rule} None of the {_total(found):,} is."
    count = len(suspected["photos"])
    rows = [
        [model["title"], _with_interval(model["figures"], "accuracy_interval"), _with_interval(without, "interval")]
        for name, model in found["models"].items()
        for without in [suspected["accuracy_without"][name]]
    ]
    return "\n\n".join(
        [
            "## Labels that may be wrong",
            f"{rule} That is so for {_share(count, _total(found))}: "
            f"{_listed([photo['photo'] for photo in suspected['photos']])}. It is a suspicion and no more: some are "
            "mistakes that all models share. No label was changed, and accuracy without these photos can only be "
            "higher, because every model is wrong on all of them.",
            _image("suspected-labels.jpg", "Photos whose label all models contradict"),
            f"{_shown(count)} with a suspected label.",
            _table(["accuracy on", f"all {_total(found):,}", f"the other {_total(found) - count:,}"], rows),
        ]
    )


def _mistakes(found: dict[str, Any]) -> str:
    count = len(found["mistakes"])
    if not count:
        return ""
    return "\n\n".join(
        [
            "## The worst mistakes",
            _image("mistakes.jpg", "Photos that the models get most wrong"),
            f"{_shown(count)}, out of {_total(found):,}, that at least one model gets wrong, those with suspected "
            "labels aside. Ordered by the probability that the models give the label, as its geometric mean, least "
            "first.",
        ]
    )


def _samples(found: dict[str, Any]) -> str:
    return "\n\n".join(
        [
            "## Samples",
            _image("samples.jpg", "Photos at even distances through the data, with every model's answer"),
            f"{min(SHOWN, _total(found))} of the {_total(found):,} {_kind(found)} photos, at even distances in the "
            "order of their names: nobody chose them.",
        ]
    )


def _robustness(found: dict[str, Any]) -> str:
    rows = [_row(AS_THEY_ARE.title, found, lambda m: _figure(m, "accuracy", ".2%"))]
    for name, condition in CONDITIONS.items():
        rows.append(_row(condition.title, found, lambda m, n=name: _changed(m["conditions"][n])))
    definitions = "\n".join(f"- **{condition.title}**: {condition.definition}" for condition in CONDITIONS.values())
    return "\n\n".join(
        [
            "## Worse photos",
            f"The same {_total(found):,} photos, decoded, changed, and then given to the serving path:",
            _image("conditions.jpg", "One photo under each condition"),
            definitions,
            _table(["accuracy", *_titles(found)], rows),
            "Beside the accuracy is its change in percentage points, below it its 95 % interval (Wilson).",
            _image("robustness.png", "Accuracy of each model under each condition"),
        ]
    )


def _training(found: dict[str, Any]) -> str:
    if "curves.png" not in found["drawings"]:
        return ""
    models = found["models"].values()
    runs = [[model["title"], *_run(run)] for model in models for run in model["runs"]]
    return "\n\n".join(
        [
            "## Training",
            _table(
                [
                    "model",
                    "training photos",
                    "epochs",
                    "time",
                    "validation accuracy at the end",
                    f"within {100 * CONVERGED:g} point of it after",
                ],
                [[model["title"], _learnt_from(model), *_converged(model["convergence"])] for model in models],
            ),
            _image("convergence.png", "Validation accuracy of the models by minutes of training"),
            _image("curves.png", "Accuracy and loss of each model by epoch"),
            "Accuracy and loss of the labels, as Keras measured them in training. Training photos are cropped and "
            "recoloured at random, and may have a box of another photo pasted in, which makes them harder. "
            "The last layer is balanced after the last epoch, which may change its accuracy, and a model may be the "
            "mean of the weights that several runs ended with. Dotted lines part the runs:",
            _table(["model", "run", "epochs", "crops", "time", "on"], runs),
        ]
    )


def _learnt_from(model: dict[str, Any]) -> str:
    count = model["trained_on"].get("train") if isinstance(model["trained_on"], dict) else None
    return f"{count:,}" if isinstance(count, int) else "-"


def _converged(near: dict[str, Any] | None) -> list[str]:
    if near is None:
        return ["-"] * 4
    epochs = near["near_after_epochs"]
    after = f"{epochs} epoch{'s' * (epochs > 1)}, {duration(near['near_after_seconds'])}"
    return [str(near["epochs"]), duration(near["seconds"]), f"{near['last_accuracy']:.2%}", after]


def _run(run: dict[str, Any]) -> list[str]:
    sizes = dict.fromkeys(f"{row['size']:.0f}" for row in run["epochs"])
    seconds = sum(row["seconds"] for row in run["epochs"])
    return [run["title"], str(len(run["epochs"])), f"{', '.join(sizes)} px", duration(seconds), run["hardware"] or "-"]


def _total(found: dict[str, Any]) -> int:
    return sum(found["photos"].values())


def _kind(found: dict[str, Any]) -> str:
    return SPLIT_NAMES.get(found["split"], found["split"])


def _titles(found: dict[str, Any]) -> list[str]:
    return [model["title"] for model in found["models"].values()]


def _row(title: str, found: dict[str, Any], cell: Callable[[dict[str, Any]], str]) -> list[str]:
    """A row of a table with a column per model."""
    return [title, *map(cell, found["models"].values())]


def _wrong(confusion: Sequence[Sequence[int]]) -> int:
    return sum(map(sum, confusion)) - sum(row[index] for index, row in enumerate(confusion))


def _figure(model: dict[str, Any], key: str, form: str) -> str:
    return f"{model['figures'][key]:{form}}{_between(model, key, form)}"


def _between(model: dict[str, Any], key: str, form: str = ".2%") -> str:
    interval = model["intervals"].get(key, model["figures"].get(f"{key}_interval"))
    return f"<br>{_span(interval, form)}" if interval else ""


def _span(interval: Sequence[float], form: str = ".2%") -> str:
    """An interval; of percentages, the sign is written once."""
    low, high = (f"{value:{form}}" for value in interval)
    return f"{low.rstrip('%')}–{high}"


def _with_interval(figures: dict[str, Any], key: str) -> str:
    return f"{figures['accuracy']:.2%} ({_span(figures[key])})" if "accuracy" in figures else "-"


def _changed(measured: dict[str, Any]) -> str:
    return f"{measured['accuracy']:.2%}, {_signed(100 * measured['change'])}<br>{_span(measured['interval'])}"


def _signed(points: float) -> str:
    return f"{points:+.2f}".replace("-", "−")


def _right(share: dict[str, Any]) -> str:
    if not share["count"] and "share" not in share:
        return "-"
    return f"{share['count']:,}: {share['share']:.1%} ({_span(share['interval'], '.1%')})"


def _share(count: int, total: int) -> str:
    return f"{count:,} of {total:,} photos ({count / total:.1%})"


def _probability(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(f"`{name}`" for name in names[:LISTED]) + more


def _shown(count: int) -> str:
    return f"{min(SHOWN, count)} of {count:,} photos"


def _image(name: str, description: str) -> str:
    return f"![{description}]({name})"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""The figures of one model on one split: accuracy, calibration and the like. A new metric is added here."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn import metrics as sk

from train.measure.statistics import rounded, wilson

CALIBRATION_BINS = 15
SPLIT_NAMES = {"test": "test", "val": "validation"}  # as specs name them -> as pages do, in the order shown


class Metric(NamedTuple):
    """The name of a figure on pages, and its number format."""

    name: str
    form: str


# The keys are those of hf.co/metrics where there is one.
METRICS = {
    "accuracy": Metric("Accuracy", ".2%"),
    "precision": Metric("Precision (macro)", ".2%"),
    "recall": Metric("Recall (macro)", ".2%"),
    "f1": Metric("F1 (macro)", ".2%"),
    "roc_auc": Metric("ROC AUC", ".4f"),
    "log_loss": Metric("Log loss", ".4f"),
    "calibration_error": Metric("Calibration error", ".4f"),
    "calibration_error_uncalibrated": Metric("Calibration error without temperature", ".4f"),
}


def measure(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], *, uncalibrated: np.ndarray | None = None
) -> dict[str, Any]:
    """Figures from calibrated probabilities (N, classes) and labels (N,), as plain JSON.

    images             how many photos are behind the figures
    accuracy_interval  Wilson's, 95 %
    precision, recall, f1  means over the classes that have photos
    calibration_error  over 15 bins, see `calibration_error`; calibration_error_uncalibrated is that of `uncalibrated`,
                       the probabilities before the temperature, where given
    roc_auc            with more than two classes, the mean of each class against the rest; left out where a class has
                       no photo
    confusion          rows are true classes, columns predicted ones, in the order of `classes`
    """
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        labels, predicted, labels=np.unique(labels), average="macro", zero_division=0
    )
    figures = {
        "images": len(labels),
        "accuracy": right / len(labels),
        "accuracy_interval": wilson(right, len(labels)),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "log_loss": sk.log_loss(labels, probabilities, labels=range(len(classes))),
        "calibration_error": calibration_error(probabilities, labels),
    }
    if uncalibrated is not None:
        figures["calibration_error_uncalibrated"] = calibration_error(uncalibrated, labels)
    if len(np.unique(labels)) == len(classes):
        scores = probabilities[:, 1] if len(classes) == 2 else probabilities
        figures["roc_auc"] = sk.roc_auc_score(labels, scores, multi_class="ovr")
    return rounded(figures) | {"confusion": sk.confusion_matrix(labels, predicted, labels=range(len(classes))).tolist()}


class Bin(NamedTuple):
    """A bin of photos of similar confidence: their mean confidence, how many labels are right, and how many photos."""

    confidence: float
    right: int
    total: int


def calibration_bins(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> list[Bin]:
    """Equal bins of the confidence of probabilities (N, classes), without the empty ones."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    chosen = (index == number for number in np.unique(index))
    return [Bin(float(confidence[c].mean()), int(right[c].sum()), int(c.sum())) for c in chosen]


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over bins of confidence.

    Guo et al. 2017, "On calibration of modern neural networks".
    """
    found = calibration_bins(probabilities, labels, bins)
    return sum(abs(b.confidence * b.total - b.right) for b in found) / len(labels)

"""The temperature that makes a model's confidence mean what it says."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from catdog.compare import calibrated


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the log loss of uncalibrated probabilities (N, classes).

    Guo et al. 2017, "On calibration of modern neural networks". Searched between 0.05 and 20.
    """
    rows = np.arange(len(labels))

    def log_loss(log_temperature: float) -> float:
        chosen = calibrated(probabilities, float(np.exp(log_temperature)))[rows, labels]
        return -float(np.log(np.clip(chosen, 1e-12, 1.0)).mean())

    best = minimize_scalar(log_loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return round(float(np.exp(best.x)), 4)

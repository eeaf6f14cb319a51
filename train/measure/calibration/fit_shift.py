"""Fit the shift of the logits that balances the classes."""

import numpy as np
from scipy.optimize import minimize


def fit_shift(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What to add to the logits to minimise the log loss at the best temperature: (classes,), the first is 0.

    For a network that favours a class on photos it was not trained on: bias-corrected temperature scaling (Alexandari
    et al. 2020, "Maximum likelihood with bias-corrected calibration"). A normal prior of variance 1 on the shifts and
    on the logarithm of 1 / temperature keeps few photos from moving them far.
    """
    logits = np.log(np.clip(probabilities, 1e-12, 1.0))
    rows = np.arange(len(labels))

    def log_loss(parameters: np.ndarray) -> float:
        scaled = logits * np.exp(parameters[0]) + parameters[1:]
        mean = (np.logaddexp.reduce(scaled, axis=1) - scaled[rows, labels]).mean()
        return float(mean + parameters @ parameters / 2 / len(labels))

    count = logits.shape[1] + 1
    sharpness, *shifts = minimize(log_loss, np.zeros(count), method="L-BFGS-B", bounds=[(-3, 3)] * count).x
    return (np.array(shifts) - shifts[0]) / np.exp(sharpness)

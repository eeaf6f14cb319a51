"""One model: its engine and its spec -> a verdict."""

import numpy as np

from catdog.engine import Engine, Outputs, are_probabilities
from catdog.errors import ModelMismatch
from catdog.models.heatmap import heatmap
from catdog.models.neither import log_odds
from catdog.models.spec import ModelSpec
from catdog.verdict import Verdict


class Classifier:
    """One model: the engine that runs it, its spec, and its source as in `ModelFile`."""

    def __init__(self, spec: ModelSpec, engine: Engine, source: str = "bundled"):
        self.spec, self.engine, self.source = spec, engine, source

    def outputs(self, batch: np.ndarray) -> Outputs:
        """What the engine returns for a batch of arrays from `to_array`, with calibrated probabilities, float64.

        If the model has an output for neither, probabilities and maps cover only the classes, and `neither` is set.
        Raises ModelMismatch when the model answers with anything but probabilities.
        """
        outputs = self.engine(batch)
        if not are_probabilities(outputs.probabilities):
            raise ModelMismatch(
                f"Model {self.spec.name} gave no usable answer to this photo: its outputs are not probabilities "
                f"from 0 to 1. Received: {outputs.probabilities.tolist()}."
            )
        if not self.spec.neither:
            return outputs._replace(probabilities=calibrated(outputs.probabilities, self.spec.temperature))
        return Outputs(
            probabilities=calibrated(outputs.probabilities[:, :-1], self.spec.temperature),
            maps=None if outputs.maps is None else outputs.maps[..., :-1],
            neither=log_odds(outputs.probabilities),
        )

    def verdict(self, row: Outputs, seconds: float, *, explain: bool = False) -> Verdict:
        """The verdict on one photo, from its row of `outputs` and the seconds that it took."""
        probabilities, maps, odds = row
        sureness, neither = self.spec.sureness, self.spec.neither
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        return Verdict(
            model=self.spec.name,
            label=self.spec.classes[best],
            confidence=confidence,
            probabilities=dict(zip(self.spec.classes, map(float, probabilities), strict=True)),
            milliseconds=round(seconds * 1000, 2),
            error_rate=sureness.at(confidence) if sureness else None,
            neither=round(neither.score(float(odds)), 4) if neither else None,
            heatmap=heatmap(maps, best, self.spec.temperature) if explain and maps is not None else None,
            cost=self.spec.cost,
        )


def calibrated(outputs: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (N, classes) with a temperature: float64, each row adds up to 1.

    Logits are divided by the temperature (Guo et al. 2017, "On calibration of modern neural
    networks"). The logits of probabilities are their logarithms, up to a constant per row.
    """
    outputs = np.asarray(outputs, dtype=np.float64)
    logits = np.log(np.clip(outputs, 1e-12, 1.0)) / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)

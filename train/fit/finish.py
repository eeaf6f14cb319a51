"""A trained network -> its `.h5` and its spec: rounded, calibrated and measured on the validation photos."""

import keras
import numpy as np

from catdog.adopt.fit_confidence import fit_temperature
from catdog.classifier import Classifier, calibrated
from catdog.engine import Outputs, load_engine
from catdog.engine.keras_engine import KerasEngine
from catdog.files import whole
from catdog.models.neither import Neither
from catdog.models.spec import ModelSpec, sha256_of
from catdog.settings import Settings
from train.data.dataset import Split, find_elsewhere
from train.fit.job import Product
from train.fit.ownership import record, require_own
from train.fit.provenance import without_repeats
from train.measure.answers import outputs_of
from train.measure.calibration.calibrate import refusal
from train.measure.calibration.fit_shift import fit_shift
from train.measure.metrics import measure
from train.networks import architectures, h5

# Significant bits of the weights, tried in this order; float16 has 11, float32 has 24.
SIGNIFICANT_BITS = (11, 12, 13, 14, 24)


def finish(trained: keras.Model, product: Product, val: Split, training: dict) -> ModelSpec:
    """Balance, round, calibrate and measure a trained network; write its `.h5`, then its spec.

    1. Balance the last layer on `val`.
    2. Save the `.h5` with rounded weights, and load it as serving does. Where a label of `val` changed, save it again
       with one bit more, up to full precision.
    3. Fit the temperature and measure on `val`, and on the validation photos of further folders and of neither.
    4. Put the `.h5` in its place, then the spec. If the process is killed in between, serving refuses the model because
       of its checksum, and the same command completes it without training again.

    Raises InvalidSettings as `require_own` does.
    """
    neither = trained.outputs[0].shape[-1] == len(val.classes) + 1
    model = product.network(len(val.classes), neither, image_size=product.image_size)
    model.set_weights(trained.get_weights())
    spec = ModelSpec(
        name=product.name,
        title=_title(product.name, training),
        architecture=product.name,
        file=product.file.name,
        sha256="0" * 64,  # until there is a file
        bytes=0,
        image_size=product.image_size,
        classes=val.classes,
        neither=Neither(threshold=0.5) if neither else None,
    )
    exact = Classifier(spec, KerasEngine(model))
    _balance(model, _outputs(exact, val).probabilities, val.labels)
    require_own(product)
    labels = _outputs(exact, val).probabilities.argmax(axis=1)
    with whole(product.file) as partial:
        for bits in SIGNIFICANT_BITS:
            h5.save(model, partial, bits=bits)
            spec = spec.replace(sha256=sha256_of(partial), bytes=partial.stat().st_size)
            served = Classifier(spec, load_engine(partial, spec, Settings(engine="tensorflow")))
            outputs = _outputs(served, val)
            if (outputs.probabilities.argmax(axis=1) == labels).all():
                break
        training = without_repeats(training) | {"parameters": model.count_params(), "significant_bits": bits}
        temperature = fit_temperature(outputs.probabilities, val.labels)
        probabilities = calibrated(outputs.probabilities, temperature)
        figures = measure(probabilities, val.labels, val.classes, uncalibrated=outputs.probabilities)
        spec = spec.replace(temperature=temperature, metrics={"val": figures}, training=training)
        spec = _measured_elsewhere(Classifier(spec, served.engine), product, outputs.neither)
        record(product.run, spec.sha256)
    spec.write(product.file.with_suffix(".json"))
    return spec


def _measured_elsewhere(served: Classifier, product: Product, neither: np.ndarray | None) -> ModelSpec:
    """The spec with figures on validation photos of further folders, and with the threshold of neither.

    `neither` are the model's log odds of neither for the photos of the classes in `product.data`/val, (N,).
    """
    spec, elsewhere = served.spec, find_elsewhere(product.data, "val", product.more, product.limit)
    if not len(elsewhere):
        return spec
    outputs = _outputs(served, elsewhere)
    of_classes = elsewhere.labels < len(elsewhere.classes)
    if of_classes.any():
        figures = measure(outputs.probabilities[of_classes], elsewhere.labels[of_classes], elsewhere.classes)
        spec = spec.replace(metrics=spec.metrics | {"elsewhere": figures})
    return spec.replace(neither=refusal(neither, outputs.neither, elsewhere))


def _balance(model: keras.Model, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Shift the bias of the last layer to where the log loss of these answers (N, classes) is least."""
    shift = fit_shift(probabilities, labels)
    bias = model.layers[-1].bias
    if bias.shape[0] > len(shift):  # the last output is for neither
        shift = np.append(shift - shift.mean(), 0.0)
    bias.assign_add(shift if bias.shape[0] > 1 else shift[1:])


def _title(name: str, training: dict) -> str:
    """The title of the architecture, with "Taught" before it if another network was the teacher."""
    title = architectures.get(name).title
    base = training.get("base")
    return title if training.get("teacher", base) == base else f"Taught {title}"


def _outputs(classifier: Classifier, split: Split) -> Outputs:
    return outputs_of([classifier], split)[classifier.spec.name]

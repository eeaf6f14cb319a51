"""Several classifiers -> one with the mean of their weights.

If they were trained from the same weights, the mean is often better than each of them and as fast as one (Wortsman et
al. 2022, "Model soups"). It also forgets less of what those weights knew (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from catdog.errors import InvalidSettings
from catdog.models.spec import ModelSpec
from train.data import dataset
from train.fit.finish import finish
from train.fit.job import Product
from train.fit.ownership import require_own
from train.fit.provenance import averaged, spec_beside
from train.fit.start import require_other, require_same_classes
from train.folders import require_writable
from train.networks import architectures


def average(product: Product, files: Sequence[Path]) -> ModelSpec:
    """Average the weights of `.h5` classifiers of one architecture and the same classes; write it and its spec.

    Nothing is trained, but the last layer is balanced and the temperature fitted on `data`/val, as after training. The
    mean has an output for neither if the last file has one. Raises InvalidSettings for fewer than two files, and for a
    file that is no such classifier.
    """
    if len(files) < 2:
        raise InvalidSettings("An average needs at least two .h5 files.")
    require_other(product, *files)
    require_own(product)
    require_writable(product.out)
    _, val = dataset.find_training(product.data, product.limit)
    require_same_classes(product, val.classes)
    spec = spec_beside(files[-1])
    neither = spec is not None and spec.neither is not None
    network = product.network(len(val.classes), neither)
    weights = []
    for file in files:
        _require_classes(file, val.classes)
        architectures.load_classifier(network, file)
        weights.append(network.get_weights())
    network.set_weights([np.mean(same, axis=0) for same in zip(*weights, strict=True)])
    product.run.mkdir(parents=True, exist_ok=True)
    return finish(network, product, val, averaged(files, product, len(val)))


def _require_classes(file: Path, classes: tuple[str, ...]) -> None:
    """Raise InvalidSettings where the spec beside a file names other classes."""
    spec = spec_beside(file)
    if spec and spec.classes != classes:
        raise InvalidSettings(
            f"{file} knows the classes {', '.join(spec.classes)}; the data folder has {', '.join(classes)}."
        )

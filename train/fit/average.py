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
from train.fit.provenance import averaged, spec_beside
from train.fit.start import require_free, require_same_classes
from train.networks import architectures


def average(product: Product, files: Sequence[Path]) -> ModelSpec:
    """Average the weights of `.h5` classifiers of one architecture and the same classes; write it and its spec.

    Nothing is trained, but the last layer is balanced and the temperature fitted on `data`/val, as after training. The
    mean has an output for neither if the last file has one. Raises InvalidSettings for fewer than two files, and for a
    file that is no such classifier.
    """
    if len(files) < 2:
        raise InvalidSettings("An average needs at least two .h5 files.")
    require_free(product, *files)
    _, val = dataset.find_training(product.data, product.limit)
    require_same_classes(product, val.classes)
    specs = [spec_beside(file) for file in files]
    neither = specs[-1] is not None and specs[-1].neither is not None
    network = product.network(len(val.classes), neither)
    weights = []
    for file, spec in zip(files, specs, strict=True):
        if spec and spec.classes != val.classes:
            raise InvalidSettings(
                f"{file} knows the classes {', '.join(spec.classes)}; the data folder has {', '.join(val.classes)}."
            )
        architectures.load_classifier(network, file)
        weights.append(network.get_weights())
    network.set_weights([np.mean(same, axis=0) for same in zip(*weights, strict=True)])
    product.run.mkdir(parents=True, exist_ok=True)
    return finish(network, product, val, averaged(files, product, len(val)))

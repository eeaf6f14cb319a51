"""What networks are trained on: augmented crops, targets' loss, and accuracy among the classes."""

import keras
import numpy as np

from train.fit.training_model import Accuracy, augmented
from train.networks.recipes import Recipe


def test_both_views_of_a_photo_are_cut_alike():
    recipe = Recipe(stages=((16, 1),), jitter=0.0, degrade=0.5, scale=(0.3, 1.0))
    batch, crops, clean = augmented(16, recipe)
    model = keras.Model(batch, [crops, clean])
    photos = np.random.default_rng(0).integers(0, 100, (6, 24, 24, 3), np.uint8)
    shares = np.array([[1.0], [0.5]] * 3, np.float32)
    dark, light = model({"photos": photos, "clean": photos + 100, "shares": shares}, training=True)
    np.testing.assert_allclose(light - dark, 100, atol=1e-3)
    assert dark.shape == (6, 16, 16, 3)


def test_the_accuracy_is_that_among_the_classes():
    metric = Accuracy()
    targets = np.float32([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    said = np.float32([[0.2, 0.1, 0.7], [0.3, 0.2, 0.5], [0.0, 0.1, 0.9], [0.9, 0.1, 0.0]])
    metric.update_state(targets, said)
    assert float(metric.result()) == 0.5
    metric.update_state(targets[:1], said[:1], sample_weight=np.float32([0]))
    assert float(metric.result()) == 0.5

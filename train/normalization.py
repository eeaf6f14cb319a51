"""Batch norm as one operation while a network learns."""

from __future__ import annotations

import keras
from keras import layers, ops


class FusedBatchNormalization(layers.BatchNormalization):
    """Batch norm of photos that is several times faster on the TensorFlow backend.

    Keras composes batch norm of many operations on float32 copies; this layer calls the fused one of
    TensorFlow on the photos as they are. What it moves its variance by is that of a sample,
    N / (N - 1) times Keras's. Anywhere else it is Keras's own.
    """

    def call(self, inputs, training=None, mask=None):
        if (
            keras.backend.backend() != "tensorflow"
            or len(inputs.shape) != 4
            or self.axis not in (-1, 3)
            or self.synchronized
        ):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        learns = bool(training and self.trainable)
        moving = (self.moving_mean, self.moving_variance)
        scale = self.gamma if self.scale else ops.ones_like(self.moving_mean)
        offset = self.beta if self.center else ops.zeros_like(self.moving_mean)
        statistics = {} if learns else {"mean": moving[0], "variance": moving[1]}
        outputs, *batch = tf.compat.v1.nn.fused_batch_norm(
            inputs, scale, offset, epsilon=self.epsilon, is_training=learns, **statistics
        )
        if learns:
            for average, value in zip(moving, batch, strict=True):
                average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return outputs


def fused(network: keras.Model) -> keras.Model:
    """The same network with the same weights, in which every batch norm is a fused one."""

    def clone(layer):
        if isinstance(layer, keras.Model):
            return fused(layer)
        kind = FusedBatchNormalization if type(layer) is layers.BatchNormalization else type(layer)
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy

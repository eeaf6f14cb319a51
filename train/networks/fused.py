"""Batch norm and separable convolutions that train faster on TensorFlow than those of Keras."""

from collections.abc import Callable

import keras
from keras import layers, ops

from train.networks.hardware import gpus

# oneDNN has fast batch norm for multiples of so many channels, on processors with AVX-512.
LANES = 16


class FusedBatchNormalization(layers.BatchNormalization):
    """Batch norm of feature maps (N, H, W, C) as one operation; of anything else as in Keras.

    Keras composes batch norm of many operations on float32 copies. This layer calls TensorFlow's fused operation on
    the maps as they are. Its variance is that of a sample, N / (N - 1) times that of Keras.

    Where C is an odd multiple of half of LANES, like the 728 of Xception, two neighbouring columns become one with
    twice the channels, for speed. Even and odd columns then have statistics of their own, and the moving averages of
    the layer take both.
    """

    def call(self, inputs, training=None, mask=None):
        photos = len(inputs.shape) == 4 and self.axis in (-1, 3)
        if not _on_tensorflow() or not photos or self.synchronized or self.renorm or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        learns = bool(training and self.trainable)
        ones = ops.ones_like(self.moving_mean)
        scale, offset = self.gamma if self.scale else ones, self.beta if self.center else 0 * ones
        width, channels = inputs.shape[2:]
        beside = 2 if channels % LANES == LANES // 2 and width and width % 2 == 0 and not gpus() else 1
        scale, offset, mean, variance = (
            ops.tile(one, beside) for one in (scale, offset, self.moving_mean, self.moving_variance)
        )
        # Statistics do not depend on how places are divided into rows.
        places = ops.reshape(inputs, (-1, 1, width // 2, channels * 2)) if beside == 2 else inputs
        statistics = {} if learns else {"mean": mean, "variance": variance}
        outputs, *moments = tf.compat.v1.nn.fused_batch_norm(
            places, scale, offset, epsilon=self.epsilon, is_training=learns, **statistics
        )
        if learns:
            self._move(*(ops.reshape(moment, (beside, channels)) for moment in moments))
        return ops.reshape(outputs, ops.shape(inputs)) if beside == 2 else outputs

    def _move(self, means, variances):
        """Update the moving averages from the means and variances (groups, channels) of equally large groups."""
        mean = ops.mean(means, axis=0)
        variance = ops.mean(variances + ops.square(means - mean), axis=0)
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))


class FusedSeparableConv2D(layers.SeparableConv2D):
    """A separable convolution whose pointwise step is one matrix product.

    TensorFlow uses a convolution there, whose gradient for the kernel is slower.
    """

    def call(self, inputs):
        if not _on_tensorflow() or self.data_format != "channels_last":
            return super().call(inputs)
        places = ops.depthwise_conv(
            inputs, self.depthwise_kernel, self.strides, self.padding, self.data_format, self.dilation_rate
        )
        products = ops.matmul(ops.reshape(places, (-1, places.shape[-1])), self.pointwise_kernel[0, 0])
        outputs = ops.reshape(products, (*ops.shape(places)[:3], self.filters))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


FUSED = {layers.BatchNormalization: FusedBatchNormalization, layers.SeparableConv2D: FusedSeparableConv2D}


def fused(network: keras.Model, clone: Callable[[keras.layers.Layer], keras.layers.Layer] | None = None) -> keras.Model:
    """A copy of a network, weights included, with the layers of FUSED in place of those of Keras.

    `clone` copies a layer in another way; the default is `fused_layer`.
    """
    copy = keras.models.clone_model(network, clone_function=clone or fused_layer)
    copy.set_weights(network.get_weights())
    return copy


def fused_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A copy of a layer, without its weights."""
    if isinstance(layer, keras.Model):
        return fused(layer)
    return FUSED.get(type(layer), type(layer)).from_config(layer.get_config())


def _on_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"

"""Layers that learn faster on the TensorFlow backend than those of Keras."""

from __future__ import annotations

import keras
from keras import layers, ops

from train.networks.hardware import gpus

# oneDNN has fast batch norm for multiples of so many channels, on processors with AVX-512.
LANES = 16


class FusedBatchNormalization(layers.BatchNormalization):
    """Batch norm of photos as one operation.

    Keras composes batch norm of many operations on float32 copies; this layer calls the fused one of
    TensorFlow on the photos as they are. Where their channels are an odd multiple of half of LANES,
    as the 728 of Xception, two neighbours are normalized side by side as one place with twice the
    channels: even and odd columns have a mean and variance of their own then, and together move
    those of the layer. What it moves its variance by is that of a sample, N / (N - 1) times Keras's.
    Anywhere else it is Keras's own.
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
        # How many rows a photo has makes no difference.
        places = ops.reshape(inputs, (-1, 1, width // 2, channels * 2)) if beside == 2 else inputs
        statistics = {} if learns else {"mean": mean, "variance": variance}
        outputs, *moments = tf.compat.v1.nn.fused_batch_norm(
            places, scale, offset, epsilon=self.epsilon, is_training=learns, **statistics
        )
        if learns:
            self._move(*(ops.reshape(moment, (beside, channels)) for moment in moments))
        return ops.reshape(outputs, ops.shape(inputs)) if beside == 2 else outputs

    def _move(self, means, variances):
        """Move the averages by the statistics (groups, channels) of equally large groups."""
        mean = ops.mean(means, axis=0)
        variance = ops.mean(variances + ops.square(means - mean), axis=0)
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))


class FusedSeparableConv2D(layers.SeparableConv2D):
    """A separable convolution whose second step, of single places, is one product of matrices.

    TensorFlow takes a convolution there, whose gradient for the kernel takes longer.
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


def fused(network: keras.Model) -> keras.Model:
    """The same network with the same weights, its layers replaced by those of FUSED."""

    def clone(layer):
        if isinstance(layer, keras.Model):
            return fused(layer)
        return FUSED.get(type(layer), type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy


class _Settled(layers.Layer):
    """A convolution with the batch norm `norm` behind it as one operation: the norm keeps its statistics.

    What the norm does to each channel then is done to the kernels and a bias, which takes no time. Its weights come
    after the convolution's, as in a network of both.
    """

    def __init__(self, *, norm: dict, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.BatchNormalization.from_config(norm)

    def build(self, input_shape):
        super().build(input_shape)
        self.norm.build(self.compute_output_shape(input_shape))

    def scaled(self, kernel, axes: int):
        """The kernel, the channels of whose outputs are followed by so many axes more, and the bias."""
        norm = self.norm
        scale = norm.gamma * ops.rsqrt(norm.moving_variance + norm.epsilon)
        kernel = kernel * ops.reshape(scale, (-1, *(1,) * axes))
        bias = norm.beta - norm.moving_mean * scale
        return ops.cast(kernel, self.compute_dtype), ops.cast(bias, self.compute_dtype)


class SettledConv2D(_Settled, layers.Conv2D):
    def call(self, inputs):
        kernel, bias = self.scaled(self.kernel, 0)
        return ops.conv(inputs, kernel, self.strides, self.padding, self.data_format) + bias


class SettledDepthwiseConv2D(_Settled, layers.DepthwiseConv2D):
    """The kernels do not learn: their gradient would take TensorFlow as long as all else, and they are few."""

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel.trainable = self.norm.gamma.trainable = False

    def call(self, inputs):
        kernel, bias = self.scaled(self.kernel, 1)
        return ops.depthwise_conv(inputs, kernel, self.strides, self.padding, self.data_format) + bias


class _Passed(layers.Layer):
    """In the place of a batch norm that went into the convolution before it."""

    def call(self, inputs, mask=None):
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape


SETTLED = {layers.Conv2D: SettledConv2D, layers.DepthwiseConv2D: SettledDepthwiseConv2D}


def settled(network: keras.Model) -> keras.Model:
    """The same network with the same weights, in which batch norm keeps its statistics while the rest learns.

    For a network of plain convolutions, each of which has a batch norm right behind it, as EfficientNet-Lite and
    MobileNetV2 have; elsewhere, and for depthwise kernels, see the classes. It is also the fastest that only answers.
    """
    norms = {}
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            before = layer.input._keras_history.operation
            if type(before) in SETTLED and not before.use_bias and before.activation is keras.activations.linear:
                norms[before.name] = layer

    def clone(layer):
        if isinstance(layer, keras.Model):
            return settled(layer)
        if layer.name in norms:
            norm = norms[layer.name].get_config() | {"name": "norm"}
            return SETTLED[type(layer)](norm=norm, **layer.get_config())
        if layer in norms.values():
            return _Passed(name=layer.name)
        return FUSED.get(type(layer), type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy


def _on_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"

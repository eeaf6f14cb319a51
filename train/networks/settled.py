"""Networks whose batch norm keeps its statistics and is folded into the convolutions: to fine-tune, and as teachers."""

from itertools import pairwise

import keras
from keras import layers, ops

from train.networks.fused import fused, fused_layer


class _Settled(layers.Layer):
    """A convolution and the batch norm behind it as one operation; the norm keeps its statistics.

    With fixed statistics, batch norm is a factor and an offset for each channel. Both go into the kernel and a bias,
    which costs no time. Weights are ordered as in a network of both layers.
    """

    def __init__(self, *, norm: dict, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.BatchNormalization.from_config(norm)

    def build(self, input_shape):
        super().build(input_shape)
        self.norm.build(self.compute_output_shape(input_shape))

    def scaled(self, kernel, axes: int):
        """The kernel with the factors of the norm, and the bias; the last `axes` axes are those of its outputs."""
        norm = self.norm
        scale = norm.gamma * ops.rsqrt(norm.moving_variance + norm.epsilon)
        kernel = kernel * ops.reshape(scale, kernel.shape[-axes:])
        bias = norm.beta - norm.moving_mean * scale
        return ops.cast(kernel, self.compute_dtype), ops.cast(bias, self.compute_dtype)


class SettledConv2D(_Settled, layers.Conv2D):
    def call(self, inputs):
        kernel, bias = self.scaled(self.kernel, 1)
        return ops.conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate) + bias


class SettledDepthwiseConv2D(_Settled, layers.DepthwiseConv2D):
    """A depthwise convolution whose kernels are not trained.

    They are few, and their gradient would double the time of a step on TensorFlow.
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel.trainable = self.norm.gamma.trainable = False

    def call(self, inputs):
        kernel, bias = self.scaled(self.kernel, 2)
        outputs = ops.depthwise_conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)
        return outputs + bias


class _Passed(layers.Layer):
    """Does nothing, in place of a batch norm that was folded into the convolution before it."""

    def call(self, inputs, mask=None):
        return inputs


SETTLED = {layers.Conv2D: SettledConv2D, layers.DepthwiseConv2D: SettledDepthwiseConv2D}


def settled(network: keras.Model) -> keras.Model:
    """A copy of a network, weights included, whose batch norm keeps its statistics while the rest learns.

    Each batch norm that alone follows a plain or depthwise convolution is folded into it, as everywhere in
    EfficientNet-Lite and MobileNetV2; depthwise kernels stay as they are. Other batch norm learns. Without training,
    this is the fastest form of a network on TensorFlow.
    """
    # Neighbours only: the weights must stay in their order.
    neighbours = pairwise(layer for layer in network.layers if layer.weights)
    norms = {before.name: layer for before, layer in neighbours if _may_be_folded(layer, before, network)}

    def clone(layer):
        if isinstance(layer, keras.Model):
            return settled(layer)
        if layer.name in norms:
            norm = norms[layer.name].get_config() | {"name": "norm"}
            return SETTLED[type(layer)](norm=norm, **layer.get_config())
        return _Passed(name=layer.name) if layer in norms.values() else fused_layer(layer)

    return fused(network, clone)


def _may_be_folded(norm: layers.Layer, before: layers.Layer, network: keras.Model) -> bool:
    """Whether a layer is a batch norm that alone takes what a convolution gives."""
    if type(before) not in SETTLED or before.use_bias or before.activation is not keras.activations.linear:
        return False
    if not isinstance(norm, layers.BatchNormalization) or not norm.scale or not norm.center or norm.axis not in (-1, 3):
        return False
    once = len(before._inbound_nodes) == 1 and [node.operation for node in before._outbound_nodes] == [norm]
    return once and not any(output is before.output for output in network.outputs)

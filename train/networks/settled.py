"""Networks whose batch norm keeps its statistics and is folded into the convolutions: to fine-tune, and as teachers."""

from collections import Counter
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
        """The kernel with the factors of the norm, and the bias; `axes` axes follow the kernel's channel axis."""
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
    """A depthwise convolution whose kernels are not trained.

    They are few, and their gradient would double the time of a step on TensorFlow.
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel.trainable = self.norm.gamma.trainable = False

    def call(self, inputs):
        kernel, bias = self.scaled(self.kernel, 1)
        return ops.depthwise_conv(inputs, kernel, self.strides, self.padding, self.data_format) + bias


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
    norms = {}
    taken = Counter(map(id, keras.tree.flatten([[layer.input for layer in network.layers], network.outputs])))
    for before, layer in pairwise(layer for layer in network.layers if layer.weights):
        if type(before) not in SETTLED or before.use_bias or before.activation is not keras.activations.linear:
            continue
        # What something else takes as well must stay what it is, and the weights must stay in their order.
        alone = isinstance(layer, layers.BatchNormalization) and taken[id(layer.input)] == 1
        if alone and layer.input is before.output and layer.scale and layer.center:
            norms[before.name] = layer

    def clone(layer):
        if isinstance(layer, keras.Model):
            return settled(layer)
        if layer.name in norms:
            norm = norms[layer.name].get_config() | {"name": "norm"}
            return SETTLED[type(layer)](norm=norm, **layer.get_config())
        return _Passed(name=layer.name) if layer in norms.values() else fused_layer(layer)

    return fused(network, clone)

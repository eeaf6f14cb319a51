"""Augmentation as Keras layers, inside the training graph; they do nothing outside training."""

import math

import keras
from keras import ops


class RandomResizedCrop(keras.layers.Layer):
    """Cut a random box from each image, mirror it half of the time, resize it to `size`.

    The box covers a share of the area within `scale` and has an aspect ratio within `ratio` (Szegedy et al. 2015,
    "Going deeper with convolutions", section 6); it is cut off at the edges of the image. Resizing is bilinear and
    antialiased, as two matrix products per image, which is fast on every backend.

    Call arguments: images uint8 or float (B, H, W, 3), 0..255. Returns float32 (B, size, size, 3), or outside training
    the images as float32.
    """

    def __init__(self, size, scale=(0.35, 1.0), ratio=(0.75, 4 / 3), *, mirror=True, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.size, self.scale, self.ratio, self.mirror = size, scale, ratio, mirror
        self.generator = keras.random.SeedGenerator()

    def call(self, images, training=False):
        images = ops.cast(images, "float32")
        return self._crop(images) if training else images

    def _crop(self, images):
        top, left, box_height, box_width, mirrored = self._boxes(ops.shape(images)[0])
        height, width = images.shape[1:3]
        rows = _sampling_matrix(top * height, box_height * height, height, self.size)
        columns = _sampling_matrix(left * width, box_width * width, width, self.size)
        columns = ops.where(mirrored[:, None, None], ops.flip(columns, axis=1), columns)
        squeezed = ops.einsum("boh,bhwc->bowc", rows, images)
        return ops.einsum("bpw,bowc->bopc", columns, squeezed)

    def _boxes(self, batch):
        """Random boxes in fractions of the image: top, left, height, width; and mirror, boolean."""

        def uniform(low, high):
            return keras.random.uniform((batch,), low, high, dtype="float32", seed=self.generator)

        area = uniform(*self.scale)
        ratio = ops.exp(uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
        height = ops.minimum(ops.sqrt(area / ratio), 1.0)
        width = ops.minimum(ops.sqrt(area * ratio), 1.0)
        top = uniform(0.0, 1.0) * (1.0 - height)
        left = uniform(0.0, 1.0) * (1.0 - width)
        return top, left, height, width, uniform(0.0, 1.0) < (0.5 if self.mirror else 0.0)


class ColorJitter(keras.layers.Layer):
    """Change brightness, contrast and saturation of each image by random factors of 1 +- amount.

    Images are float32 (B, H, W, 3), 0..255, and clipped to that range.
    """

    def __init__(self, amount=0.2, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.amount = amount
        self.generator = keras.random.SeedGenerator()

    def call(self, images, training=False):
        if not training or not self.amount:
            return images

        def factor():
            shape = (ops.shape(images)[0], 1, 1, 1)
            low, high = 1 - self.amount, 1 + self.amount
            return keras.random.uniform(shape, low, high, dtype="float32", seed=self.generator)

        images = images * factor()
        images = _blend(images, ops.mean(images, axis=(1, 2, 3), keepdims=True), 1.0 - factor())
        images = _blend(images, ops.mean(images, axis=3, keepdims=True), 1.0 - factor())
        return ops.clip(images, 0.0, 255.0)


class CutMix(keras.layers.Layer):
    """Paste a box of another photo into each image (Yun et al. 2019, "CutMix").

    The other photo is the one at the same place of the reversed batch; `Batches` mixes the targets alike. The box has
    the aspect ratio of the image and lies anywhere inside it.

    Call arguments: images float32 (B, H, W, 3); shares float32 (B, 1), the share of each image's area that stays.
    """

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.generator = keras.random.SeedGenerator()

    def call(self, images, shares, training=False):
        if not training:
            return images
        side = ops.sqrt(1.0 - shares)
        rows, columns = self._stretch(side, images.shape[1]), self._stretch(side, images.shape[2])
        box = rows[:, :, None, None] * columns[:, None, :, None]
        return _blend(images, ops.flip(images, axis=0), box)

    def _stretch(self, side, length: int):
        """A random interval, `side` (B, 1) of `length` pixels long: (B, length), how much of each pixel lies inside."""
        start = keras.random.uniform(ops.shape(side), dtype="float32", seed=self.generator) * (1.0 - side) * length
        pixels = ops.arange(length, dtype="float32")[None, :]
        return ops.clip(ops.minimum(pixels + 1.0, start + side * length) - ops.maximum(pixels, start), 0.0, 1.0)


def resampled(maps, height: int, width: int):
    """Maps (N, H, W, C) at another size, (N, height, width, C): bilinear, antialiased, as float32.

    Not `keras.ops.image.resize`, whose antialiasing TensorFlow cannot compile for a GPU.
    """

    def matrix(source: int, size: int):
        return _sampling_matrix(ops.zeros(1), ops.full((1,), float(source)), source, size)[0]

    squeezed = ops.einsum("oh,bhwc->bowc", matrix(maps.shape[1], height), ops.cast(maps, "float32"))
    return ops.einsum("pw,bowc->bopc", matrix(maps.shape[2], width), squeezed)


def _blend(images, towards, factor):
    """Linear from the images (factor 0) to `towards` (factor 1); a factor below 0 leads away from it."""
    return images + (towards - images) * factor


def _sampling_matrix(start, length, source_size: int, size: int):
    """Weights (B, size, source_size) of an antialiased bilinear resampling of [start, start + length).

    The triangle filter is as wide as one output pixel, at least one source pixel, as in Pillow's
    `Image.resize(..., BILINEAR, box)`.
    """
    step = length / size
    centre = start[:, None] + (ops.arange(size, dtype="float32")[None, :] + 0.5) * step[:, None]
    source = ops.arange(source_size, dtype="float32") + 0.5
    width = ops.maximum(step, 1.0)[:, None, None]
    weights = ops.relu(1.0 - ops.abs(source[None, None, :] - centre[:, :, None]) / width)
    return weights / ops.sum(weights, axis=2, keepdims=True)

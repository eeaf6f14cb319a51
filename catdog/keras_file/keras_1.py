"""A layer's config of Keras 1 -> the same of Keras 2."""

from __future__ import annotations

from typing import Any

KINDS = {
    "Convolution2D": "Conv2D", "AtrousConvolution2D": "Conv2D", "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
}  # fmt: skip
OPTIONS = {
    "nb_filter": "filters", "border_mode": "padding", "subsample": "strides", "bias": "use_bias", "output_dim": "units",
    "p": "rate", "atrous_rate": "dilation_rate", "dim_ordering": "data_format",
}  # fmt: skip
# They matter when a model is trained, or are said elsewhere.
DROPPED = ("init", "input_dim", "nb_row", "nb_col", "input_dtype", "beta_init", "gamma_init", "output_shape", "mode")
FORMATS = {"tf": "channels_last", "th": "channels_first"}


def from_keras_1(kind: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class and config with the names of Keras 2. What has no name there is kept, to be refused later."""
    if kind.startswith("BatchNorm") and config.get("mode", 0):  # statistics of each batch
        return kind, config
    new = {OPTIONS.get(key, key): value for key, value in config.items() if key not in DROPPED}
    new = {key: value for key, value in new.items() if not key.startswith(("W_", "b_"))}
    if "nb_row" in config:
        new["kernel_size"] = [config["nb_row"], config["nb_col"]]
    if "data_format" in new:
        new["data_format"] = FORMATS.get(new["data_format"], "channels_last")
    return KINDS.get(kind, kind), new

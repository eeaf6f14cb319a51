"""Why a file is not served: a code and a sentence for each kind."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from catdog.errors import ModelMismatch

SAVE_AGAIN = "save it again with `model.save('model.h5')`"
REFUSALS = {
    "file_missing": "There is no such file.",
    "file_unreadable": "It cannot be read: {reason}.",
    "empty_file": "It is empty: download or save it again.",
    "git_lfs_pointer": "It is a Git LFS pointer that stands for the model: run `git lfs pull` in its repository, or "
    "download the file itself.",
    "web_page": "It is a web page about the file: use the link that downloads the file itself.",
    "zip_file": "It is a zip file in which no single model was found: unpack it, and name the model in it.",
    "archive": "It is a packed archive: unpack it, and name the model in it.",
    "pickle": "It is a pickle, as fastai and PyTorch write. Opening one can run any code, so none is ever opened. "
    "Wanted are models of Keras: .h5, .hdf5 or .keras.",
    "saved_model": "It is a SavedModel, which is a program and not layers, so it is not run. Load it where it was made "
    "and " + SAVE_AGAIN + "; Teachable Machine and Lobe offer an export for Keras.",
    "tensorflow_js": "It is an export for TensorFlow.js. Export it for Keras (Teachable Machine: Tensorflow, Keras).",
    "tensorflow_lite": "It is for TensorFlow Lite. Export it for Keras (Teachable Machine: Tensorflow, Keras).",
    "arrays": "It holds arrays, but no model: " + SAVE_AGAIN + " where it was made.",
    "weights_only": "It holds weights only (`save_weights`). Put the model.json of `model.to_json()` beside it, or "
    + SAVE_AGAIN + ".",
    "no_weights": "It describes the layers only. Put the weights (.h5) beside it, or " + SAVE_AGAIN + ".",
    "truncated": "Its end is missing: download or copy it again.",
    "damaged": "It is damaged, or no file of Keras ({reason}).",
    "not_a_model": "It is no model of Keras. Wanted are .h5, .hdf5, .keras, or a model.json and weights.",
    "outside_data": "It refers to data in other files, which are never opened: " + SAVE_AGAIN + " where it was made.",
    "absurd_size": "It asks for more than a model may take: {reason}.",
    "own_code": "Its layer {layer} ({kind}) is none that Keras has today, and code of its own is never run. Replace it "
    "by layers of Keras (a Lambda that scales pixels by a Rescaling layer), and " + SAVE_AGAIN + ".",
    "unknown_operation": "Its step {layer} ({kind}) is no layer of Keras. If it prepares the pixels, leave it out, as "
    "`python -m catdog adopt --photos` finds out how to prepare them, or make it a Rescaling layer; then "
    + SAVE_AGAIN + ".",
    "unknown_option": "Its layer {layer} has the option {kind}, which this version of Keras does not have, so its "
    "answers could be wrong.",
    "unknown_input": "It does not say how large its photos are: name width and height with --size 128x128.",
    "not_for_photos": "It takes inputs of shape {shape}. Photos are (height, width, 3), or 1 for grey ones, with sides "
    "from 8 to 2048 pixels.",
    "several_outputs": "It has {count} outputs; one with a number per class is wanted.",
    "one_softmax_output": "Its only output is a softmax, which is 1 for every photo: it has learned nothing. Train it "
    "again with a sigmoid.",
    "unknown_head": "Its last layer gives no probabilities ({kind}). It must end in a sigmoid, for two classes, or a "
    "softmax.",
    "linear_head": "Its last layer is linear, and the file does not say that its outputs are logits. If they are, "
    "`python -m catdog adopt --logits` adds what turns them into probabilities.",
    "several_sigmoids": "It has a sigmoid for each of {count} classes, so its probabilities need not add up to 1. "
    "`python -m catdog adopt` divides them by their sum.",
    "several_files": "There are several models: name one of {reason}.",
    "not_loaded": "It cannot be put together: {reason}",
}  # fmt: skip


class Refused(ModelMismatch):
    """A file that is no model, or one that cannot be served: `code` is a key of REFUSALS."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return Refused, (self.code, str(self))


def refused(code: str, name: str, **facts: Any) -> Refused:
    """The error about the file `name`, without its folders, because pages show the message."""
    sentence = REFUSALS[code].format(**facts)
    return Refused(code, f"{name} cannot be loaded as a Keras model: {sentence[0].lower()}{sentence[1:]}")


def first_line(error: Exception) -> str:
    """The useful line of a library's message, at most 300 characters.

    Keras adds whole configurations before or after it, and OpenVINO adds places in its source code before it.
    """
    text = re.sub(r"(?s)^.*Exception encountered(: | when calling .*?\n)", "", str(error))
    text = re.sub(r"\x1b\[\d+m", "", text)  # bold
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("Exception from ")]
    return textwrap.shorten(lines[0] if lines else type(error).__name__, 300)

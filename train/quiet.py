"""Keras without its greetings."""

from __future__ import annotations

import os
from logging import getLogger

from catdog.terminal import hidden_stderr


def load_keras() -> None:
    """Import Keras without the greetings of its backend and its advice to choose another file format."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with hidden_stderr():
        import keras  # noqa: F401
        from absl import logging

    logging.set_verbosity(logging.ERROR)
    # Several models in one process, as after each training, are no mistake.
    getLogger("tensorflow").setLevel("ERROR")

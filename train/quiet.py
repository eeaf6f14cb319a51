"""Import Keras without its log lines."""

import os
from logging import getLogger

from catdog.terminal import hidden_stderr


def load_keras() -> None:
    """Import Keras without the log lines of its backend and its warning about the `.h5` format."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with hidden_stderr():
        import keras  # noqa: F401
        from absl import logging

    logging.set_verbosity(logging.ERROR)
    # It warns about several models in one process, which is no mistake here.
    getLogger("tensorflow").setLevel("ERROR")

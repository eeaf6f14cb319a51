"""One `.h5` file -> a callable from pixels to probabilities and activation maps.

OpenVINO runs a converted copy of the `.h5`, kept in a cache and compared with Keras when it is made. Where OpenVINO
cannot run a model, Keras on TensorFlow does. Once the cache is filled neither Keras nor TensorFlow is imported.
"""

from catdog.engine.cascade import warm_up
from catdog.engine.interface import FOLDER_BATCH, Engine, Outputs, are_probabilities
from catdog.engine.loading import describe, load_engine, load_engines
from catdog.engine.precision import EXACT, FAST, fast_here, precisions_of

__all__ = [
    "EXACT",
    "FAST",
    "FOLDER_BATCH",
    "Engine",
    "Outputs",
    "are_probabilities",
    "describe",
    "fast_here",
    "load_engine",
    "load_engines",
    "precisions_of",
    "warm_up",
]

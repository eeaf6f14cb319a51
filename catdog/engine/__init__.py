"""One `.h5` file -> a callable from pixels to probabilities, features and activation maps.

The `.h5` stays the file of record; OpenVINO runs a converted copy of it, kept in a cache. Keras on
TensorFlow is the reference that the copy is checked against, and runs the models where OpenVINO
cannot. With a filled cache neither Keras nor TensorFlow is imported.
"""

from catdog.engine.interface import OF_A_FOLDER, TOGETHER, Engine, Outputs, are_probabilities
from catdog.engine.loading import describe, load_engine, load_engines, precision_of, precisions_of
from catdog.engine.precision import EXACT, FAST, fast_here
from catdog.engine.recheck import warm_up

__all__ = [
    "EXACT",
    "FAST",
    "OF_A_FOLDER",
    "TOGETHER",
    "Engine",
    "Outputs",
    "are_probabilities",
    "describe",
    "fast_here",
    "load_engine",
    "load_engines",
    "precision_of",
    "precisions_of",
    "warm_up",
]

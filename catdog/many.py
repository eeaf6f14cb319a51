"""The former name of `catdog.collection`; it will go in a later version."""

import warnings

from catdog.collection import *  # noqa: F403

warnings.warn("catdog.many is now called catdog.collection.", DeprecationWarning, stacklevel=2)

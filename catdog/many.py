"""The former name of `catdog.collection`; a later version will remove it."""

import warnings

from catdog.collection import *  # noqa: F403

warnings.warn("catdog.many is now called catdog.collection.", DeprecationWarning, stacklevel=2)

"""The former name of `catdog.flask_app`; it will go in a later version."""

import warnings

from catdog.flask_app import create_app, create_blueprint

__all__ = ["create_app", "create_blueprint"]

warnings.warn("catdog.web is now called catdog.flask_app.", DeprecationWarning, stacklevel=2)

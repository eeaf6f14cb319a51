"""The former name of `catdog.flask_app`; a later version will remove it."""

import warnings

from catdog.flask_app import create_app, create_blueprint

__all__ = ["create_app", "create_blueprint"]

warnings.warn("catdog.web is now called catdog.flask_app.", DeprecationWarning, stacklevel=2)

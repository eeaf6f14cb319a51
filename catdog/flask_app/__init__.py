"""The Flask service: an upload page and a JSON API, as a blueprint and as an application.

    flask --app catdog.flask_app run

    app.register_blueprint(create_blueprint(catdog.load()), url_prefix="/pets")

Importing this package loads neither Keras nor a model.
"""

from catdog.flask_app.app import create_app
from catdog.flask_app.blueprint import create_blueprint

__all__ = ["create_app", "create_blueprint"]

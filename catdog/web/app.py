"""The application around the blueprint: the only place that joins settings, models and routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from .. import load
from ..config import Settings
from ..errors import ModelUnavailable
from .blueprint import Answering, create_blueprint, error_body, harden

if TYPE_CHECKING:
    from ..spec import ModelSpec


def create_app(comparator: Answering | None = None, settings: Settings | None = None) -> Flask:
    """An application that serves one comparator at `/`.

    Without a comparator the models of the settings are loaded, by default those of the environment;
    that takes seconds. When no model can be loaded the application starts all the same, so that
    `/readyz` and the page can say why. Raises InvalidSettings.
    """
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # classes and fields keep the order that the models give them
    if comparator is None:
        comparator = _loaded(settings or Settings.from_env())
    for problem in comparator.problems:
        app.logger.warning("%s", problem)
    app.register_blueprint(create_blueprint(comparator))
    app.register_error_handler(HTTPException, _json_error)
    app.after_request(harden)
    return app


class NoModels:
    """Stands where the Comparator would when no model could be loaded; answers everything with why."""

    specs: tuple[ModelSpec, ...] = ()
    default: None = None
    source = "none"

    def __init__(self, error: ModelUnavailable, settings: Settings):
        self.problems, self.settings = (str(error),), settings

    def compare(self, photo: object, *, model: str | None = None) -> NoReturn:
        raise ModelUnavailable(self.problems[0])


def _loaded(settings: Settings) -> Answering:
    try:
        return load(settings)
    except ModelUnavailable as error:
        return NoModels(error, settings)


def _json_error(error: HTTPException) -> Response:
    """Any HTTP error as JSON, with the headers that belong to it, such as Allow.

    Flask has already logged an unexpected exception; only its status reaches the client.
    """
    code = "internal_error" if error.code == 500 else error.name.lower().replace(" ", "_")
    response = error.get_response()
    response.data = json.dumps(error_body(code, error.description or error.name))
    response.content_type = "application/json"
    return response

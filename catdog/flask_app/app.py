"""The Flask application: settings, models and the blueprint joined."""

import logging
import time

from flask import Flask, Response, g, json, request
from werkzeug.exceptions import HTTPException

from catdog import load
from catdog.comparator import Comparator
from catdog.errors import ModelUnavailable
from catdog.flask_app.blueprint import create_blueprint, harden
from catdog.memory import limit_malloc
from catdog.monitoring import request_log
from catdog.settings import Settings


def create_app(comparator: Comparator | None = None, settings: Settings | None = None) -> Flask:
    """An application that serves one comparator at `/`.

    Without a comparator the models of the settings are loaded, by default those of the environment;
    that takes seconds. When no model can be loaded the application starts all the same: `/readyz` and
    the page say so, the log says why. Every answer has the id of its request. Raises InvalidSettings.
    """
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # classes and fields keep the order that the models give them
    settings = comparator.settings if comparator else settings or Settings.from_env()
    request_log.configure(settings)
    comparator = comparator or _loaded(settings, app.logger)
    comparator.listen(request_log.log_photo)
    app.register_blueprint(create_blueprint(comparator))
    app.register_error_handler(HTTPException, _json_error)
    app.before_request(_begin)
    app.after_request(harden)
    app.after_request(_end)
    return app


def _loaded(settings: Settings, log: logging.Logger) -> Comparator:
    limit_malloc()
    try:
        comparator = load(settings)
        comparator.warm_up()
    except ModelUnavailable as error:
        log.error("%s", error)  # it may name folders of the server
        return Comparator([], problems=["No model could be loaded. The log of the server says why."], settings=settings)
    for problem in comparator.problems:
        log.warning("%s", problem)
    return comparator


def _begin() -> None:
    g.start = time.perf_counter()
    request_log.request_id.set(request_log.id_for(request.headers.get(request_log.HEADER)))


def _end(response: Response) -> Response:
    request_log.log_request(request.method, request.path, response.status_code, time.perf_counter() - g.start)
    response.headers[request_log.HEADER] = request_log.request_id.get()
    return response


def _json_error(error: HTTPException) -> Response:
    """Any HTTP error as JSON, with the headers that belong to it, such as Allow.

    Flask has already logged an unexpected exception; only its status reaches the client.
    """
    code = "internal_error" if error.code == 500 else error.name.lower().replace(" ", "_")
    response = error.get_response()
    response.data = json.dumps({"error": {"code": code, "message": error.description or error.name}})
    response.content_type = "application/json"
    return response

"""The routes, as a blueprint that can be mounted in any Flask application."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from flask import Blueprint, Response, json, render_template, request, url_for

from .. import __version__, wording
from ..errors import Busy, CatDogError, ModelUnavailable
from .upload import Upload, read_upload

if TYPE_CHECKING:
    from ..compare import Comparison
    from ..config import Settings
    from ..spec import ModelSpec

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Answering(Protocol):
    """What the routes need of a `catdog.compare.Comparator`."""

    specs: tuple[ModelSpec, ...]
    default: ModelSpec | None
    source: str
    problems: tuple[str, ...]
    settings: Settings

    def compare(self, photo: IO[bytes], *, model: str | None = None) -> Comparison: ...


def create_blueprint(comparator: Answering, *, name: str = "catdog") -> Blueprint:
    """Routes that answer with one comparator; mount it under any `url_prefix`, twice under two names.

    GET  /              upload page
    POST /              the same form, answered with the page: works without JavaScript
    POST /predict       multipart field `file`, optional field `model` -> Comparison as JSON
    GET  /models        what is loaded and where it comes from
    GET  /healthz       200 while the process lives
    GET  /readyz        200 when at least one model answers, 503 otherwise
    GET  /openapi.json  this list, for machines

    Errors of these routes are JSON `{"error": {"code", "message"}}`; unknown paths and methods stay
    with the application around it.
    """
    views = _Views(comparator)
    blueprint = Blueprint(
        name, __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
    )
    blueprint.add_url_rule("/", view_func=views.page, methods=["GET", "POST"])
    blueprint.add_url_rule("/predict", view_func=views.predict, methods=["POST"])
    blueprint.add_url_rule("/models", view_func=views.models)
    blueprint.add_url_rule("/healthz", view_func=views.healthz)
    blueprint.add_url_rule("/readyz", view_func=views.readyz)
    blueprint.add_url_rule("/openapi.json", view_func=views.openapi)
    blueprint.register_error_handler(CatDogError, _json_error)
    blueprint.after_request(harden)
    return blueprint


def error_body(code: str, message: str) -> dict[str, Any]:
    """The JSON of every error."""
    return {"error": {"code": code, "message": message}}


def harden(response: Response) -> Response:
    """Let the page load nothing from elsewhere and run no inline code."""
    for header, value in HEADERS.items():
        response.headers.setdefault(header, value)
    return response


class _Views:
    """The view functions around one comparator."""

    def __init__(self, comparator: Answering):
        self.comparator = comparator
        self.description = json.loads(Path(__file__).with_name("openapi.json").read_bytes())

    def page(self) -> tuple[str, int, dict[str, str]]:
        upload = comparison = error = None
        status = 200 if self.comparator.specs else ModelUnavailable.status
        if request.method == "POST":
            try:
                upload = self._upload()
                comparison = self._compare(upload)
            except CatDogError as caught:
                error, status = str(caught), caught.status
        return self._render(upload, comparison, error), status, _retry(status)

    def predict(self) -> dict[str, Any]:
        return self._compare(self._upload()).to_dict()

    def models(self) -> dict[str, Any]:
        default, settings = self.comparator.default, self.comparator.settings
        return {
            "default": default.name if default else None,
            "source": self.comparator.source,
            "problems": list(self.comparator.problems),
            "limits": {"max_upload_bytes": settings.max_upload_bytes, "max_pixels": settings.max_pixels},
            "models": [spec.public() for spec in self.comparator.specs],
        }

    def healthz(self) -> dict[str, Any]:
        return {"status": "ok", "version": __version__}

    def readyz(self) -> dict[str, Any]:
        if not self.comparator.specs:
            raise ModelUnavailable(" ".join(self.comparator.problems))
        return {
            "status": "ready",
            "models": [spec.name for spec in self.comparator.specs],
            "source": self.comparator.source,
            "problems": list(self.comparator.problems),
        }

    def openapi(self) -> dict[str, Any]:
        root = url_for(".page").rstrip("/") or "/"
        info = self.description["info"] | {"version": __version__}
        return self.description | {"info": info, "servers": [{"url": root}]}

    def _upload(self) -> Upload:
        return read_upload(request, self.comparator.settings.max_upload_bytes)

    def _compare(self, upload: Upload) -> Comparison:
        return self.comparator.compare(upload.photo, model=upload.model)

    def _render(self, upload: Upload | None, comparison: Comparison | None, error: str | None) -> str:
        specs, default = self.comparator.specs, self.comparator.default
        return render_template(
            "catdog.html",
            comparator=self.comparator,
            photo=upload.name if upload else "",
            verdicts={verdict.model: verdict for verdict in comparison.models} if comparison else {},
            agree=comparison.agree if comparison else None,
            error=error,
            summary=_summary(comparison, specs, default) if comparison and default else "",
            wording=wording,
        )


def _summary(comparison: Comparison, specs: tuple[ModelSpec, ...], default: ModelSpec) -> str:
    return f"{wording.agreement(comparison, specs)}. {wording.leading(comparison, default)}".strip()


def _json_error(error: CatDogError) -> tuple[dict[str, Any], int, dict[str, str]]:
    return error_body(error.code, str(error)), error.status, _retry(error.status)


def _retry(status: int) -> dict[str, str]:
    """The header that tells a client to come back soon, for the statuses that pass."""
    return {"Retry-After": "1"} if status == Busy.status else {}

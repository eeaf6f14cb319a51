"""The routes, as a blueprint that can be mounted in any Flask application."""

import functools
import reprlib
from pathlib import Path
from typing import IO, Any

from flask import Blueprint, Response, render_template, request, send_from_directory, url_for

from catdog import __version__
from catdog.comparator import Comparator
from catdog.errors import Busy, CatDogError, ModelUnavailable
from catdog.flask_app.form import YES, Upload, read_upload
from catdog.flask_app.openapi import description
from catdog.flask_app.responses import Health, Limits, Models
from catdog.monitoring.counts import Counts
from catdog.monitoring.readiness import Readiness
from catdog.pages import ACTIONS, CHOOSING, ICON, STYLE, banners, cards, examples, frame, preview
from catdog.pages.opening import Opening
from catdog.pages.pictures import data_url, overlay_urls, reduced
from catdog.verdict import default_of
from catdog.wording import question, scope

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class UnknownExample(CatDogError, LookupError):
    """The page's address names an example that does not exist."""

    code = "unknown_example"
    status = 404


def create_blueprint(comparator: Comparator, *, name: str = "catdog") -> Blueprint:
    """Routes that answer with one comparator; mount it under any `url_prefix`, or twice with two names.

    GET  /              upload page; with `?example=name`, the verdicts on that example
    POST /              the same form, answered with the page: works without JavaScript
    POST /predict       multipart field `file` or `url`, optional fields `model` and `explain` -> Comparison as JSON
    GET  /models        what is loaded and where it comes from
    GET  /healthz       200 while the process lives
    GET  /readyz        200 when at least one model answers, 503 otherwise
    GET  /metrics       counts for Prometheus
    GET  /openapi.json  the OpenAPI description of these routes

    Errors of these routes are JSON `{"error": {"code", "message"}}`; unknown paths and methods are
    left to the application around it.
    """
    views = _Views(comparator)
    blueprint = Blueprint(
        name, __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
    )
    names = ", ".join(path.name for path in (STYLE, ICON, CHOOSING, ACTIONS))
    picture = functools.cache(lambda: preview.picture(comparator.specs))
    route = blueprint.add_url_rule
    route("/", "page", views.page, methods=["GET", "POST"])
    route(f"/assets/<any({names}):name>", "shared", lambda name: send_from_directory(STYLE.parent, name))
    route(f"/assets/{preview.PICTURE}", "preview", lambda: Response(picture(), content_type="image/jpeg"))
    route("/predict", "predict", views.predict, methods=["POST"])
    route("/models", "models", views.models)
    route("/healthz", "healthz", lambda: Health(version=__version__).model_dump())
    route("/readyz", "readyz", lambda: Readiness.of(comparator).model_dump())
    route("/metrics", "metrics", views.metrics)
    route("/openapi.json", "openapi", lambda: description(url_for(".page").rstrip("/") or "/"))
    blueprint.register_error_handler(CatDogError, _json_error)
    blueprint.after_request(harden)
    return blueprint


def harden(response: Response) -> Response:
    """Let the page load nothing from elsewhere and run no inline code."""
    for header, value in HEADERS.items():
        response.headers.setdefault(header, value)
    return response


class _Views:
    """The view functions around one comparator."""

    def __init__(self, comparator: Comparator):
        self.comparator, self.counts = comparator, Counts(comparator)
        self.examples = examples.find()
        self.opening = Opening(comparator, "Choose, drop or paste one")
        self.thumbnails = examples.thumbnails(examples.fitting(comparator.specs))

    def page(self) -> tuple[str, int, dict[str, str]]:
        specs = self.comparator.specs
        status, example = 200 if specs else ModelUnavailable.status, request.args.get("example", "")
        shown = {"headline": banners.refused("No model is loaded."), "cards": cards.blank(specs)}
        shown |= {"example": example, "explain": True, "photo": "", "picture": ""}
        try:
            if request.method == "POST":
                upload = self._upload()
                shown |= {"photo": upload.name, "explain": upload.explain}
                shown |= self._verdicts(upload.photo, upload.model, upload.explain)
            elif example:
                shown["explain"] = request.args.get("explain", "1").lower() in YES
                shown |= self._verdicts(self._example(example), None, shown["explain"])
            elif specs:
                shown |= dict(zip(("headline", "cards"), self.opening(), strict=True))
        except CatDogError as error:
            status = error.status
            shown["headline"] = banners.failed(error)
        return self._render(shown), status, _retry(status)

    def predict(self) -> dict[str, Any]:
        upload = self._upload()
        return self.comparator.compare(upload.photo, model=upload.model, explain=upload.explain).to_dict()

    def models(self) -> dict[str, Any]:
        comparator, settings = self.comparator, self.comparator.settings
        return Models(
            default=default_of(comparator.specs).name if comparator.specs else None,
            source=comparator.source,
            problems=list(comparator.problems),
            limits=Limits(max_upload_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels),
            models=[spec.public(comparator.sources[spec.name]) for spec in comparator.specs],
        ).model_dump()

    def metrics(self) -> Response:
        figures, content_type = self.counts.exposition(request.headers.get("Accept", ""))
        return Response(figures, content_type=content_type)

    def _upload(self) -> Upload:
        try:
            return read_upload(request, self.comparator.settings.max_upload_bytes)
        except CatDogError as error:
            self.counts.count_error(error)
            raise

    def _example(self, name: str) -> Path:
        if name not in self.examples:
            names = ", ".join(self.examples) or "none"
            raise UnknownExample(f"There is no example {reprlib.repr(name)}; choose one of {names}.")
        return self.examples[name]

    def _verdicts(self, photo: IO[bytes] | Path | str, model: str | None, explain: bool) -> dict[str, str]:
        """What the page shows of a photo: the photo itself, the headline and the cards."""
        specs = self.comparator.specs
        comparison, image = self.comparator.look(photo, model=model, explain=explain)
        return {
            "picture": data_url(reduced(image)),
            "headline": banners.verdict(comparison, specs),
            "cards": cards.filled(comparison, specs, overlay_urls(comparison, image, specs) if explain else None),
        }

    def _render(self, shown: dict[str, Any]) -> str:
        """The page, with what `shown` says of a photo."""
        comparator, specs = self.comparator, self.comparator.specs
        return render_template(
            "catdog.html",
            comparator=comparator,
            heading=frame.heading(specs),
            question=question(specs),
            preview=preview.tags(specs, url_for(".preview", _external=True)),
            about=frame.about(specs, comparator.sources, comparator.problems, "Photos are not kept."),
            # What the script of the page shows before an answer, and instead of one.
            states={
                "looking": banners.looking(),
                "failed": banners.unanswered("The server did not answer as it should."),
                "objection": banners.objection(),
            },
            examples=self.thumbnails,
            scope=scope(specs),
            **shown,
        )


def _json_error(error: CatDogError) -> tuple[dict[str, Any], int, dict[str, str]]:
    return {"error": error.to_dict()}, error.status, _retry(error.status)


def _retry(status: int) -> dict[str, str]:
    """The header that tells a client when to try again, for the status of Busy."""
    return {"Retry-After": "1"} if status == Busy.status else {}

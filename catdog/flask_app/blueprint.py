"""The routes, as a blueprint that can be mounted in any Flask application."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from flask import Blueprint, Response, json, render_template, request, send_from_directory, url_for

from catdog import __version__
from catdog.errors import Busy, CatDogError, ModelUnavailable
from catdog.flask_app.form import YES, Upload, read_upload
from catdog.pages import ICON, STYLE, banners, cards, examples, frame
from catdog.pages.pictures import data_url, overlay_urls, reduced
from catdog.wording import scope

if TYPE_CHECKING:
    from PIL import Image

    from catdog.models.spec import ModelSpec
    from catdog.settings import Settings
    from catdog.verdict import Comparison

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Answering(Protocol):
    """What the routes need of a `catdog.comparator.Comparator`."""

    specs: tuple[ModelSpec, ...]
    default: ModelSpec | None
    source: str
    problems: tuple[str, ...]
    settings: Settings

    def compare(self, photo: IO[bytes], *, model: str | None = None, explain: bool = False) -> Comparison: ...

    def look(
        self, photo: IO[bytes] | Path, *, model: str | None = None, explain: bool = False
    ) -> tuple[Comparison, Image.Image]: ...


class UnknownExample(CatDogError, LookupError):
    """The page's address names an example that there is none of."""

    code = "unknown_example"
    status = 404


def create_blueprint(comparator: Answering, *, name: str = "catdog") -> Blueprint:
    """Routes that answer with one comparator; mount it under any `url_prefix`, twice under two names.

    GET  /              upload page; with `?example=name`, the verdicts on that example
    POST /              the same form, answered with the page: works without JavaScript
    POST /predict       multipart field `file`, optional fields `model` and `explain` -> Comparison as JSON
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
    blueprint.add_url_rule(f"/assets/<any({STYLE.name}, {ICON.name}):name>", "shared", view_func=views.shared)
    blueprint.add_url_rule("/predict", view_func=views.predict, methods=["POST"])
    blueprint.add_url_rule("/models", view_func=views.models)
    blueprint.add_url_rule("/healthz", view_func=views.healthz)
    blueprint.add_url_rule("/readyz", view_func=views.readyz)
    blueprint.add_url_rule("/openapi.json", view_func=views.openapi)
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

    def __init__(self, comparator: Answering):
        self.comparator = comparator
        self.description = json.loads(Path(__file__).with_name("openapi.json").read_bytes())
        self.examples = examples.find()
        self.thumbnails = examples.thumbnails()

    def page(self) -> tuple[str, int, dict[str, str]]:
        shown, status = _Shown(example=request.args.get("example", "")), 200
        try:
            if request.method == "POST":
                upload = self._upload()
                shown = _Shown(photo=upload.name, explain=upload.explain)
                self._judge(shown, upload.photo, upload.model)
            elif shown.example:
                shown.explain = request.args.get("explain", "1").lower() in YES
                self._judge(shown, self._example(shown.example), None)
            elif not self.comparator.specs:
                status = ModelUnavailable.status
        except CatDogError as error:
            status = error.status
            shown.headline = banners.failed(error)
        return self._render(shown), status, _retry(status)

    def shared(self, name: str) -> Response:
        return send_from_directory(STYLE.parent, name)

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
        return self.comparator.compare(upload.photo, model=upload.model, explain=upload.explain)

    def _example(self, name: str) -> Path:
        if name not in self.examples:
            names = ", ".join(self.examples) or "none"
            raise UnknownExample(f"There is no example {reprlib.repr(name)}; choose one of {names}.")
        return self.examples[name]

    def _judge(self, shown: _Shown, photo: IO[bytes] | Path, model: str | None) -> None:
        """Put the verdicts on a photo into what is shown."""
        specs = self.comparator.specs
        comparison, image = self.comparator.look(photo, model=model, explain=shown.explain)
        shown.picture = data_url(reduced(image))
        shown.headline = banners.verdict(comparison, specs)
        shown.cards = cards.filled(comparison, specs, overlay_urls(comparison, image, specs))

    def _render(self, shown: _Shown) -> str:
        specs, comparator = self.comparator.specs, self.comparator
        headline = shown.headline or (_WAITING if specs else banners.refused("No model is loaded."))
        return render_template(
            "catdog.html",
            comparator=comparator,
            heading=frame.heading(specs),
            headline=headline,
            cards=shown.cards or cards.blank(specs),
            about=frame.about(specs, comparator.source, comparator.problems, "Photos are not kept."),
            states=_STATES,
            examples=self.thumbnails if specs else {},
            example=shown.example,
            explain=shown.explain,
            photo=shown.photo,
            picture=shown.picture,
            scope=scope(specs),
        )


@dataclass
class _Shown:
    """What a page shows.

    photo, example   name of the photo, or of the example, that is judged
    picture          the address of what was judged
    explain          whether with heat maps
    headline, cards  the HTML of the verdicts
    """

    photo: str = ""
    example: str = ""
    picture: str = ""
    explain: bool = True
    headline: str = ""
    cards: str = ""


_WAITING = banners.waiting("Choose one, drop one, paste one, or try an example.")
# What the script of the page shows before and instead of an answer.
_STATES = {"looking": banners.looking(), "failed": banners.unanswered("The server did not answer as it should.")}


def _json_error(error: CatDogError) -> tuple[dict[str, Any], int, dict[str, str]]:
    return {"error": error.to_dict()}, error.status, _retry(error.status)


def _retry(status: int) -> dict[str, str]:
    """The header that tells a client to come back soon, for the statuses that pass."""
    return {"Retry-After": "1"} if status == Busy.status else {}

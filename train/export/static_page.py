"""ONNX files -> the whole app as a folder of static files, which any web server can serve.

The page fills the templates of catdog/pages and speaks in the sentences of catdog/wording.py; what only it needs lies
in static/.
"""

import base64
import hashlib
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catdog import wording
from catdog.errors import InvalidSettings, ModelMismatch
from catdog.flask_app import blueprint
from catdog.gradio_app import quiz_tab
from catdog.models.spec import ModelSpec, classes_of, sha256_of
from catdog.pages import ICON, STYLE, banners, cards, examples, frame, live, preview
from catdog.pages.opening import Opening
from catdog.pages.render import environment, render
from catdog.settings import Settings
from train.export.javascript import javascript
from train.export.onnx_folder import MANIFEST
from train.export.site import READABLE, scaling, site
from train.measure.served import served

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "static"
RUNTIME = SOURCE / "node_modules" / "onnxruntime-web"
RUNTIME_FILES = (
    "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm",
    "ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm",
)  # fmt: skip
WORKER = "service-worker.js"
SHEETS = (STYLE, Path(blueprint.__file__).parent / "static" / "catdog.css", SOURCE / "page.css")
QUIZ = Path(quiz_tab.__file__)
FILLED = (
    "macros.html", "legend.html", "actions.html", "banner.html", "cards.html", "progress.html", "gallery.html",
    "closer.html", "live_verdict.html",
)  # fmt: skip
PRIVACY = "The models run in your browser: your photos never leave this device."
# Nothing comes from elsewhere and nothing goes there.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)
RAMP_TOLERANCE = 0.02  # of an answer to the ramp, between the browser's arithmetic and ours

# With it, the page can be installed.
APP = {
    "start_url": "./", "display": "standalone", "background_color": "#faf7f2",
    "theme_color": "#faf7f2", "icons": [{"src": ICON.name, "sizes": "any", "type": "image/svg+xml"}],
}  # fmt: skip


def build(onnx: Path, weights: Path, out: Path, *, address: str = "") -> dict[str, Any]:
    """Build the page in `out`, which appears whole or not at all; returns the number of files and their bytes.

    onnx     folder made by `export`
    weights  folder of the same models as `.h5`: their specs count, and they answer the questions of the quiz
    address  where the page will be served, with a slash at the end; other sites show no picture of it without this

    Raises InvalidSettings for a folder that is not an earlier build or where onnxruntime-web is not installed, and
    ModelMismatch for ONNX files that are damaged or of other models than those in `weights`.
    """
    if not RUNTIME.is_dir():
        raise InvalidSettings("onnxruntime-web is not installed: run `make static/node_modules`, which needs npm.")
    if out.exists():
        others = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()} - names_of(out)
        if others or not out.is_dir():
            raise InvalidSettings(
                f"{out} holds something else than an earlier build, such as {min(others, default=out.name)}: "
                "name another folder."
            )
    models = _models(onnx)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as made, served(weights) as comparator:
        folder = Path(made) / "page"
        if [spec.sha256 for spec in comparator.specs] != [entry["h5_sha256"] for entry in models]:
            raise ModelMismatch(f"{onnx} holds other models than {weights}: export them again.")
        _copy_files(folder)
        (folder / "models").mkdir()
        listed = [_model(folder / "models", onnx, *pair) for pair in zip(models, comparator.specs, strict=True)]
        _write(folder / "models" / "models.json", json.dumps(listed))
        # What a model takes here is what its visitors download.
        specs = [spec.replace(bytes=of["bytes"]) for spec, of in zip(comparator.specs, listed, strict=True)]
        _write(folder / "site.js", f"export default {json.dumps(site(specs), ensure_ascii=False)};\n")
        _write(folder / "catdog.webmanifest", json.dumps({"name": wording.question(specs), **APP}))
        names = [f"icons/{path.name}" for path in sorted((ROOT / "catdog/pages/templates/icons").iterdir())]
        _write(folder / "templates.js", javascript(environment(), [*names, *FILLED]))
        (folder / preview.PICTURE).write_bytes(preview.picture(specs))
        _write(folder / "index.html", _page(folder, specs, comparator, address))
        _write(folder / WORKER, service_worker(folder))
        _replace(out, folder, Path(made) / "old")
    files = [path for path in out.rglob("*") if path.is_file()]
    return {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}


def names_of(folder: Path) -> set[str]:
    """The files of a page that `build` made, relative to its folder; none for any other folder."""
    try:
        facts = dict(re.findall(r"^const (KEPT|FETCHED) = (.*);$", (folder / WORKER).read_text("utf-8"), re.MULTILINE))
        return {*json.loads(facts["KEPT"]), *json.loads(facts["FETCHED"]), WORKER} - {"./"}
    except (OSError, ValueError, LookupError):
        return set()


def _replace(out: Path, new: Path, old: Path) -> None:
    """Put a folder in the place of `out`, if that exists, which goes to `old`."""
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise


def _models(folder: Path) -> list[dict[str, Any]]:
    try:
        models = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["models"]
        damaged = [entry["file"] for entry in models if sha256_of(folder / entry["file"]) != entry["sha256"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelMismatch(f"{folder} holds no models that `python -m train export` wrote completely.") from error
    if damaged:
        raise ModelMismatch(f"{', '.join(damaged)} in {folder} changed since the export: export again.")
    return models


def _copy_files(folder: Path) -> None:
    scripts = (path for path in SOURCE.glob("*.js") if path.name != WORKER)  # which names all others
    copies = {path.name: path for path in (*scripts, *STYLE.parent.glob("*.js"), *SHEETS, ICON)}
    copies |= {name: QUIZ.with_name(name) for name in ("live_tab.css", "many_tab.css", "quiz_tab.css")}
    copies |= {f"ort/{name}": RUNTIME / "dist" / name for name in RUNTIME_FILES}
    copies |= {"ort/LICENSE.txt": SOURCE / "ort-LICENSE.txt", "LICENSE": ROOT / "LICENSE"}
    copies |= {f"examples/{path.name}": path for path in examples.find().values()}
    for name, source in copies.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)


def _model(folder: Path, onnx: Path, entry: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """Write what the browser needs of a model into `folder`, as one compressed file, and return what it asks first.

    The file holds the number of bytes of a JSON object (uint32, little endian), the object, and the network. Its name
    changes with its content, so that no cache holds an old one, and does not end in `.gz`: some servers would tell the
    browser to decompress it.
    """
    names = {"name", "classes", "temperature", "sureness", "neither", "disagreement", "sha256"}
    known = spec.model_dump(include=names) | {"accuracy": spec.validation_accuracy}  # no words, which change more often
    known |= {"shape": spec.input.array, "scaling": scaling(spec), "resize": spec.resize}
    check = {"probabilities": entry["ramp"], "tolerance": RAMP_TOLERANCE}
    head = json.dumps({"spec": known, "check": check}).encode()
    network = (onnx / entry["file"]).read_bytes()
    # The form of gzip. Weights hardly repeat: a search for what does would cost more bytes than it saves.
    packer = zlib.compressobj(wbits=31, memLevel=9, strategy=zlib.Z_HUFFMAN_ONLY)
    content = packer.compress(len(head).to_bytes(4, "little") + head + network) + packer.flush()
    digest = hashlib.sha256(content).hexdigest()
    file = f"{spec.name}-{digest[:12]}.bin"
    (folder / file).write_bytes(content)
    first = {"name": spec.name, "title": spec.title, "classes": spec.classes, "h5_sha256": spec.sha256}
    return first | {"file": file, "sha256": digest, "bytes": len(content)}


def _quiz(folder: Path, comparator: Any) -> str:
    """Where the quiz starts; writes the script that asks its questions, whose answers need no model in the browser."""
    photos = quiz_tab.find(comparator.specs)
    questions = []
    for path, label in photos.items():
        (folder / "quiz").mkdir(exist_ok=True)
        shutil.copyfile(path, folder / "quiz" / path.name)
        questions.append(quiz_tab.Question(f"quiz/{path.name}", label, comparator.compare(path)))
    if not questions:
        return ""
    script, html = QUIZ.with_suffix(".js").read_text(encoding="utf-8"), quiz_tab.quiz(questions, comparator.specs)
    given = "let begun; const trigger = () => {}, watch = (_, listener) => { begun = listener; };"
    start = f"element.innerHTML = {json.dumps(html)};\nbegun();"
    imports = 'import {shuffled} from "./shuffled.js";'
    _write(folder / "quiz.js", f"{imports}\nexport function startQuiz(element) {{\n{given}\n{script}\n{start}\n}}\n")
    return quiz_tab.start(photos, comparator.specs)


def _page(folder: Path, specs: Sequence[ModelSpec], comparator: Any, address: str) -> str:
    quiz, thumbnails = _quiz(folder, comparator), examples.thumbnails(examples.fitting(specs))
    banner, example = Opening(comparator, "Choose, drop or paste one", specs)()
    tabs = [("one", "One photo"), ("live", "Live camera"), ("many", "Many at once")]
    tabs += [("quiz", "You against the models")] if quiz else []
    return (
        environment()
        .from_string((SOURCE / "page.html").read_text(encoding="utf-8"))
        .render(
            sheets=[path.name for path in sorted(folder.glob("*.css"))],
            tabs=tabs,
            heading=frame.heading(specs),
            question=wording.question(specs),
            preview=preview.tags(specs, address + preview.PICTURE),
            about=frame.about(specs, {name: model.source for name, model in comparator.models.items()}, [], PRIVACY),
            privacy=PRIVACY,
            policy=POLICY,
            formats=", ".join(READABLE[:4]),
            megabytes=Settings().max_upload_bytes / 2**20,
            thumbnails=thumbnails,
            examples=render("example_row.html", thumbnails=thumbnails, scope=wording.scope(specs)),
            waiting=banner,
            blank=example,
            busy=cards.blank(specs, busy=True),
            looking=banners.looking(),
            failed=banners.unanswered(),
            objection=banners.objection(),
            live=live.tab(PRIVACY),
            waiting_for_many=banners.banner("Waiting for photos", "The least certain answers come first.", "idle"),
            named=wording.listed(classes_of(specs), "and"),
            quiz=quiz,
        )
    )


def service_worker(folder: Path) -> str:
    """The service worker: it keeps the page, without the WebGPU runtime, and models if the visitor kept some before."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / WORKER)
    paths = {path.relative_to(folder).as_posix(): path for path in files}
    sha256 = {name: hashlib.sha256(path.read_bytes()).digest() for name, path in paths.items()}
    digests = {name: f"sha256-{base64.b64encode(digest).decode()}" for name, digest in sha256.items()}
    kept = {name: digest for name, digest in digests.items() if not name.endswith(".bin") and "jspi" not in name}
    facts = {
        "VERSION": hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:12],
        "POLICY": POLICY,
        # Some hosts add to the page itself.
        "KEPT": {"./": "", **kept, "index.html": ""},
        "FETCHED": {name: digest for name, digest in digests.items() if name not in kept},
    }
    script = (SOURCE / WORKER).read_text(encoding="utf-8")
    return "".join(f"const {name} = {json.dumps(fact)};\n" for name, fact in facts.items()) + f"\n{script}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

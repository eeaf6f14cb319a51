"""The plain way, as small projects publish it: `model.predict` on each photo, one model after the other.

gunicorn "benchmarks.plain:create_app()"
python -m benchmarks.plain PHOTO
"""

import json
import sys
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image

from catdog.models.spec import ModelSpec, find_specs
from catdog.settings import Settings


class Plain(NamedTuple):
    """A model as Keras opens it, and what it must be told."""

    name: str
    model: Any
    size: int
    classes: tuple[str, ...]


def load(weights: Path) -> list[Plain]:
    """Open every `.h5` of a folder."""
    import keras

    specs = [ModelSpec.read(path) for path in find_specs(weights)]
    return [Plain(s.name, keras.models.load_model(weights / s.file), s.image_size, s.classes) for s in specs]


def judge(models: list[Plain], photo: IO[bytes]) -> dict[str, dict[str, Any]]:
    """Label and confidence per model."""
    image = Image.open(photo).convert("RGB")
    return {plain.name: _ask(plain, image) for plain in models}


def _ask(plain: Plain, image: Image.Image) -> dict[str, Any]:
    batch = np.asarray(image.resize((plain.size, plain.size), Image.Resampling.BILINEAR), dtype=np.float32)[None]
    outputs = plain.model.predict(batch, verbose=0)[0]
    known = outputs[: len(plain.classes)]  # one more may be for neither
    probabilities = [1 - outputs[0], outputs[0]] if len(outputs) == 1 else known / known.sum()
    best = int(np.argmax(probabilities))
    return {"label": plain.classes[best], "confidence": float(probabilities[best])}


def create_app():
    """A Flask application with the route `POST /predict`."""
    from flask import Flask, request

    app = Flask(__name__)
    models = load(Settings.from_env().sources[0])

    @app.post("/predict")
    def predict():
        return judge(models, request.files["file"].stream)

    @app.get("/healthz")
    def healthz():
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as stream:
        print(json.dumps(judge(load(Settings.from_env().sources[0]), stream)), flush=True)

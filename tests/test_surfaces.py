"""One photo, every surface, the same answer."""

from __future__ import annotations

import json

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from catdog import load
from catdog.__main__ import main
from catdog.flask_app import create_app
from tests.catdog.gradio_app.calls import call, data_url
from tests.catdog.photos import photo_form
from tests.servers import served_page


@pytest.fixture(scope="module")
def gradio_client(tiny_comparator):
    with served_page(tiny_comparator) as (_, url):
        yield Client(url, verbose=False, httpx_kwargs={"timeout": 60})


@pytest.fixture(params=["as it is", "turned, with alpha"])
def photo(request, cat, tmp_path):
    """An ordinary photo, and one on which careless decoding would show: EXIF orientation and alpha."""
    if request.param == "as it is":
        return cat
    image = Image.open(cat).convert("RGBA").resize((120, 90))
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "odd.png", exif=exif)
    return tmp_path / "odd.png"


def test_five_surfaces_give_the_same_probabilities(
    photo, tiny_weights, tiny_comparator, gradio_client, monkeypatch, capsys
):
    monkeypatch.setenv("CATDOG_WEIGHTS", str(tiny_weights))
    python = load().compare(photo).to_dict()

    assert main(["predict", "--json", str(photo)]) == 0
    command_line = json.loads(capsys.readouterr().out)

    flask = create_app(tiny_comparator).test_client()
    service = flask.post("/predict", data=photo_form(photo.read_bytes(), photo.name)).json

    *labels, gradio = gradio_client.predict(handle_file(photo), api_name="/predict")
    event, (*_, plain_http) = call(gradio_client.src.rstrip("/"), {"url": data_url(photo.read_bytes())})
    assert event == "complete"

    for answer in (command_line, service, gradio, plain_http):
        assert {key: answer[key] for key in ("prediction", "agree", "source")} == {
            key: python[key] for key in ("prediction", "agree", "source")
        }
        for ours, theirs in zip(python["models"], answer["models"], strict=True):
            assert ours["model"] == theirs["model"]
            assert ours["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-6)
    for label, verdict in zip(labels, python["models"], strict=True):
        assert label["label"] == verdict["label"]
        confidences = {row["label"]: row["confidence"] for row in label["confidences"]}
        assert confidences == pytest.approx(verdict["probabilities"], abs=1e-6)

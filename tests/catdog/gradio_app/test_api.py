"""The endpoints over real HTTP: the same verdicts as elsewhere, and errors in plain words."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from catdog import Settings, load
from tests.catdog.photos import encoded, huge_png
from tests.conftest import EXAMPLES
from tests.servers import served_page
from tests.tiny import write_tiny_model

from .calls import GOOD, assert_same_verdicts, call, data_url, photo, refused, without_times

BAD = {
    "empty.jpg": (lambda: b"", "empty"),
    "text.jpg": (lambda: b"not a photo at all", "not a photo"),
    "cut.jpg": (lambda: encoded(photo(), "JPEG")[:700], "damaged"),
    "drawing.svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "SVG"),
    "paper.pdf": (lambda: b"%PDF-1.7\n1 0 obj\n", "PDF"),
    "film.mp4": (lambda: b"\0\0\0\x18ftypmp42" + bytes(64), "video"),
    "huge.png": (huge_png, "too many pixels"),
}


@pytest.mark.parametrize("name", ["cat.jpg", "dog.jpg", "owl.jpg"])
def test_client_gets_two_labels_and_the_comparison(client, comparator, name):
    path = EXAMPLES / name
    assert_same_verdicts(client.predict(handle_file(path), api_name="/predict"), comparator, path.read_bytes())


@pytest.mark.parametrize("name", GOOD)
def test_bytes_are_judged_as_they_were_sent(client, comparator, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(GOOD[name]())
    assert_same_verdicts(client.predict(handle_file(path), api_name="/predict"), comparator, path.read_bytes())


@pytest.mark.parametrize("name", ["transparent.png", "moving.gif", "phone.heic"])
def test_data_url_is_judged_as_it_was_sent(url, comparator, name):
    event, answer = call(url, {"url": data_url(GOOD[name]())})
    assert event == "complete"
    assert_same_verdicts(answer, comparator, GOOD[name]())


@pytest.mark.parametrize("name", BAD)
def test_bad_upload_is_refused_in_plain_words(client, cat, tmp_path, name):
    make, words = BAD[name]
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(AppError) as raised:
        client.predict(handle_file(path), api_name="/predict")
    assert words in str(raised.value) and "Traceback" not in str(raised.value)
    assert client.predict(handle_file(cat), api_name="/predict")[2]["models"]


@pytest.mark.parametrize("payload", [None, {}, "cat.jpg", 7, [1, 2], {"url": "data:image/png,plain"},
                                     {"url": "data:image/png;base64,%%%"}, {"url": "data:"}, {"path": 3}])  # fmt: skip
def test_malformed_requests_end_in_an_error(url, payload):
    message = refused(url, payload)
    assert message and "Traceback" not in message


def test_what_is_public(client):
    info = client.view_api(return_format="dict", print_info=False)
    returns = {"/predict": ["scratch_cnn", "xception", "Comparison"], "/explain": ["Heat maps", "Comparison"]}
    assert list(info["named_endpoints"]) == list(returns) and not info["unnamed_endpoints"]
    for name, endpoint in info["named_endpoints"].items():
        assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == ["image"]
        assert [returned["label"] for returned in endpoint["returns"]] == returns[name]
        assert "HEIC" in endpoint["description"] and "heatmap" in endpoint["description"]


def test_explain_returns_a_picture_per_model_and_the_maps(client, comparator, cat):
    pictures, comparison = client.predict(handle_file(cat), api_name="/explain")
    expected = comparator.compare(cat, explain=True).to_dict()
    assert without_times(comparison) == without_times(json.loads(json.dumps(expected)))
    assert [verdict["heatmap"] is not None for verdict in comparison["models"]] == [True, True]
    assert [picture["caption"].partition(":")[0] for picture in pictures] == ["scratch_cnn", "xception"]
    for picture in pictures:
        with Image.open(picture["image"]) as image:
            assert image.width / image.height == 4 / 3


def test_explain_refuses_what_predict_refuses(client, tmp_path):
    path = tmp_path / "text.jpg"
    path.write_bytes(b"not a photo at all")
    with pytest.raises(AppError, match="not a photo"):
        client.predict(handle_file(path), api_name="/explain")


def test_many_at_once_all_get_their_own_answer(url, comparator):
    names = [name for name in GOOD if name != "sixteen.png"][:6] * 2
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda name: call(url, {"url": data_url(GOOD[name]())}), names))
    for name, (event, answer) in zip(names, answers, strict=True):
        assert event == "complete"
        for verdict, alone in zip(answer[-1]["models"], comparator.compare(GOOD[name]()).models, strict=True):
            # Two that are judged together may differ in the last bits from one alone.
            assert verdict["probabilities"] == pytest.approx(alone.probabilities, abs=1e-6)


def test_missing_model_leaves_its_label_empty(tmp_path, cat):
    write_tiny_model(tmp_path, "xception")
    write_tiny_model(tmp_path, "many", classes=("cat", "dog", "owl"))
    comparator = load(Settings(weights=tmp_path))
    with served_page(comparator) as (_, url):
        event, (first, second, comparison) = call(url, {"url": data_url(cat.read_bytes())})
    comparator.close()
    assert event == "complete" and not first and second["label"] in ("cat", "dog")
    assert [verdict["model"] for verdict in comparison["models"]] == ["xception", "many"]

"""The endpoints over real HTTP: the same verdicts as elsewhere, and errors in plain words."""

import json
from concurrent.futures import ThreadPoolExecutor
from html import escape

import httpx
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from catdog import CatDogError, Settings, load
from catdog.pages import ICON
from tests.catdog.photos import BAD
from tests.conftest import PATIENCE
from tests.servers import served_page
from tests.tiny import write_tiny_model

from .calls import GOOD, assert_same_verdicts, call, data_url, refused, without_times


@pytest.mark.parametrize("name", GOOD)
def test_client_gets_labels_and_comparison_of_the_bytes_that_it_sent(client, comparator, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(GOOD[name])
    assert_same_verdicts(client.predict(handle_file(path), api_name="/predict"), comparator, GOOD[name])


@pytest.mark.parametrize(
    ("kind", "endpoint"), [*((kind, "/predict") for kind in BAD), ("text", "/explain"), ("text", "/compare")]
)
def test_bad_upload_is_refused_with_the_message_of_python(client, comparator, tmp_path, kind, endpoint):
    path = tmp_path / "photo.jpg"
    path.write_bytes(BAD[kind][0])
    with pytest.raises(CatDogError) as expected:
        comparator.compare(path)
    with pytest.raises(AppError) as raised:
        client.predict(handle_file(path), api_name=endpoint)
    assert escape(str(expected.value), quote=False) in str(raised.value) and "Traceback" not in str(raised.value)


@pytest.mark.parametrize("payload", [None, {}, "cat.jpg", 7, [1, 2], {"url": "data:image/png,plain"},
                                     {"url": "data:image/png;base64,%%%"}, {"url": "data:"}, {"path": 3}])  # fmt: skip
def test_malformed_requests_end_in_an_error(url, payload):
    message = refused(url, payload)
    assert message and "Traceback" not in message


def test_what_is_public(client, url):
    info = client.view_api(return_format="dict", print_info=False)
    returns = {
        "/predict": ["scratch_cnn", "xception", "Comparison"],
        "/explain": ["Heat maps", "Comparison"],
        "/compare": ["Comparison"],
    }
    assert list(info["named_endpoints"]) == list(returns) and not info["unnamed_endpoints"]
    for name, endpoint in info["named_endpoints"].items():
        assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == ["image"]
        assert [returned["label"] for returned in endpoint["returns"]] == returns[name]
        assert "HEIC" in endpoint["description"] and "heatmap" in endpoint["description"]
    icon = httpx.get(f"{url}/favicon.ico", timeout=PATIENCE)
    assert (icon.headers["content-type"], icon.content) == ("image/svg+xml", ICON.read_bytes())


def test_explain_returns_a_picture_per_model_and_the_maps(client, comparator, cat):
    pictures, comparison = client.predict(handle_file(cat), api_name="/explain")
    expected = comparator.compare(cat, explain=True).to_dict()
    assert without_times(comparison) == without_times(json.loads(json.dumps(expected)))
    assert [verdict["heatmap"] is not None for verdict in comparison["models"]] == [True, True]
    assert [picture["caption"].partition(":")[0] for picture in pictures] == ["scratch_cnn", "xception"]
    for picture in pictures:
        with Image.open(picture["image"]) as image:
            assert image.width / image.height == 4 / 3


def test_many_at_once_all_get_their_own_answer(url, comparator):
    names = list(GOOD)[:6] * 2
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda name: call(url, {"url": data_url(GOOD[name])}), names))
    for name, (event, answer) in zip(names, answers, strict=True):
        assert event == "complete"
        for verdict, alone in zip(answer[-1]["models"], comparator.compare(GOOD[name]).models, strict=True):
            # Two that are judged together may differ in the last bits from one alone.
            assert verdict["probabilities"] == pytest.approx(alone.probabilities, abs=1e-6)


def test_missing_model_leaves_its_label_empty(tmp_path, cat):
    write_tiny_model(tmp_path, "xception")
    write_tiny_model(tmp_path, "many", classes=("cat", "dog", "owl"))
    comparator = load(Settings(weights=tmp_path))
    photo = {"url": data_url(cat.read_bytes())}
    with served_page(comparator) as (_, url):
        event, (first, second, comparison) = call(url, photo)
        _, (alone,) = call(url, photo, "compare")
    assert event == "complete" and not first and second["label"] in ("cat", "dog")
    assert [verdict["model"] for verdict in comparison["models"]] == ["xception", "many"]
    assert without_times(alone) == without_times(comparison)
    assert alone["source"] == f"folder {tmp_path.name}"

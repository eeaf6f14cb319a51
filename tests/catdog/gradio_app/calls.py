"""Raw requests to the page's API, and photos to send."""

import base64
import json

import httpx

from tests.catdog.photos import CAT, small_files
from tests.conftest import PATIENCE

LIMIT = 2 * 2**20
META = {"meta": {"_type": "gradio.FileData"}}


def call(url: str, payload, endpoint: str = "predict") -> tuple[str, object]:
    """One raw request: (event, data), as a client that wrote it by hand would see them."""
    start = httpx.post(f"{url}/gradio_api/call/{endpoint}", json={"data": [payload]}, timeout=PATIENCE)
    assert start.status_code == 200, start.text
    return answer_of(url, endpoint, start)


def answer_of(url: str, endpoint: str, start: httpx.Response) -> tuple[str, object]:
    """What a request to an endpoint comes to, which was taken: (event, data)."""
    reply = httpx.get(f"{url}/gradio_api/call/{endpoint}/{start.json()['event_id']}", timeout=PATIENCE).text
    event, data = reply.strip().splitlines()[-2:]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def refused(url: str, payload) -> str:
    """The text of the error that the request ends in."""
    event, data = call(url, payload)
    assert event == "error", data
    return data["error"]


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


# A photo of every kind, each under a name with its kind as suffix, but for the last two.
GOOD = {f"{kind}.{kind.split()[0]}": content for kind, content in small_files().items()}
GOOD |= {"large.jpg": CAT, "no-suffix": GOOD["png.png"], "wrong-suffix.svg": GOOD["png.png"]}


def without_times(comparison: dict) -> dict:
    return comparison | {"models": [verdict | {"milliseconds": 0} for verdict in comparison["models"]]}


def assert_same_verdicts(answer, comparator, data: bytes) -> None:
    """The three outputs of `/predict` say what `Comparator.compare` says of the same bytes, exactly."""
    *labels, comparison = answer
    expected = comparator.compare(data).to_dict()
    assert without_times(comparison) == without_times(json.loads(json.dumps(expected)))
    for label, verdict in zip(labels, expected["models"], strict=True):
        assert label["label"] == verdict["label"]
        assert {c["label"]: c["confidence"] for c in label["confidences"]} == verdict["probabilities"]

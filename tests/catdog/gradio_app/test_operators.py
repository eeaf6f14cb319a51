"""What the server of the page tells its operators, over real HTTP."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import PATIENCE

from .calls import GOOD, call, data_url, refused


def errors(url: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics", timeout=PATIENCE).text)
    samples = (sample for family in families for sample in family.samples if sample.name == "catdog_errors_total")
    return sum(sample.value for sample in samples)


def test_metrics_count_what_the_page_is_asked(url):
    before = errors(url)
    call(url, {"url": data_url(GOOD["large.jpg"])})
    refused(url, {"url": data_url(b"no photo")})
    assert errors(url) == before + 1
    response = httpx.get(f"{url}/metrics", timeout=PATIENCE)
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'catdog_stage_seconds_count{model="xception",stage="model"}' in response.text
    assert "catdog_photos_waiting 0.0" in response.text


def test_readiness_names_the_models(url, comparator):
    answer = httpx.get(f"{url}/readyz", timeout=PATIENCE).json()
    models, source = ["scratch_cnn", "xception"], comparator.source
    assert answer == {"status": "ready", "models": models, "source": source, "problems": []}


@pytest.mark.parametrize("path", ["/", "/readyz", "/nothing", "/gradio_api/info", "/gradio_api/mcp/schema"])
def test_every_answer_has_the_id_of_its_request(url, path):
    answer = httpx.get(url + path, headers={"X-Request-ID": "mine-1"}, timeout=PATIENCE)
    assert answer.headers.get_list("X-Request-ID") == ["mine-1"]
    made = httpx.get(url + path, headers={"X-Request-ID": "not well-formed"}, timeout=PATIENCE).headers["X-Request-ID"]
    assert len(made) == 32

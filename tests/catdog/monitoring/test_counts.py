"""What is counted, and for whom."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from catdog.errors import CatDogError
from catdog.monitoring.counts import Counts
from tests.catdog import fakes


@pytest.fixture
def comparator():
    return fakes.comparator()


def test_answers_errors_and_seconds_are_counted_from_the_start_on(comparator):
    comparator.compare(fakes.photo(fakes.CAT))
    counts = Counts(comparator)
    value = counts.registry.get_sample_value
    comparator.look(fakes.photo(fakes.CAT))
    comparator.compare(fakes.photo(fakes.NEITHER), model="xception")
    for photo, model in ((b"no photo", None), (fakes.photo(fakes.CAT), "no model")):
        with pytest.raises(CatDogError):
            comparator.compare(photo, model=model)
    assert [value("catdog_photos_total", {"verdict": verdict}) for verdict in ("cat", "neither")] == [1, 1]
    assert [value("catdog_errors_total", {"code": code}) for code in ("invalid_image", "unknown_model")] == [1, 1]
    stages = [("decode", ""), ("total", ""), *(("model", name) for name in ("scratch_cnn", "xception"))]
    labels = [{"stage": stage, "model": model} for stage, model in stages]
    assert [value("catdog_stage_seconds_count", each) for each in labels] == [2, 2, 1, 2]
    decode, total, *_ = (value("catdog_stage_seconds_sum", each) for each in labels)
    assert 0 < decode < total


def test_those_who_wait_are_shown(busy):
    comparator, free = busy
    counts = Counts(comparator)
    with pytest.raises(CatDogError):
        comparator.compare(fakes.photo(fakes.CAT))
    assert counts.registry.get_sample_value("catdog_photos_waiting") == 1
    assert counts.registry.get_sample_value("catdog_errors_total", {"code": "busy"}) == 1
    free()
    assert counts.registry.get_sample_value("catdog_photos_waiting") == 0
    assert Counts(comparator, lambda: 7).registry.get_sample_value("catdog_photos_waiting") == 7


@pytest.mark.parametrize("accept", ["", "*/*", "nonsense;;", "application/openmetrics-text;version=1.0.0"])
def test_prometheus_can_read_it(comparator, accept):
    text, content_type = Counts(comparator).exposition(accept)
    assert content_type.startswith("application/openmetrics-text" if "openmetrics" in accept else "text/plain")
    if "openmetrics" not in accept:
        names = {family.name for family in text_string_to_metric_families(text.decode())}
        assert {"catdog_photos", "catdog_errors", "catdog_stage_seconds", "catdog_photos_waiting"} <= names

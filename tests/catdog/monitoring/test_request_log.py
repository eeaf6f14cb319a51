"""Ids of requests, and lines of JSON."""

import json
import logging

import pytest

from catdog import Settings
from catdog.comparator import Comparator
from catdog.flask_app import create_app
from catdog.monitoring.request_log import id_for
from tests.catdog import fakes
from tests.catdog.photos import photo_form


@pytest.mark.parametrize("received", ["7f3c-1", "Root=1-67891233-abcdef", "a" * 128])
def test_an_id_that_is_well_formed_is_kept(received):
    assert id_for(received) == received


@pytest.mark.parametrize("received", [None, "", "a" * 129, "two words", "a\nb", 'a"b', "é", "<b>"])
def test_others_get_a_new_one(received):
    made = id_for(received)
    assert made != received and len({made, id_for(received)}) == 2 and id_for(made) == made


@pytest.fixture
def logging_as_before():
    """The loggers of this process, as they were after the test."""
    loggers = [logging.root, *(each for each in logging.root.manager.loggerDict.values() if hasattr(each, "handlers"))]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, handlers, propagate, level in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_every_line_of_a_request_is_json_with_its_id(logging_as_before, capsys):
    server = logging.getLogger("some.server")
    server.addHandler(logging.StreamHandler())
    broken = fakes.fixed("m", 0.5)
    broken.engine = lambda batch: 1 / 0
    client = create_app(Comparator([broken], settings=Settings(log="json"))).test_client()
    client.post("/predict", data=photo_form(), headers={"X-Request-ID": "one"})
    client.post("/predict", data=photo_form(b"no photo"), headers={"X-Request-ID": "two"})
    server.warning("three %s", object)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["request_id"], line["level"], line.get("code")) for line in lines[:-1]] == [
        ("one", "error", None), ("one", "info", "internal_error"), ("one", "info", None),
        ("two", "info", "invalid_image"), ("two", "info", None),
    ]  # fmt: skip
    assert "ZeroDivisionError" in lines[0]["exception"]
    assert [lines[2][name] for name in ("method", "path", "status")] == ["POST", "/predict", 500]
    assert lines[2]["milliseconds"] >= 0 and lines[-1]["message"].startswith("three")
    server.handlers = []


def test_as_text_nothing_changes(capsys):
    handlers = logging.root.handlers
    comparator = Comparator([fakes.fixed("m", 0.1)])
    answer = create_app(comparator).test_client().post("/predict", data=photo_form())
    assert len(answer.headers["X-Request-ID"]) == 32
    assert logging.root.handlers is handlers and capsys.readouterr().err == ""

"""openapi.json describes exactly what the routes do."""

from __future__ import annotations

import io
import re

import pytest

import catdog
from catdog import errors
from catdog.flask_app import create_app
from catdog.flask_app import form as form_module

from .photos import BAD, CAT
from .schema import check, resolve


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def references(node):
    """Every `$ref` in a document."""
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def test_head(document):
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["version"] == catdog.__version__
    assert document["servers"] == [{"url": "/"}]


def test_references_resolve_and_no_component_is_idle(document):
    used = set(references(document))
    for reference in used:
        assert resolve({"$ref": reference}, document)
    made = {f"#/components/{kind}/{name}" for kind, parts in document["components"].items() for name in parts}
    assert used == made


def test_every_route_is_described_and_nothing_else(app, document):
    served = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint not in ("catdog.static", "catdog.shared")
    }
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert described == served


def test_operations_are_complete(document):
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    for operation in operations:
        assert operation["summary"]
        assert {"200", "default"} <= operation["responses"].keys()
        for response in operation["responses"].values():
            assert resolve(response, document)["description"]


def test_examples_of_errors_match_their_schema(document):
    for response in document["components"]["responses"].values():
        content = response["content"]["application/json"]
        for code, example in content["examples"].items():
            check(example["value"], content["schema"], document)
            assert example["value"]["error"]["code"] == code


def test_every_code_that_the_package_can_answer_is_listed(document):
    listed = document["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    raised = {
        kind.code
        for module in (errors, form_module)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.CatDogError)
    }
    elsewhere = (
        errors.CatDogError, errors.InvalidSettings, errors.NotConverted, errors.DifferentAnswers, errors.NoWorker,
        errors.FolderLost, errors.NotWritten,
    )  # fmt: skip
    not_served = {kind.code for kind in elsewhere}
    http = {"not_found", "method_not_allowed", "internal_error", "requested_range_not_satisfiable"}
    assert set(listed) == (raised - not_served) | http


@pytest.fixture
def busy_client(busy):
    """A client of an application whose only place is taken until the test ends."""
    comparator, _ = busy
    return create_app(comparator).test_client()


def requests():
    """Requests that together reach every documented status: (method, path, form)."""

    def form(content=CAT, **fields):
        return {"file": (io.BytesIO(content), "cat.jpg"), **fields}

    yield from (("get", path, None) for path in ("/", "/?example=cat", "/?example=nobody"))
    yield from (("get", path, None) for path in ("/models", "/healthz", "/readyz", "/openapi.json"))
    for path in ("/", "/predict"):
        yield "post", path, form()
        yield "post", path, form(explain="1")
        yield "post", path, form(model="no")
        yield "post", path, {"photo": (io.BytesIO(CAT), "cat.jpg")}
        yield "post", path, None
        yield "post", path, form(BAD["PDF"][0])
        yield "post", path, form(BAD["too many pixels"][0])


def test_answers_match_their_schemas_and_every_status_is_reached(client, busy_client, document, tmp_path):
    empty = create_app(settings=catdog.Settings(weights=tmp_path)).test_client()
    reached = set()
    for one in (client, busy_client, empty):
        for method, path, form in requests():
            response = getattr(one, method)(path, data=form)
            path, _, _ = path.partition("?")
            status, responses = str(response.status_code), document["paths"][path][method]["responses"]
            reached.add((path, method, status))
            assert status in responses, (path, method, status)
            content = resolve(responses[status], document)["content"]
            assert list(content) == [response.mimetype]
            if response.is_json:
                check(response.json, content["application/json"]["schema"], document)
    described = {
        (path, method, status)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for status in operation["responses"]
        if status != "default"
    }
    assert reached == described


@pytest.mark.parametrize(("method", "path"), [("get", "/nothing"), ("get", "/predict"), ("post", "/readyz")])
def test_other_errors_match_the_default(client, document, method, path):
    check(getattr(client, method)(path).json, document["components"]["schemas"]["Error"] | {}, document)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("x", {"type": "number"}),
        (True, {"type": "integer"}),
        ({}, {"required": ["a"]}),
        ({"a": 1}, {"additionalProperties": False}),
        ({"a": 2}, {"additionalProperties": {"maximum": 1}}),
        ([1, "x"], {"items": {"type": "integer"}}),
        ("b", {"enum": ["a"]}),
        ([], {"minItems": 1}),
    ],
)
def test_the_schema_check_refuses(value, schema):
    with pytest.raises(AssertionError):
        check(value, schema, {})

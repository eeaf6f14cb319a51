"""/openapi.json describes exactly what the routes do."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import catdog
from catdog import errors
from catdog.flask_app import create_app, form
from catdog.flask_app.openapi import description
from tests.catdog.photos import BAD, photo_form

DOCUMENT = description("/")
COMPONENTS = DOCUMENT["components"]


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """A part of the document, or what it refers to."""
    if "$ref" not in node:
        return node
    _, _, kind, name = node["$ref"].split("/")
    return COMPONENTS[kind][name]


def check(value: Any, schema: dict[str, Any]) -> None:
    """Raise ValidationError unless a value matches a schema of the document."""
    Draft202012Validator({**schema, "components": COMPONENTS}).validate(value)


def operations():
    return [(path, method, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()]


def test_head_and_references(client):
    served = client.get("/openapi.json").json
    assert served == DOCUMENT
    assert served["openapi"] == "3.1.0" and served["info"]["version"] == catdog.__version__
    made = {f"#/components/{kind}/{name}" for kind, parts in COMPONENTS.items() for name in parts}
    assert {*re.findall(r'"\$ref": "(.*?)"', json.dumps(served))} == made  # all resolve, and none is idle


def test_every_route_is_described_and_nothing_else(app):
    served = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/assets/")
    }
    assert {(path, method) for path, method, _ in operations()} == served


def test_operations_are_complete():
    assert len({operation["operationId"] for _, _, operation in operations()}) == len(operations())
    for _, _, operation in operations():
        assert operation["summary"] and {"200", "default"} <= operation["responses"].keys()
        assert all(resolve(response)["description"] for response in operation["responses"].values())


def test_schemas_describe_every_field_and_allow_no_other():
    for name, schema in COMPONENTS["schemas"].items():
        Draft202012Validator.check_schema(schema)
        if name != "PhotoForm":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])


def test_every_code_that_the_package_can_answer_is_listed():
    listed = COMPONENTS["schemas"]["Problem"]["properties"]["code"]["enum"]
    raised = {
        kind.code
        for module in (errors, form)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.CatDogError)
    }
    elsewhere = (
        errors.CatDogError, errors.InvalidSettings, errors.NotConverted, errors.DifferentAnswers, errors.NoWorker,
        errors.FolderLost, errors.NotWritten,
    )  # fmt: skip
    http = {"not_found", "method_not_allowed", "internal_error", "requested_range_not_satisfiable"}
    assert set(listed) == (raised - {kind.code for kind in elsewhere}) | http


def requests():
    """Requests that together reach every documented status: (method, path, form)."""
    answering = (path for path, item in DOCUMENT["paths"].items() if "get" in item)
    for path in ("/?example=cat", "/?example=nobody", *answering):
        yield "get", path, None
    for path in ("/", "/predict"):
        yield "post", path, photo_form()
        yield "post", path, photo_form(explain="1")
        yield "post", path, photo_form(model="no")
        yield "post", path, {"photo": photo_form()["file"]}
        yield "post", path, None
        yield "post", path, photo_form(BAD["PDF"][0])
        yield "post", path, photo_form(BAD["too many pixels"][0])
        yield "post", path, {"url": "http://127.0.0.1/"}


def test_answers_match_their_schemas_and_every_status_is_reached(client, tiny_comparator, busy, tmp_path, monkeypatch):
    def fail(address: str) -> None:
        raise errors.NotFetched("The site is gone.")

    monkeypatch.setattr(tiny_comparator, "fetch", fail)
    empty = create_app(settings=catdog.Settings(weights=tmp_path)).test_client()
    reached = set()
    for one in (client, create_app(busy[0]).test_client(), empty):
        for method, path, fields in requests():
            response = getattr(one, method)(path, data=fields, content_type="multipart/form-data" if fields else None)
            path, _, _ = path.partition("?")
            status, responses = str(response.status_code), DOCUMENT["paths"][path][method]["responses"]
            reached.add((path, method, status))
            content = resolve(responses[status])["content"]
            assert list(content) == [response.mimetype]
            if response.is_json:
                check(response.json, content["application/json"]["schema"])
    for path, method, operation in operations():
        described = {status for status in operation["responses"] if status != "default"}
        assert {status for *where, status in reached if where == [path, method]} == described


@pytest.mark.parametrize(("method", "path"), [("get", "/nothing"), ("get", "/predict"), ("post", "/readyz")])
def test_other_errors_match_the_default(client, method, path):
    check(getattr(client, method)(path).json, COMPONENTS["schemas"]["Error"])

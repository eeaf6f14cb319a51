"""As much of JSON Schema as openapi.json uses; an unknown keyword is an error, so nothing goes unchecked."""

from __future__ import annotations

import re
from typing import Any

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
NOTES = {"description", "examples", "contentMediaType"}


def resolve(node: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Follow `$ref` to its target."""
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def check(value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = "$") -> None:
    """Assert that a value matches a schema."""
    schema = resolve(schema, document)
    for keyword, rule in schema.items():
        if keyword not in NOTES and (value is not None or keyword in ("type", "enum", "const")):
            CHECKS[keyword](value, rule, schema, document, at)


def _type(value, rule, schema, document, at):
    kinds = [rule] if isinstance(rule, str) else rule
    if isinstance(value, bool):  # which Python also counts as an integer
        assert "boolean" in kinds, f"{at}: {value!r} is not of type {rule}"
    assert any(isinstance(value, TYPES[kind]) for kind in kinds), f"{at}: {value!r} is not of type {rule}"


def _properties(value, rule, schema, document, at):
    for name in rule.keys() & value.keys():
        check(value[name], rule[name], document, f"{at}.{name}")


def _additional(value, rule, schema, document, at):
    extra = value.keys() - schema.get("properties", {}).keys()
    if rule is False:
        assert not extra, f"{at}: {extra} is not documented"
    else:
        for name in extra:
            check(value[name], rule, document, f"{at}.{name}")


def _required(value, rule, schema, document, at):
    assert set(rule) <= value.keys(), f"{at}: {set(rule) - value.keys()} is missing"


def _items(value, rule, schema, document, at):
    for index, item in enumerate(value):
        check(item, rule, document, f"{at}[{index}]")


def _holds(test):
    def compare(value, rule, schema, document, at):
        assert test(value, rule), f"{at}: {value!r} breaks {rule!r}"

    return compare


CHECKS = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _required,
    "items": _items,
    "enum": _holds(lambda value, rule: value in rule),
    "const": _holds(lambda value, rule: value == rule),
    "minimum": _holds(lambda value, rule: value >= rule),
    "maximum": _holds(lambda value, rule: value <= rule),
    "exclusiveMinimum": _holds(lambda value, rule: value > rule),
    "minItems": _holds(lambda value, rule: len(value) >= rule),
    "pattern": _holds(lambda value, rule: re.search(rule, value)),
}

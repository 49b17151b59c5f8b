"""The published schema as a promise: whatever the tests are answered, it must be in there, to the last member."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.urls import Resolver404
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

BASE = "urn:aitbc:schema"
OPEN = {"Problem"}  # a problem may carry more, by its code


@cache
def document() -> dict[str, Any]:
    """The schema of the whole project."""
    return SchemaGenerator(urlconf="aitbc.urls").get_schema(request=None, public=True)  # type: ignore[no-any-return]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, method in upper case, operation)."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def simplified(route: str) -> str:
    """A route without the names of its parameters, regular expressions or path syntax alike."""
    route = route.strip("/").replace("^", "").replace("$", "").replace("\\.", ".").replace("\\Z", "")
    return re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]*>|\{[^}]*\}", "*", route)


@cache
def by_route() -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
    return {(method, simplified(path)): (path, operation) for path, method, operation in operations()}


def resolved(answer: dict[str, Any]) -> dict[str, Any]:
    """A response, through its reference if it is one."""
    reference = answer.get("$ref", "")
    return document()["components"]["responses"][reference.rpartition("/")[2]] if reference else answer


@cache
def registry() -> Registry:
    strict = json.loads(json.dumps(document(), default=str))
    for name, component in strict["components"]["schemas"].items():
        if "properties" in component and name not in OPEN:
            component.setdefault("additionalProperties", False)
    return Registry().with_resource(BASE, DRAFT202012.create_resource(strict))


@cache
def validator(name: str) -> Draft202012Validator:
    """For one schema of the document, given as a JSON text because it must be hashable."""
    return Draft202012Validator(json.loads(name.replace('"#/', f'"{BASE}#/')), registry=registry())


def complaint(schema: dict[str, Any], value: Any) -> str:
    """Why the value does not fit the schema; empty when it does."""
    error = best_match(validator(json.dumps(schema, default=str, sort_keys=True)).iter_errors(value))
    return "" if error is None else f"{error.json_path}: {error.message[:300]}"


def check(method: str, answer: Any) -> None:
    """Fail unless the schema foresees this answer: its status, its type, its body."""
    found = by_route().get((method, simplified(route_of(answer))))
    if found is None:
        return
    path, operation = found
    where = f"{method} {path} → {answer.status_code}"
    assert str(answer.status_code) in operation["responses"], f"{where} is not in the schema: {body_of(answer)}"
    content = resolved(operation["responses"][str(answer.status_code)]).get("content", {})
    media_type = answer.headers.get("Content-Type", "").partition(";")[0]
    if media_type not in content:
        assert not body_of(answer), f"{where}: the schema knows no {media_type} here, only {sorted(content)}"
    elif media_type.endswith("json"):
        wrong = complaint(content[media_type]["schema"], json.loads(body_of(answer)))
        assert not wrong, f"{where} does not fit the schema: {wrong}"


def route_of(answer: Any) -> str:
    """The route that was taken; empty when there was none."""
    try:
        return str(answer.resolver_match.route)
    except (AttributeError, Resolver404):
        return ""


def body_of(answer: Any) -> bytes:
    return b"" if answer.streaming else answer.content

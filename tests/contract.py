"""The published schema as a contract: every response in the tests must match it, to the last member."""

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
OPEN = {"Problem"}  # a problem has more members, depending on its code


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


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    """A response of the schema, its reference followed."""
    reference = response.get("$ref", "")
    return document()["components"]["responses"][reference.rpartition("/")[2]] if reference else response


@cache
def registry() -> Registry:
    strict = json.loads(json.dumps(document(), default=str))
    for name, component in strict["components"]["schemas"].items():
        if "properties" in component and name not in OPEN:
            component.setdefault("additionalProperties", False)
    return Registry().with_resource(BASE, DRAFT202012.create_resource(strict))


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of one schema of the document, passed as JSON text because a cache key must be hashable."""
    return Draft202012Validator(json.loads(name.replace('"#/', f'"{BASE}#/')), registry=registry())


def complaint(schema: dict[str, Any], value: Any) -> str:
    """Why the value does not match the schema; empty when it does."""
    error = best_match(validator(json.dumps(schema, default=str, sort_keys=True)).iter_errors(value))
    return "" if error is None else f"{error.json_path}: {error.message[:300]}"


def check(method: str, response: Any) -> None:
    """Fail unless the schema describes this response: its status, media type and body."""
    found = by_route().get((method, simplified(route_of(response))))
    if found is None:
        return
    path, operation = found
    where = f"{method} {path} → {response.status_code}"
    assert str(response.status_code) in operation["responses"], f"{where} is not in the schema: {body_of(response)}"
    content = resolved(operation["responses"][str(response.status_code)]).get("content", {})
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    if media_type not in content:
        assert not body_of(response), f"{where}: the schema has no {media_type} here, only {sorted(content)}"
    elif media_type.endswith("json"):
        mismatch = complaint(content[media_type]["schema"], json.loads(body_of(response)))
        assert not mismatch, f"{where} does not match the schema: {mismatch}"


def route_of(response: Any) -> str:
    """The route that was resolved; empty when there was none."""
    try:
        return str(response.resolver_match.route)
    except (AttributeError, Resolver404):
        return ""


def body_of(response: Any) -> bytes:
    return b"" if response.streaming else response.content

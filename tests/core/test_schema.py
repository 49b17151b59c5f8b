"""The schema: every door is in it, says what it needs and how it refuses."""

from __future__ import annotations

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests.contract import resolved, simplified

pytestmark = pytest.mark.no_db

# Pages for people, and the schema itself.
OUTSIDE = ("admin/", "docs", "schema")
# Only the dispatcher reaches it, to hand back a job whose miner left during a long poll.
INTERNAL = {"gpu/v1/miners/release"}


@pytest.fixture(scope="module")
def schema() -> dict:
    return SchemaGenerator().get_schema(request=None, public=True)


def operations(schema: dict):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def routes(patterns, prefix: str = ""):
    for entry in patterns:
        here = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, here)
        elif isinstance(entry, URLPattern):
            yield here


def test_it_is_valid(schema):
    validate_schema(schema)


def test_every_operation_answers_errors_as_problems(schema):
    for path, method, operation in operations(schema):
        refusals = {code: resolved(answer) for code, answer in operation["responses"].items() if code >= "400"}
        assert {"400", "429", "503"} <= set(refusals), (path, method)
        assert all("application/problem+json" in answer["content"] for answer in refusals.values()), (path, method)


def test_operation_ids_are_unique_and_named_after_their_domain(schema):
    ids = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(ids) == len(set(ids))

    for _, _, operation in operations(schema):
        assert operation["operationId"].startswith(operation["tags"][0] + "_")


def test_every_route_is_in_the_schema(schema):
    shown = {simplified(path.strip("/")) for path in schema["paths"]}
    for route in routes(get_resolver("aitbc.urls").url_patterns):
        if not route.startswith(OUTSIDE) and not route.endswith("/schema") and route not in INTERNAL:
            assert simplified(route) in shown, route


def test_only_public_doors_need_no_key(schema):
    for path, method, operation in operations(schema):
        needs_key = operation["security"] != [{}]
        assert ("401" in operation["responses"]) == needs_key, (path, method)

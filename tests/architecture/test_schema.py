"""The schema: every endpoint is in it, says what it needs and how it refuses."""

from __future__ import annotations

import json

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests import contract
from tests.contract import resolved, simplified

pytestmark = [pytest.mark.no_db, pytest.mark.xdist_group("schema")]  # one schema for the whole file

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
        assert operation["operationId"].startswith(operation["tags"][0].split()[0] + "_")


def test_every_operation_has_a_summary_of_one_line(schema):
    for path, method, operation in operations(schema):
        assert 3 < len(operation["summary"]) <= 160 and "\n" not in operation["summary"], (path, method)


def test_operators_endpoints_are_shown_last(schema):
    tags = [tag["name"] for tag in schema["tags"]]
    assert tags == sorted(tags, key=lambda tag: (tag.endswith("(operators)"), tag))
    assert {operation["tags"][0] for _, _, operation in operations(schema)} == set(tags)
    assert schema["paths"]["/ai/admin/jobs"]["get"]["tags"] == ["ai (operators)"]


def test_legacy_routes_are_deprecated(schema):
    assert schema["paths"]["/marketplace/v1/marketplace/gpu/list"]["get"]["deprecated"] is True
    assert "deprecated" not in schema["paths"]["/ai/jobs"]["post"]


def test_the_security_schemes_are_declared(schema):
    schemes = schema["components"]["securitySchemes"]
    used = {name for _, _, operation in operations(schema) for need in operation["security"] for name in need}

    assert used == set(schemes) == {"bearerKey", "apiKey"}


@pytest.mark.parametrize("form", [{"accept": "application/json"}, {}])
def test_the_schema_is_served_as_json_too(form, client):
    headers = {f"HTTP_{name.upper()}": value for name, value in form.items()}
    answer = client.get("/ai/schema" if form else "/ai/schema?format=json", **headers)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(("application/json", "application/vnd.oai.openapi+json"))
    assert json.loads(answer.content)["openapi"].startswith("3.1")


def test_docs_can_be_filtered_and_remember_the_key(client):
    page = client.get("/docs").content.decode()

    assert '"filter": true' in page and '"persistAuthorization": true' in page


def test_every_route_is_in_the_schema(schema):
    shown = {simplified(path.strip("/")) for path in schema["paths"]}
    for route in routes(get_resolver("aitbc.urls").url_patterns):
        if not route.startswith(OUTSIDE) and not route.endswith("/schema") and route not in INTERNAL:
            assert simplified(route) in shown, route


def test_only_public_endpoints_need_no_key(schema):
    for path, method, operation in operations(schema):
        needs_key = operation["security"] != [{}]
        assert ("401" in operation["responses"]) == needs_key, (path, method)


ABSENT = object()
OPERATIONS = list(contract.operations())


def test_every_route_is_in_the_schema_with_every_method_it_takes():
    shown = {(method, simplified(path)) for path, method, _ in contract.operations()}
    taken = {
        (method.upper(), simplified(route))
        for route, view in views(get_resolver("aitbc.urls").url_patterns)
        for method in getattr(view, "actions", None) or ()
        if simplified(route) not in INTERNAL and method != "head"
    }

    assert taken == shown


def views(patterns, prefix: str = ""):
    """(route, view) of every pattern; the same walk as routes()."""
    for entry in patterns:
        here = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from views(entry.url_patterns, here)
        elif isinstance(entry, URLPattern):
            yield here, entry.callback


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda value: str(value)[:60])
def test_every_operation_shows_an_example_that_fits_its_schema(path, method, operation):
    """`make examples` takes them from tests/<label>/probes.py."""
    bodies = {"request": operation.get("requestBody", {})}
    bodies["response"] = next(body for status, body in operation["responses"].items() if status < "300")
    for part, body in bodies.items():
        media = body.get("content", {}).get("application/json")
        if media is None or (part == "request" and not body.get("required")):
            continue
        shown = [one["value"] for one in media.get("examples", {}).values()] or [media.get("example", ABSENT)]
        assert shown != [ABSENT], f"{method} {path} shows no {part}"
        assert [wrong for one in shown if (wrong := contract.complaint(media["schema"], one))] == []


def test_every_kind_of_problem_shows_an_example():
    for name, answer in contract.document()["components"]["responses"].items():
        media = answer["content"]["application/problem+json"]
        assert contract.complaint(media["schema"], media["example"]) == "", name

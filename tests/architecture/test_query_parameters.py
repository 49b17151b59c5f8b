"""Every own route of the schema refuses query parameters that it does not publish, and any that is named twice."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import get_resolver
from rest_framework.settings import api_settings

from aitbc.accounts.scopes import Scope
from aitbc.core.query_parameters import is_legacy
from tests import contract
from tests.architecture.test_access import filled
from tests.architecture.test_schema import views
from tests.clients import Api

LEGACY = {
    (method.upper(), contract.simplified(route))
    for route, callback in views(get_resolver("aitbc.urls").url_patterns)
    for method in getattr(callback, "actions", None) or ()
    if is_legacy(callback.cls(**callback.initkwargs))
}
OPERATIONS = [(method, path, operation) for path, method, operation in contract.operations()]
OWN = [one for one in OPERATIONS if (one[0], contract.simplified(one[1])) not in LEGACY]
OLD = [one for one in OPERATIONS if (one[0], contract.simplified(one[1])) in LEGACY]
READS = [one for one in OWN if one[0] == "GET"]


def published(operation: dict[str, Any]) -> list[str]:
    """Apart from DRF's `format`, which every route takes."""
    names = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    return [name for name in names if name != api_settings.URL_FORMAT_OVERRIDE]


def refused(answer: Any) -> set[tuple[str, str]]:
    """(parameter, code) of what an answer says against the query string itself."""
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return set()
    errors = [(error["field"], error.get("code", "")) for error in answer.json().get("errors", ())]
    return {(field, code) for field, code in errors if code in ("unknown_parameter", "repeated_parameter")}


@pytest.fixture
def anybody(api_for) -> Api:
    """A key with every scope."""
    return api_for("anybody", *Scope.values)


def test_both_kinds_of_routes_are_looked_at():
    assert len(READS) > 60
    assert len(OLD) > 20
    assert len(MOMENTS) >= 8


@pytest.mark.parametrize(("method", "path", "operation"), OWN, ids=lambda value: str(value)[:60])
def test_a_parameter_that_is_not_published_is_400_and_the_known_ones_are_named(method, path, operation, anybody):
    answer = anybody.request(method, f"{filled(path)}?no_such=5")

    assert answer.status_code == 400, answer.content
    problem = answer.json()
    assert (problem["code"], refused(answer)) == ("invalid", {("no_such", "unknown_parameter")})
    assert all(name in problem["detail"] for name in published(operation))


@pytest.mark.parametrize(("method", "path", "operation"), READS, ids=lambda value: str(value)[:60])
def test_a_repeated_parameter_is_400(method, path, operation, anybody):
    for name in published(operation) or ["no_such"]:
        answer = anybody.get(f"{filled(path)}?{name}=1&{name}=1")

        assert answer.status_code == 400, answer.content
        assert {field for field, _ in refused(answer)} == {name}


MOMENTS = [
    (method, path, parameter["name"])
    for method, path, operation in OPERATIONS
    for parameter in operation.get("parameters", ())
    if parameter["in"] == "query" and parameter["schema"].get("format") == "date-time" and "{" not in path
]
BEYOND = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00",
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "name"), MOMENTS)
def test_a_moment_is_one_that_arithmetic_can_hold(method, path, name, anybody):
    """`to` in the year 1, without `from`, was 500: a day before it there is no moment."""
    for written in BEYOND:
        problem = anybody.json(method, f"{filled(path)}?{name}={written}", status=400)

        assert name in {error["field"] for error in problem["errors"]}
    for written in ("1970-01-01T00:00:00Z", "2999-12-31T23:59:59Z"):
        answer = anybody.request(method, f"{filled(path)}?{name}={written}")

        assert answer.status_code in (200, 400, 404), answer.content


@pytest.mark.parametrize(("method", "path", "operation"), OWN, ids=lambda value: str(value)[:60])
def test_a_published_parameter_is_known(method, path, operation, anybody):
    for name in published(operation):
        assert refused(anybody.request(method, f"{filled(path)}?{name}=1")) == set()


@pytest.mark.parametrize(("method", "path", "operation"), OLD, ids=lambda value: str(value)[:60])
def test_legacy_routes_ignore_what_they_do_not_know(method, path, operation, anybody):
    assert refused(anybody.request(method, f"{filled(path)}?no_such=5&no_such=6")) == set()


def test_who_may_not_call_learns_nothing_of_parameters(anonymous_api: Api, miner_api: Api):
    assert anonymous_api.get("/ai/jobs?page=2").status_code == 401
    assert miner_api.get("/ai/jobs?page=2").status_code == 403


@pytest.mark.parametrize(
    "query", ["offset=5", "page=2", "state=queued&state=running", "limit=5&limit=5", "format=json&x"]
)
def test_lists_of_jobs_do_not_answer_another_question(query, client_api: Api):
    assert client_api.get(f"/ai/jobs?{query}").status_code == 400


@pytest.mark.parametrize("query", ["state=queued,running", "client_id=me&limit=10", "format=json"])
def test_lists_of_jobs_take_what_clients_send(query, client_api: Api):
    assert client_api.get(f"/ai/jobs?{query}").status_code == 200


def test_a_parameter_of_a_submission_is_refused_before_a_job_is_made(client_api: Api):
    answer = client_api.post("/ai/jobs?priority=5", {"task_type": "echo", "payload": {}})

    assert answer.status_code == 400
    assert client_api.json("GET", "/ai/jobs")["items"] == []


def test_head_is_as_strict_as_get(client_api: Api):
    assert client_api.request("HEAD", "/ai/jobs?page=2").status_code == 400
    assert client_api.request("HEAD", "/ai/jobs?limit=2").status_code == 200

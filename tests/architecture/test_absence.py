"""What is not there: an object is `not_found`, however its id is written; an address is `route_not_found`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aitbc.accounts.scopes import Scope
from aitbc.core.ids import uuid7
from tests import contract
from tests.architecture.test_access import filled
from tests.clients import Api


def ids(operation: dict[str, Any]) -> set[str]:
    """The parameters of its path that are UUIDs."""
    parameters = operation.get("parameters", ())
    return {one["name"] for one in parameters if one["in"] == "path" and one["schema"].get("format") == "uuid"}


NAMED = [(method, path, ids(operation)) for path, method, operation in contract.operations() if ids(operation)]
MALFORMED = ["no-such-id", "a.b", "0190f3c2-0000-7000-8000-00000000000g", "{0190f3c2-0000-7000-8000-000000000001}", "1"]


@pytest.fixture
def anybody(api_for) -> Api:
    """A key with every scope."""
    return api_for("anybody", *Scope.values)


def with_id(path: str, names: set[str], written: str) -> str:
    return filled(re.sub(rf"\{{({'|'.join(names)})\}}", written, path))


def test_there_are_routes_to_try():
    assert len(NAMED) > 40


@pytest.mark.parametrize("written", MALFORMED)
@pytest.mark.parametrize(("method", "path", "names"), NAMED, ids=lambda value: str(value)[:60])
def test_a_malformed_id_is_an_id_that_nothing_has(method, path, names, written, anybody):
    answer = anybody.request(method, with_id(path, names, written), {} if method != "GET" else None)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), answer.content


@pytest.mark.parametrize(("method", "path", "names"), [one for one in NAMED if one[0] == "GET"])
def test_an_unknown_object_is_not_found_in_either_case_of_its_id(method, path, names, anybody):
    for written in (str(uuid7()), str(uuid7()).upper()):
        answer = anybody.get(with_id(path, names, written))

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), answer.content


@pytest.mark.parametrize("path", sorted({path for path, _, _ in contract.operations()}))
def test_options_describes_every_route_in_json(path, anybody):
    """Also one that responds with text, an event stream or a file."""
    described = anybody.request("OPTIONS", filled(path))

    assert (described.status_code, described["Content-Type"]) == (200, "application/json"), described.content
    assert described.json()["renders"]


MARKET = "/marketplace/v1/marketplace"
NAMES = [
    "/gpu/v1/gpu/no-such-gpu", "/gpu/v1/miners/no-such-miner", f"{MARKET}/offers/no-such-offer", "/ai/artifacts/ab",
    "/ai/artifacts/" + "ab" * 32, f"{MARKET}/pricing/no-such-model", "/trading/v1/blocks/999999999",
    "/trading/v1/transactions/" + "ab" * 32,
]  # fmt: skip


@pytest.mark.parametrize("path", NAMES)
def test_names_that_nothing_has_are_not_found_too(path, anybody):
    assert anybody.json("GET", path, status=404)["code"] == "not_found"


@pytest.mark.parametrize("path", ["/ai/job", "/ai/jobs/", "/gpu/v2/gpu", "/nowhere", "/ai/jobs/1/2/3"])
def test_an_address_without_a_route(path, anybody):
    assert anybody.json("GET", path, status=404)["code"] == "route_not_found"


def test_a_malformed_id_is_asked_for_a_key_first(anonymous_api: Api):
    assert anonymous_api.get("/ai/jobs/no-such-id").status_code == 401

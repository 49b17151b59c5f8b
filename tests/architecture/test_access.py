"""Every operation of the schema, called by every kind of caller: nobody gets past an endpoint that is not theirs, and
no input, however odd, is answered 5xx or with anything but a problem document."""

from __future__ import annotations

import re
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from aitbc.core.ids import uuid7
from tests.clients import Api

HOLES = {
    "tx_hash": "ab" * 32, "sha256": "cd" * 32, "hash": "ef" * 32, "height": "0", "block_id": "0", "gpu_id": "gpu_1",
}  # fmt: skip
ODD = [
    b"[" * 2000, b'{"a": "\\u0000"}', b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": 99999999999999999999999}', b'"text"',
    b"\xff\xfe", b'{"a": "\\ud800"}',
]  # fmt: skip


def operations() -> list[tuple[str, str, bool]]:
    """(method, path with holes, whether it needs a key) of the whole schema."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return sorted(
        (method.upper(), path, bool(operation.get("security")) and {} not in operation["security"])
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    )


OPERATIONS = operations()
CLOSED = [(method, path) for method, path, closed in OPERATIONS if closed]


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda hole: HOLES.get(hole[1], str(uuid7())), path)


def check_refusal(answer: Any) -> None:
    assert answer["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id", "error"} <= set(problem)
    assert problem["status"] == answer.status_code


def test_the_schema_has_both_open_and_closed_doors():
    assert len(CLOSED) > 40
    assert len(OPERATIONS) > len(CLOSED)


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_closed_door_asks_for_a_key(method, path, anonymous_api: Api):
    answer = anonymous_api.request(method, filled(path))

    assert answer.status_code == 401, answer.content
    assert "WWW-Authenticate" in answer
    check_refusal(answer)


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_key_without_scopes_that_fit_opens_no_door(method, path, api_for):
    answer = api_for("stranger", "voter").request(method, filled(path))

    assert answer.status_code in (403, 404), answer.content
    check_refusal(answer)


@pytest.mark.parametrize(("method", "path", "closed"), OPERATIONS)
@pytest.mark.parametrize("who", ["client_api", "miner_api", "operator_api"])
def test_nothing_is_answered_5xx_and_every_refusal_is_a_problem(who, method, path, closed, request):
    caller: Api = request.getfixturevalue(who)

    answer = caller.request(method, filled(path), {} if method in ("POST", "PUT") else None)

    assert answer.status_code < 500, answer.content
    if answer.status_code >= 400:
        check_refusal(answer)


@pytest.mark.parametrize("body", ODD)
@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, _ in OPERATIONS if m in ("POST", "PUT")])
def test_odd_bodies_are_refused_and_never_answered_5xx(method, path, body, operator_api, client_api, miner_api):
    for caller in (client_api, miner_api, operator_api):
        answer = caller.request(method, filled(path), body)

        assert answer.status_code < 500, answer.content

"""What viewsets take and give: strict bodies, exact money, scopes, sizes, encodings."""

from __future__ import annotations

import json

import pytest

from aitbc.domains import LABELS

pytestmark = pytest.mark.urls("tests.core.routes")


def test_money_goes_in_as_text_or_number_and_never_through_a_float(client_api):
    for written in ('"0.42"', "0.42", "0.420000", '"0.420000"'):
        body = f'{{"name": "a", "amount": {written}}}'.encode()
        assert client_api.post("/echo", body).json()["amount"] == 420_000
    assert (
        client_api.post("/echo", b'{"name": "a", "amount": 9007199254740.993001}').json()["amount"]
        == 9007199254740993001
    )


@pytest.mark.parametrize(
    "written", ['"NaN"', "1e-30", '"-1"', "-0.5", '"1e30"', "0.1234567", "true", "[]", '"٣"', '""']
)
def test_money_that_is_none(client_api, written):
    answer = client_api.post("/echo", f'{{"name": "a", "amount": {written}}}'.encode())

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "amount"


def test_numbers_written_in_other_digits_are_refused(client_api):
    assert client_api.post("/echo", {"name": "a", "count": "٣"}).status_code == 400


def test_what_the_server_owns_cannot_be_set(client_api):
    answer = client_api.post("/echo", {"name": "a", "owner": "somebody", "balance": 5})

    assert answer.status_code == 400
    assert {error["field"] for error in answer.json()["errors"]} == {"owner", "balance"}


def test_fractions_in_free_form_come_back_as_numbers(client_api):
    answer = client_api.post("/echo", {"name": "a", "extra": {"temperature": 0.7, "deep": [{"x": 1.5}]}})

    assert json.loads(answer.content)["extra"] == {"temperature": 0.7, "deep": [{"x": 1.5}]}


def test_a_body_over_the_limit_is_413_by_one_byte(client_api):
    def sized(size: int) -> bytes:
        return b'{"name": "a"}'.ljust(size)

    assert client_api.post("/echo", sized(65_536)).status_code == 201
    assert client_api.post("/echo", sized(65_537)).status_code == 413
    assert client_api.post("/echo/once", sized(1000)).status_code == 201
    assert client_api.post("/echo/once", sized(1001)).status_code == 413


def test_other_types_and_encodings_are_415(client_api):
    assert client_api.post("/echo", b"name=a", content_type="application/x-www-form-urlencoded").status_code == 415
    assert client_api.post("/echo", b"<a/>", content_type="text/xml").status_code == 415
    assert client_api.post("/echo", b"\x1f\x8b", content_encoding="gzip").status_code == 415
    assert client_api.post("/echo", {"name": "a"}, accept="text/event-stream").status_code == 406


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null", b"[" * 5000])
def test_bodies_that_are_no_object(client_api, body):
    assert client_api.post("/echo", body).status_code == 400


def test_a_read_key_reads_and_changes_nothing(api_for):
    reader = api_for("alice", "read")

    assert reader.get("/entries").status_code == 200
    assert reader.post("/echo", {"name": "a"}).status_code == 403


def test_filters_are_validated(client_api):
    assert client_api.get("/entries?id=abc").status_code == 400
    assert client_api.get("/entries?nonsense=1").status_code == 400
    assert client_api.get("/entries?action=echo").json() == {"items": [], "next": None}


def test_liveness_and_readiness(anonymous_api):
    assert anonymous_api.get("/gpu/health").json() == {"status": "healthy", "service": "gpu-service"}
    assert anonymous_api.get("/trading/ready").json()["status"] == "ready"


def test_the_gateway_names_each_service_with_prefix_address_and_health(anonymous_api):
    services = anonymous_api.json("GET", "/services", status=200)

    assert [one["name"] for one in services["services"]] == list(LABELS)
    plugins = services["plugins"]
    assert (plugins["prefix"], plugins["port"], plugins["health"]) == ("/plugin", 8109, "healthy")
    assert plugins["url"].endswith("/plugin")


@pytest.mark.parametrize(
    "accept", ["text/plain;version=0.0.4", "application/openmetrics-text, text/plain;q=0.5", "*/*"]
)
def test_metrics_are_plain_text_to_those_who_accept_it(operator_api, accept):
    answer = operator_api.get("/metrics", accept=accept)

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")


def test_the_pages_of_the_documentation_take_get_alone(anonymous_api):
    assert anonymous_api.request("OPTIONS", "/docs").status_code == 405


def test_metrics_are_for_operators(operator_api, client_api):
    assert client_api.get("/metrics").status_code == 403
    text = operator_api.get("/metrics").content.decode()
    assert 'aitbc_domain_up{domain="trading"} 1.0' in text
    assert "aitbc_request_seconds_count" in text

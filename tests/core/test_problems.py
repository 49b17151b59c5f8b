"""Every error of every kind is application/problem+json."""

from __future__ import annotations

import uuid

import pytest

pytestmark = pytest.mark.urls("tests.core.routes")


def assert_problem(answer, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["code"] == body["error"] == code
    assert body["type"].startswith("urn:aitbc:problem:")
    assert body["title"] and body["detail"]
    assert body["request_id"] == answer["X-Request-ID"]
    return body


def test_unknown_routes_and_methods(client_api, anonymous_api):
    assert_problem(anonymous_api.get("/nowhere"), 404, "route_not_found")
    assert_problem(client_api.get("/echo"), 405, "method_not_allowed")
    assert_problem(client_api.request("TRACE", "/echo"), 405, "method_not_allowed")


def test_absent_and_malformed_ids_have_the_same_body(client_api):
    absent = assert_problem(client_api.get(f"/entries/{uuid.uuid4()}"), 404, "not_found")
    malformed = assert_problem(client_api.get("/entries/abc"), 404, "not_found")

    assert {**absent, "request_id": ""} == {**malformed, "request_id": ""}


def test_who_may_not(anonymous_api, miner_api, client_api):
    answer = anonymous_api.post("/echo", {"name": "a"})

    assert_problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert_problem(miner_api.post("/echo", {"name": "a"}), 403, "forbidden")
    assert_problem(client_api.get("/echo/shut"), 403, "forbidden")


def test_domain_errors_carry_their_members(anonymous_api):
    body = assert_problem(anonymous_api.get("/echo/conflict"), 409, "state_conflict")

    assert (body["state"], body["allowed"]) == ("done", ["reopened"])


def test_a_bug_is_500_and_says_nothing_about_itself(anonymous_api):
    anonymous_api.client.raise_request_exception = False

    body = assert_problem(anonymous_api.get("/echo/broken"), 500, "internal")

    assert "bug" not in str(body)


def test_a_full_disk_is_503_and_not_a_bug(anonymous_api):
    answer = anonymous_api.get("/echo/down")

    body = assert_problem(answer, 503, "unavailable")
    assert int(answer["Retry-After"]) >= 1
    assert "disk" not in str(body)


@pytest.mark.parametrize("address", ["/entries?id=%00", "/entries/%00", "/entries?action=" + "a" * 9000])
def test_addresses_that_mean_nothing(client_api, address):
    assert_problem(client_api.get(address), 400, "invalid")


def test_a_refused_host_is_a_problem_too(client_api):
    assert_problem(client_api.get("/health", host="evil.example"), 400, "invalid")


def test_field_errors_are_listed_by_path(client_api):
    body = assert_problem(client_api.post("/echo", {"name": "a" * 21, "count": "x", "owner": "me"}), 400, "invalid")
    assert {(error["field"], error["code"]) for error in body["errors"]} == {("owner", "unknown_field")}

    body = assert_problem(client_api.post("/echo", {"name": "a" * 21, "count": "x"}), 400, "invalid")
    assert {error["field"] for error in body["errors"]} == {"name", "count"}


def test_request_ids_are_echoed_only_when_harmless(anonymous_api):
    assert anonymous_api.get("/health", x_request_id="abc-1")["X-Request-ID"] == "abc-1"
    assert anonymous_api.get("/health", x_request_id='a"b<script>')["X-Request-ID"] != 'a"b<script>'


def test_headers_of_every_answer(anonymous_api):
    for path in ("/health", "/nowhere", "/echo"):
        headers = anonymous_api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_api_sets_no_cookies(anonymous_api, client_api):
    for api, path in ((anonymous_api, "/health"), (client_api, "/entries")):
        answer = api.get(path)
        headers = answer.headers
        assert not answer.cookies and "Vary" not in headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert int(headers["Content-Length"]) > 0


def test_refusals_say_what_would_be_accepted(client_api, anonymous_api):
    assert client_api.get("/echo")["Allow"] == "POST, OPTIONS"
    assert anonymous_api.post("/echo", {})["WWW-Authenticate"] == 'Bearer realm="aitbc"'
    assert client_api.post("/echo", b"a=b", content_type="text/plain").json()["detail"] == (
        'Unsupported media type "text/plain" in request.'
    )

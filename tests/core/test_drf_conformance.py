"""What DRF and Django document holds here; and each thing that the hot path omits, by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aitbc.accounts.models import ApiKey, AuditEntry
from aitbc.urls import handler400, handler403, handler404, handler500  # noqa: F401
from tests.clients import Api
from tests.core.conformance_routes import SEEN

pytestmark = pytest.mark.urls("tests.core.conformance_routes")


@pytest.fixture(autouse=True)
def _nothing_seen_yet():
    SEEN.clear()


def key_id_of(api: Api) -> str:
    return str(ApiKey.objects.get(prefix=api.prefix).pk)


@pytest.fixture
def entry(db) -> AuditEntry:
    return AuditEntry.objects.create(actor="a", action="looked", subject="conformance", reason="why")


def test_a_denied_object_is_403(client_api, entry):
    assert client_api.get(f"/entries/{entry.pk}").status_code == 200
    denied = client_api.get(f"/entries/{entry.pk}/denied")
    assert (denied.status_code, denied.json()["code"]) == (403, "forbidden")


def test_a_stock_permission_denies_a_known_caller_with_403_and_an_unknown_one_with_401(client_api, anonymous_api):
    denied = client_api.get("/never")
    assert (denied.status_code, denied.json()["detail"]) == (403, "not today")

    unknown = anonymous_api.get("/never")
    assert (unknown.status_code, unknown["WWW-Authenticate"]) == (401, 'Bearer realm="aitbc"')
    assert anonymous_api.get("/never-anonymous").status_code == 403  # no key would help


def test_request_user_auth_and_version_are_set(client_api, anonymous_api):
    shown = client_api.json("GET", "/show", status=200)
    assert shown["user"] == shown["django_user"] != ""
    assert shown["auth"] == key_id_of(client_api)
    assert shown["version"] is None

    assert anonymous_api.json("GET", "/show", status=200)["auth"] == "None"


def test_a_versioning_class_decides_the_version(client_api):
    assert client_api.json("GET", "/versioned?version=v7", status=200)["version"] == "v7"


def test_the_first_authenticator_that_knows_the_caller_wins(anonymous_api):
    both = anonymous_api.get("/named", x_name="anna", x_other_name="otto").json()
    assert (both["user"], both["auth"]) == ("anna", "X-Name:anna")
    assert anonymous_api.get("/named", x_other_name="otto").json()["user"] == "otto"


def test_parser_classes_decide_what_is_read(client_api):
    key = {"HTTP_AUTHORIZATION": f"Bearer {client_api.secret}"}
    sent = Client().post("/forms", {"note": "hi", "scan": SimpleUploadedFile("a.txt", b"x")}, **key)
    assert sent.json() == {"files": ["scan"], "fields": ["note", "scan"]}
    assert client_api.post("/forms", {"note": "hi"}).status_code == 415


def test_renderer_classes_decide_what_is_written(anonymous_api):
    assert anonymous_api.get("/lines").headers["Content-Type"] == "application/json"
    by_accept = anonymous_api.get("/lines", accept="text/x-lines")
    assert by_accept.headers["Content-Type"].startswith("text/x-lines") and b"version=None" in by_accept.content
    assert by_accept.headers["Vary"] == "Accept"
    assert anonymous_api.get("/lines?format=lines").content == by_accept.content

    refused = anonymous_api.get("/lines", accept="image/png")
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


def test_every_documented_hook_is_called(anonymous_api):
    assert anonymous_api.get("/hooked").status_code == 200
    assert SEEN == ["initialize_request", "initial", "perform_authentication", "finalize_response"]


def test_handle_exception_has_the_last_word(client_api):
    handled = client_api.post("/hooked", {})
    assert (handled.status_code, handled.json()) == (418, {"handled": "a bug"})
    assert SEEN[-2:] == ["handle_exception", "finalize_response"]


def test_options_describes_the_view(anonymous_api):
    described = anonymous_api.request("OPTIONS", "/show")
    assert described.status_code == 200
    assert described["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert described.json() == {
        "name": "Plain", "description": "One action of each kind.",
        "renders": ["application/json"], "parses": ["application/json"],
    }  # fmt: skip


def test_a_callable_source_is_called(anonymous_api, entry):
    (item,) = anonymous_api.json("GET", "/entries", status=200)["items"]
    assert item["shouted"] == str(entry)


def test_defaults_that_need_the_request_have_it(client_api):
    assert client_api.post("/whose", {"name": "x"}).json() == {"owner": str(client_api.owner_id)}


def test_filter_backends_and_pagination_classes_are_used(anonymous_api, entry):
    AuditEntry.objects.create(actor="a", action="other", subject="conformance", reason="why")

    (found,) = anonymous_api.json("GET", "/entries/searched?search=look", status=200)["items"]
    assert found["action"] == "looked"
    page = anonymous_api.json("GET", "/entries/counted?limit=1&offset=1", status=200)
    assert (page["count"], [one["action"] for one in page["results"]]) == (2, ["other"])


def test_throttle_classes_are_used(anonymous_api):
    assert anonymous_api.get("/seldom").status_code == 200
    refused = anonymous_api.get("/seldom")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused["Retry-After"]) > 1


def with_last(settings: Any) -> list[str]:
    return [*settings.MIDDLEWARE, "tests.core.conformance_routes.recording"]


def test_middleware_listed_last_sees_api_requests(settings, client_api):
    with override_settings(MIDDLEWARE=with_last(settings)):
        client_api.get("/show")

    assert SEEN == ["show 200"]


def test_a_preflight_is_answered_for_configured_origins_alone(settings):
    preflight = {
        "HTTP_ORIGIN": "https://console.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "authorization",
    }  # fmt: skip
    assert "Access-Control-Allow-Origin" not in Client().options("/show", **preflight)

    with override_settings(
        MIDDLEWARE=[*settings.CORS, *settings.MIDDLEWARE], CORS_ALLOWED_ORIGINS=["https://console.example"]
    ):
        allowed = Client().options("/show", **preflight)
        other = Client().options("/show", **{**preflight, "HTTP_ORIGIN": "https://evil.example"})
        answered = Client().get("/show", HTTP_ORIGIN="https://console.example")

    assert allowed["Access-Control-Allow-Origin"] == "https://console.example"
    assert "authorization" in allowed["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Origin" not in other
    assert answered["Access-Control-Allow-Origin"] == "https://console.example"


def test_opentelemetry_shows_a_span_with_the_route_of_an_api_request(settings):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with override_settings(MIDDLEWARE=list(settings.MIDDLEWARE)):
        instrumentor = DjangoInstrumentor()
        instrumentor.instrument(tracer_provider=provider)
        try:
            Client().get("/entries")
        finally:
            instrumentor.uninstrument()

    (span,) = exporter.get_finished_spans()
    assert span.attributes["http.route"] == "entries"


# The hot path: each omission of core/hot_path.py by name. What is not here holds there too.


def test_hot_path_calls_no_hooks(anonymous_api):
    assert anonymous_api.post("/hot", {}).status_code == 200
    assert SEEN == []
    assert anonymous_api.get("/hot/x").status_code == 200  # another action of the same view is plain DRF
    assert "finalize_response" in SEEN


def test_hot_path_knows_the_caller_as_drf_does(client_api):
    shown = client_api.post("/hot", {}).json()
    assert shown["user"] == shown["django_user"] != ""
    assert shown["auth"] == key_id_of(client_api)


def test_hot_path_negotiates_nothing(anonymous_api):
    assert anonymous_api.post("/hot", {}, accept="image/png").headers["Content-Type"] == "application/json"
    assert anonymous_api.post("/hot-lines", {}).headers["Content-Type"] == "application/json"
    assert "Allow" not in anonymous_api.post("/hot", {})


def test_hot_path_has_no_version(anonymous_api):
    assert anonymous_api.post("/hot-versioned?version=v7", {}).json()["version"] is None


def test_hot_path_passes_by_the_middleware_below_it(settings, client_api):
    with override_settings(MIDDLEWARE=with_last(settings)):
        client_api.post("/hot", {})
        client_api.get("/hot/x")

    assert [one for one in SEEN if one.startswith("hot")] == ["hot/<name> 200"]


def test_hot_path_validates_by_a_serializer_without_context(client_api):
    with pytest.raises(KeyError):
        client_api.post("/hot-whose", {"name": "x"})

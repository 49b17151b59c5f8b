"""Registered back-ends: polled, fed, refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aitbc.core import outbound_http, params
from apps.gpu.models import Backend, Lease, Miner, Outbox
from apps.gpu.services import backends
from tests.clients import Api
from tests.gpu.model_servers import CHAT, MODELS, ModelServer, running

BACKENDS = "/gpu/v1/backends"


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A small server that speaks enough of OpenAI's protocol: it has two models and answers in capitals."""

    def chat(requested: Any) -> bytes:
        text = requested["messages"][0]["content"].upper()
        return json.dumps({"choices": [{"message": {"content": text}}], "usage": {"completion_tokens": 3}}).encode()

    with running() as server:
        server.answers |= {MODELS: b'{"data": [{"id": "phi"}, {"id": "llama3"}]}', CHAT: chat}
        yield server


def added(api: Api, url: str, **more: Any) -> Any:
    return api.json("POST", BACKENDS, {"url": url, **more}, status=201)


def polled(api: Api, backend: Any) -> Any:
    """The back-end after one more poll of all that there are."""
    Backend.objects.update(polled_at=None)
    backends.refresh_due()
    return api.json("GET", f"{BACKENDS}/{backend['id']}", status=200)


def test_a_registered_back_end_is_polled_for_models_and_fed(
    operator_api: Api, model_server: ModelServer, enqueue: Callable[..., str]
) -> None:
    response = added(operator_api, model_server.url, price="0.5")
    assert response["models"] == ["llama3", "phi"] and response["healthy"] is True
    job_id = enqueue(models=["phi"], payload={"model": "phi", "prompt": "hello"})

    assert backends.feed(backend_id=response["id"]) == 1

    lease = Lease.objects.get(job_id=job_id)
    assert (lease.state, lease.rate) == ("completed", 500_000)
    fact = Outbox.objects.get(name="gpu.lease.completed.v1", consumer="ai").payload
    assert fact["result"]["output"] == "HELLO"
    assert operator_api.delete(f"{BACKENDS}/{response['id']}").status_code == 204
    assert Miner.objects.get().state == "deregistered"


def test_a_back_end_that_is_gone_takes_its_miner_offline(operator_api: Api, model_server: ModelServer) -> None:
    response = added(operator_api, model_server.url)
    Backend.objects.update(url="http://127.0.0.1:9")

    assert backends.refresh(backend_id=response["id"]) is False
    assert Miner.objects.get().state == "offline"
    Backend.objects.update(url=model_server.url)
    assert backends.refresh(backend_id=response["id"]) is True
    assert Miner.objects.get().state == "online"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1",
        "https://100.64.0.1",
        "https://2130706433/",
        "https://user:pw@127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "nonsense",
        "https://127.0.0.1/\x1f",
    ],
)
def test_what_is_not_public_is_not_called(miner_api: Api, url: str) -> None:
    with pytest.raises(outbound_http.Refused):
        outbound_http.resolve(url)
    assert miner_api.post(BACKENDS, {"url": url}).status_code == 400
    assert not Backend.objects.exists()


@pytest.mark.parametrize(
    ("listed", "models"),
    [
        (rb'[{"id": "a\ud800b"}, {"id": "phi"}, {"id": "nul\u0000"}]', ["phi"]),
        (b'[{"id": "\xff"}, {"id": "phi"}]', ["phi"]),
        (b'[{"id": 5}, {"id": ["l"]}, {"id": true}, {"id": null}, {"id": {}}, {}, 7, null, "x", ["y"]]', []),
        (b'[{"id": ""}, {"id": "  "}, {"id": "phi"}, {"id": "phi"}]', ["phi"]),
        (b'[{"id": "phi", "created": NaN, "size": -Infinity, "more": 1e999, "n": %s}]' % (b"9" * 5000), ["phi"]),
        (json.dumps([{"id": "a" * 200}, {"id": "b" * 201}]).encode(), ["a" * 200]),
        (
            json.dumps([{"id": f"m{n:05}", "x": "y" * 500} for n in range(4000)]).encode(),
            [f"m{n:05}" for n in range(256)],
        ),
    ],
    ids=["no character", "no UTF-8", "no text", "empty or twice", "odd numbers", "too long", "thousands"],
)
def test_a_model_that_cannot_be_named_hides_no_other(
    operator_api: Api, model_server: ModelServer, listed: bytes, models: list[str]
) -> None:
    model_server.answers[MODELS] = b'{"data": %s, "object": "\\udc00"}' % listed

    response = added(operator_api, model_server.url)

    assert (response["models"], response["healthy"], response["state"]) == (models, True, "online")
    before = Miner.objects.get().capability_version
    assert polled(operator_api, response)["models"] == models
    assert Miner.objects.get().capability_version == before  # nothing has changed


def test_models_of_ollama_are_read_alike(operator_api: Api, model_server: ModelServer) -> None:
    model_server.answers["/api/tags"] = rb'{"models": [{"name": 5}, {"name": "phi:latest"}, {"name": "\ud800"}]}'

    assert added(operator_api, model_server.url, kind="ollama")["models"] == ["phi:latest"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "not JSON"),
        (b"data: {}\n\ndata: [DONE]\n\n", "not JSON"),
        (b"[]", "names no models"),
        (b"NaN", "names no models"),
        (b'{"data": {"id": "phi"}}', "names no models"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"data": [], "x": "%s"}' % (b"y" * 4 * 2**20), "larger than"),
    ],
)
def test_an_answer_without_a_list_is_named_as_the_reason(
    operator_api: Api, model_server: ModelServer, answer: bytes, error: str
) -> None:
    model_server.answers[MODELS] = answer

    response = added(operator_api, model_server.url)

    assert (response["healthy"], response["state"]) == (False, "offline")
    assert error in response["last_error"]


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n["])
def test_a_poll_has_a_deadline_however_slowly_the_answer_comes(
    operator_api: Api, model_server: ModelServer, beginning: bytes
) -> None:
    model_server.endless[MODELS] = beginning

    response = added(operator_api, model_server.url)

    assert (response["healthy"], response["last_error"]) == (False, "it took longer than 3 seconds")


def test_back_ends_that_hang_or_cannot_be_called_any_more_keep_no_other_from_its_poll(
    operator_api: Api, model_server: ModelServer
) -> None:
    first, second, third = (added(operator_api, f"{model_server.url}{path}") for path in ("/1", "/2", "/é"))
    Backend.objects.filter(pk=first["id"]).update(url="http://nowhere.invalid")
    model_server.endless[f"/2{MODELS}"] = b"HTTP/1.1 200 OK\r\nX: "
    model_server.answers[f"/%C3%A9{MODELS}"] = b'{"data": [{"id": "phi"}]}'
    last = added(operator_api, model_server.url)
    model_server.answers[MODELS] = b'{"data": [{"id": "new"}]}'

    assert polled(operator_api, last)["models"] == ["new"]

    found = {one["id"]: one for one in operator_api.json("GET", BACKENDS, status=200)["items"]}
    assert found[first["id"]]["last_error"] == "its host is not known"
    assert "longer than" in found[second["id"]]["last_error"]
    assert (found[third["id"]]["models"], found[third["id"]]["healthy"]) == (["phi"], True)


def test_a_back_end_whose_price_is_not_taken_any_more_goes_offline_alone(
    operator_api: Api, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dear, cheap = (
        added(operator_api, f"{model_server.url}{path}", price=price) for path, price in (("/1", "900"), ("", "1"))
    )
    model_server.answers |= dict.fromkeys((MODELS, f"/1{MODELS}"), b'{"data": [{"id": "new"}]}')
    monkeypatch.setitem(params.overrides(), "miner.max_price", 500_000_000)

    assert polled(operator_api, cheap)["models"] == ["new"]

    found = operator_api.json("GET", f"{BACKENDS}/{dear['id']}", status=200)
    assert (found["state"], found["healthy"]) == ("offline", False)
    assert "price" in found["last_error"]


def test_long_addresses_that_begin_alike_are_two_back_ends(operator_api: Api, model_server: ModelServer) -> None:
    first, second = (added(operator_api, f"{model_server.url}/{'a' * 150}/{n}") for n in (1, 2))

    assert first["miner_id"] != second["miner_id"]

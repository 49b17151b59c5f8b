"""Registered back-ends: polled, fed, refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID

import pytest

from aitbc.core import outbound_http
from apps.gpu.models import Backend, Lease, Miner, Outbox
from apps.gpu.services import backends
from tests.clients import Api


class ModelServer(BaseHTTPRequestHandler):
    """A small server that speaks enough of OpenAI's protocol."""

    def _say(self, body: Any, status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._say({"data": [{"id": "phi"}, {"id": "llama3"}]} if self.path == "/v1/models" else {}, 200)

    def do_POST(self) -> None:
        requested = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = requested["messages"][0]["content"].upper()
        tokens, text = (2**63 if text == "COUNT" else 3), text.replace("~", "\x00")
        self._say({"choices": [{"message": {"content": text}}], "usage": {"completion_tokens": tokens}})

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def model_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), ModelServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_registered_back_end_is_polled_for_models_and_fed(
    operator_api: Api, model_server: str, enqueue: Callable[..., str]
) -> None:
    response = operator_api.json("POST", "/gpu/v1/backends", {"url": model_server, "price": "0.5"}, status=201)
    assert response["models"] == ["llama3", "phi"] and response["healthy"] is True
    job_id = enqueue(models=["phi"], payload={"model": "phi", "prompt": "hello"})

    assert backends.feed(backend_id=response["id"]) == 1

    lease = Lease.objects.get(job_id=job_id)
    assert (lease.state, lease.rate) == ("completed", 500_000)
    fact = Outbox.objects.get(name="gpu.lease.completed.v1", consumer="ai").payload
    assert fact["result"]["output"] == "HELLO"
    assert operator_api.delete(f"/gpu/v1/backends/{response['id']}").status_code == 204
    assert Miner.objects.get().state == "deregistered"


def test_an_answer_with_odd_text_is_made_valid_and_one_that_cannot_be_encoded_fails_alone(
    operator_api: Api, model_server: str, enqueue: Callable[..., str]
) -> None:
    response = operator_api.json("POST", "/gpu/v1/backends", {"url": model_server}, status=201)
    jobs = [enqueue(models=["phi"], payload={"model": "phi", "prompt": text}) for text in ("a~", "count", "b~")]

    assert backends.feed(backend_id=response["id"]) == 3

    states = dict(Lease.objects.values_list("job_id", "state"))
    assert [states[UUID(job)] for job in jobs] == ["completed", "failed", "completed"]
    assert "cannot be encoded" in Lease.objects.get(job_id=jobs[1]).message
    outputs = {fact.payload["result"]["output"] for fact in Outbox.objects.filter(name="gpu.lease.completed.v1")}
    assert outputs == {"A\ufffd", "B\ufffd"}


def test_a_back_end_that_is_gone_takes_its_miner_offline(operator_api: Api, model_server: str) -> None:
    response = operator_api.json("POST", "/gpu/v1/backends", {"url": model_server}, status=201)
    Backend.objects.update(url="http://127.0.0.1:9")

    assert backends.refresh(backend_id=response["id"]) is False
    assert Miner.objects.get().state == "offline"
    Backend.objects.update(url=model_server)
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
    ],
)
def test_what_is_not_public_is_not_called(miner_api: Api, url: str) -> None:
    with pytest.raises(outbound_http.Refused):
        outbound_http.resolve(url)
    assert miner_api.post("/gpu/v1/backends", {"url": url}).status_code == 400
    assert not Backend.objects.exists()

"""Large results, inputs, bad bodies, earnings, lists, back-ends, and why a job waits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from aitbc.core import blobs, outbound_http
from apps.gpu import interface
from apps.gpu.models import Backend, Lease, Miner, Outbox
from apps.gpu.services import backends
from tests.clients import Api
from tests.gpu.conftest import ANYTHING

M = "/gpu/v1/miners"


@pytest.fixture
def held(miner_api: Api, enqueue: Callable[..., str]) -> str:
    job_id = enqueue()
    miner_api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": "rig"}, status=200)
    miner_api.json("POST", f"{M}/poll", {}, status=200)
    return job_id


def test_a_large_result_becomes_a_blob(miner_api: Api, held: str) -> None:
    result = {"output": "x" * 100_000}

    miner_api.json("POST", f"{M}/{held}/result", {"result": result}, status=200)

    lease = Lease.objects.get(job_id=held)
    fact = Outbox.objects.get(name="gpu.lease.completed.v1", consumer="ai").payload
    assert json.loads(blobs.read(lease.result_sha256)) == result
    assert fact["result"] is None and fact["result_sha256"] == lease.result_sha256


def test_more_than_sixteen_mebibytes_is_too_much(miner_api: Api, held: str) -> None:
    answer = miner_api.post(f"{M}/{held}/result", {"result": "x" * (17 * 1024 * 1024)})

    assert answer.status_code == 413
    assert Lease.objects.get(job_id=held).state == "leased"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100 + b"]" * 100,
        b'{"result": NaN}',
        b'{"result": "\\u0000"}',
        b'{"result": 1, "result": 2}',
        b"{}",
        b'{"result": 9007199254740993}',
        b'{"result": "x", "attempt": "one"}',
    ],
)
def test_a_malformed_result_changes_nothing(miner_api: Api, held: str, body: bytes) -> None:
    assert miner_api.post(f"{M}/{held}/result", body).status_code == 400
    assert Lease.objects.get(job_id=held).state == "leased"


def test_the_holder_and_nobody_else_downloads_the_input(
    miner_api: Api, other_miner_api: Api, enqueue: Callable[..., str]
) -> None:
    stored = blobs.put([b"a long input"], limit=100)
    job_id = enqueue(payload=None, input_sha256=stored.sha256, input_size=stored.size)
    miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200)
    assert miner_api.get(f"{M}/{job_id}/input").status_code == 404

    response = miner_api.json("POST", f"{M}/poll", {}, status=200)["input"]

    assert response["sha256"] == stored.sha256 and response["size"] == 12
    got = miner_api.get(response["url"])
    assert b"".join(got.streaming_content) == b"a long input"
    assert other_miner_api.get(response["url"]).status_code == 404


def test_earnings_and_jobs_answer_both_verbs(miner_api: Api, held: str) -> None:
    miner_api.json("POST", f"{M}/{held}/result", {"result": "x"}, status=200)

    for verb in ("GET", "POST"):
        earned = miner_api.json(verb, f"{M}/rig/earnings", status=200)
        assert earned["currency"] == "AITBC" and earned["earnings_history"][0]["job_id"] == held
        jobs = miner_api.json(verb, f"{M}/rig/jobs?limit=5&job_status=completed", status=200)
        assert [job["job_id"] for job in jobs["jobs"]] == [held] and jobs["total"] == 1
    assert miner_api.json("GET", f"{M}/rig/jobs?job_status=failed", status=200)["jobs"] == []
    assert miner_api.get(f"{M}/rig/jobs?limit=1000").status_code == 400
    assert [miner["miner_id"] for miner in miner_api.json("GET", M, status=200)["items"]] == ["rig"]


def test_why_a_job_waits(miner_api: Api, enqueue: Callable[..., str]) -> None:
    miner_api.json(
        "POST", f"{M}/register", {"capabilities": {"models": ["phi"], "price": "2"}, "region": "eu"}, status=200
    )
    requirement = {**ANYTHING, "models": ["phi"], "region": "us", "max_price": 3_000_000}
    first = enqueue(models=["phi"], region="us", max_price=3_000_000)
    second = enqueue(models=["phi"], region="us", max_price=3_000_000)

    response = interface.explain(requirement, second)

    by_name = {one["name"]: (one["pass"], one["if_relaxed"]) for one in response.constraints}
    assert response.online_miners == 1 and response.fitting_miners == 0
    assert by_name == {"task_type": (1, 0), "models": (1, 0), "region": (0, 1), "max_price": (1, 0)}
    assert (response.position, response.ahead, response.estimate_seconds) == (2, 1, None)
    assert interface.explain(requirement, first).position == 1
    assert interface.holder(first) is None


def test_who_holds_a_job(held: str) -> None:
    view = interface.holder(held)

    assert view is not None and view.attempt == 1 and view.miner_id == Miner.objects.get().pk and not view.cancelling


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
        self._say({"choices": [{"message": {"content": text}}], "usage": {"completion_tokens": 3}})

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


def test_a_heartbeat_with_fractions_and_a_list_of_gpus_is_kept(miner_api):
    body = {
        "miner_id": "fractions",
        "gpu_utilization": 0.25,
        "metrics": {"temperature": 61.5, "gpus": [{"index": 0, "power_w": 212.5, "nested": {"x": 1}}]},
    }

    miner_api.json("POST", "/gpu/v1/miners/heartbeat", body, status=200)

    metrics = Miner.objects.get(name="fractions").metrics
    assert metrics["gpu_utilization"] == 0.25
    assert metrics["temperature"] == 61.5
    assert metrics["gpus"] == [{"index": 0, "power_w": 212.5}]

"""gpu's doors for the placeholder detector."""

from __future__ import annotations

import json
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aitbc.core import blobs
from aitbc.core.ids import uuid7
from apps.trading.services import log
from tests.ai.factories import fund
from tests.architecture.probes import Life, Probe
from tests.gpu import probes_benchmarks, probes_gpus

M = "/gpu/v1/miners"
ME = {"x_miner_id": "{miner}"}


def live(life: Life) -> None:
    """A machine; a job that it did, one that it holds with a file as its input, and some that wait for it."""
    n, things = life.number, life.things
    fund(life.client, n * 10_000_000)
    things |= {"number": n, "miner": f"rig-{n}", "task": f"task-{n}"}
    things["offer"] = {
        "supported_tasks": [f"task-{n}", *(f"{kind}-{n}" for kind in ("get", "post", "input", "fail"))],
        "gpus": [{"name": f"GPU {n}", "memory_mb": 8192 * n}] * n, "models": [f"m{n}"], "region": f"r{n}",
        "price": str(n),
    }  # fmt: skip
    offer = {"capabilities": things["offer"], "concurrency": 8}
    life.miner.json("POST", f"{M}/register", offer, status=200, **me(life))
    things["job"] = submitted(life, "task", payment_amount=f"{n}.5")
    taken(life, "task")
    life.miner.json("POST", f"{M}/{things['job']}/result", {"result": {"answer": n}}, status=200, **me(life))
    life.drain()
    log.seal()
    large = life.client.json("POST", "/ai/artifacts", f"input {n}".encode() * 20_000 * n, status=201)["sha256"]
    assert blobs.exists(large)
    things["held"] = submitted(life, "input", input_sha256=large)
    taken(life, "input")
    things["failing"] = submitted(life, "fail", max_attempts=1)
    taken(life, "fail")
    things["claims"] = [{"job_id": things["held"]}, *({"job_id": str(uuid7())} for _ in range(n - 1))]
    things["outcome"] = {"answer": n} if n == 1 else {"status": "failed", "error": "no"}
    things["reason"] = ("BAD_INPUT", "a word of its own")[n - 1]
    things["leaving"] = ("drain", "force")[n - 1]  # it still holds jobs: the one drains, the other has left
    things["backend_url"], things["other_url"] = (f"{model_server()}/{n}/{m}" for m in (1, 2))
    backend = life.operator.json("POST", "/gpu/v1/backends", {"url": things["backend_url"]}, status=201)
    things["backend"] = backend["id"]
    probes_benchmarks.live(life)
    probes_gpus.live(life)


class Models(BaseHTTPRequestHandler):
    """A model server on this machine; which model it has stands in its address."""

    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": f"model of {self.path.split('/')[1]}"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@cache
def model_server() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def me(life: Life) -> dict[str, str]:
    return {"x_miner_id": life.things["miner"]}


def submitted(life: Life, kind: str, **terms: Any) -> str:
    body = {"task_type": f"{kind}-{life.number}", "payload": {"n": life.number}, **terms}
    job = life.client.json("POST", "/ai/jobs", body, status=201)
    life.drain()
    return str(job["id"])


def taken(life: Life, kind: str) -> None:
    work = life.miner.json("POST", f"{M}/poll", {}, status=200, **me(life))
    assert work["task_type"] == f"{kind}-{life.number}"
    life.drain()


def get_waits(life: Life) -> None:
    submitted(life, "get")


def post_waits(life: Life) -> None:
    submitted(life, "post")


PROBES = [
    *probes_benchmarks.PROBES,
    *probes_gpus.PROBES,
    Probe("miner", "GET", M),
    *(Probe("miner", "GET", f"{M}/{{miner}}{part}") for part in ("", "/gpus", "/jobs", "/earnings")),
    *(Probe("miner", "POST", f"{M}/{{miner}}{part}") for part in ("/jobs", "/earnings")),
    Probe("miner", "POST", f"{M}/register", {"capabilities": "{offer}", "concurrency": 8}, ME),
    Probe("miner", "PUT", f"{M}/{{miner}}/capabilities", {"capabilities": "{offer}", "concurrency": 8}),
    Probe("miner", "GET", f"{M}/poll", headers=ME, before=get_waits),
    Probe("miner", "POST", f"{M}/poll", {}, ME, before=post_waits),
    Probe("miner", "GET", f"{M}/{{held}}/input", headers=ME),
    Probe("miner", "POST", f"{M}/heartbeat", {"jobs": "{claims}"}, ME),
    Probe("miner", "POST", f"{M}/{{held}}/result", {"result": "{outcome}"}, ME),
    Probe("miner", "POST", f"{M}/{{failing}}/fail", {"error_code": "{reason}", "error_message": "no"}, ME),
    Probe("operator", "POST", "/gpu/v1/backends", {"url": "{other_url}"}),
    Probe("operator", "GET", "/gpu/v1/backends"),
    Probe("operator", "GET", "/gpu/v1/backends/{backend}"),
    Probe("operator", "DELETE", "/gpu/v1/backends/{backend}"),
    Probe("miner", "DELETE", f"{M}/{{miner}}?{{leaving}}=1"),
]

"""Requests to every route of gpu, for the placeholder detector."""

from __future__ import annotations

import json
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aitbc.core import blobs
from aitbc.core.ids import uuid7
from apps.gpu.models import GPURegistry, Miner
from apps.gpu.services import miner_commands
from apps.trading.services import log
from tests.ai.factories import fund
from tests.architecture.probes import Life, Probe
from tests.gpu.factories import EDGE, G, M, beat, measurements, register, registered_gpu

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
    for _ in range(n):  # jobs that it did: two have earned other sums than one, whatever their times
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
    live_benchmarks(life)
    live_gpus(life)


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


MODELS = ("Qwen2.5-7B", "Llama-3.2-3B")


def live_benchmarks(life: Life) -> None:
    """A miner with four GPUs: for advice, for a benchmark, for one that fails, for an open command."""
    n, things = life.number, life.things
    gpus = [{"name": f"Probe {n}", "memory_mb": 8192 * n, "uuid": f"GPU-{n}-{place}"} for place in range(4)]
    life.miner.json("POST", f"{M}/register", {"miner_id": f"prover-{n}", "capabilities": {"gpus": gpus}}, status=200)
    own = GPURegistry.objects.filter(uuid__startswith=f"GPU-{n}-").select_related("miner")
    own.update(
        measured={"bandwidth_gbps": 400.0 * n, "fp32_tflops": 10.0 * n, "fp16_tflops": 40.0 * n},
        details={"power": {"min_w": 100.0, "max_w": 300.0, "default_w": 200.0 + n, "limit_w": 200.0 + n}},
        price_per_hour=400_000 * n,
    )
    advised, measured, leaving, commanded = own.order_by("uuid")
    things |= {"gpu": str(advised.pk), "model": MODELS[n - 1]}
    things |= {"proof": requested(life, measured), "hopeless": requested(life, leaving)}
    body = {"settings": {"power_limit_w": 150}, "previous": {"power_limit_w": 200}}
    instruction = miner_commands.Instruction(kind="apply", seconds=60, gpu=commanded, body=body)
    issued = miner_commands.issue(commanded.miner, instruction, actor="test")
    things["command"] = str(issued.command.pk)
    things["done"] = {"settings": {"power_limit_w": 150}} if n == 1 else {"refused": "not here"}
    things["bound"] = {
        "product": f"{n}a" * 32, "memory": f"{n}b" * 32, "device": "cuda", "figures": measurements(400.0 * n, 10.0 * n),
    }  # fmt: skip


def requested(life: Life, gpu: GPURegistry) -> str:
    return str(life.miner.json("POST", f"/gpu/v1/gpu/{gpu.pk}/benchmarks", {}, status=201)["id"])


REQUEST: dict[str, Any] = {"workload": {"model": "{model}"}}


GPUS = ("listed", "changed", "retired", "doubted")
WORDS = ("3090", "4090")


def live_gpus(life: Life) -> None:
    """A miner with a GPU per kind of request, some metrics, and a command that it has not answered."""
    n, things = life.number, life.things
    gpus = [{"name": f"{word} card {n}", "memory_mb": 4096 * n, "uuid": f"{word}-{n}"} for word in GPUS]
    things["rig"] = f"looker-{n}"
    register(life.miner, rig=things["rig"], gpus=gpus)
    things |= {f"{word}_gpu": str(registered_gpu(uuid=f"{word}-{n}").pk) for word in GPUS}
    GPURegistry.objects.filter(pk=things["doubted_gpu"]).update(state="quarantined")
    rows = [{"uuid": f"listed-{n}", "utilization": 10 * n}]
    beat(life.miner, rig=things["rig"], metrics={"gpus": rows})
    life.miner.json("PUT", f"{G}/{things['listed_gpu']}", {"status": "offline"}, status=200)
    if n == 2:
        life.miner.json("PUT", f"{G}/{things['listed_gpu']}", {"status": "available"}, status=200)
    things["known_model"] = WORDS[n - 1]
    things["look"] = str(miner_commands.scan(Miner.objects.get(name=things["rig"]), actor="test").command.pk)
    things["seen"] = {"gpus": gpus, "discovery_method": "nvml"} if n == 1 else {"error": "the driver is gone"}


def one_more(life: Life) -> None:
    """Another card in the registry."""
    seen = GPURegistry.objects.count()
    register(life.miner, rig=f"more-{seen}", gpus=[{"name": "One more", "memory_mb": 1024, "uuid": f"more-{seen}"}])


BY_HAND: dict[str, Any] = {
    "gpu_id": "hand-{number}", "miner_id": "{rig}",
    "specs": {"model": "{known_model} by hand", "memory_gb": "{number}"},
}  # fmt: skip


PROBES = [
    Probe("client", "POST", f"{EDGE}/{{gpu}}/optimize", REQUEST),
    Probe("client", "POST", f"{EDGE}/optimize/inference/{{gpu}}", {"model_name": "{model}"}),
    Probe("client", "GET", "/gpu/v1/gpu/{gpu}/earnings-advice"),
    Probe("miner", "POST", "/gpu/v1/gpu/{gpu}/benchmarks", {}),
    Probe("miner", "GET", "/gpu/v1/gpu/{gpu}/benchmarks"),
    Probe("miner", "POST", f"{M}/benchmarks/{{proof}}/begin"),
    Probe("miner", "POST", f"{M}/benchmarks/{{proof}}/commit", "{bound}"),
    Probe("miner", "POST", f"{M}/benchmarks/{{proof}}/answer", {"rows": [], "pages": []}),
    Probe("miner", "POST", f"{M}/benchmarks/{{hopeless}}/fail", {"reason": "no torch"}),
    Probe("miner", "GET", "/gpu/v1/benchmarks/{proof}"),
    Probe("miner", "POST", f"{M}/orders/{{command}}/applied", "{done}"),
    Probe("anonymous", "GET", "/gpu/status", before=one_more),
    Probe("anonymous", "GET", "/gpu/gpu/status", before=one_more),
    Probe("anonymous", "GET", f"{G}/status", before=one_more),
    Probe("anonymous", "GET", f"{EDGE}/profiles?q={{known_model}}"),
    Probe("miner", "GET", G),
    Probe("miner", "GET", f"{G}/discover?miner_id={{rig}}"),
    Probe("miner", "POST", f"{G}/register", BY_HAND),
    Probe("miner", "GET", f"{G}/{{listed_gpu}}"),
    Probe("miner", "GET", f"{G}/{{listed_gpu}}/history"),
    Probe("miner", "GET", f"{G}/{{listed_gpu}}/metrics"),
    Probe("miner", "GET", f"{EDGE}/metrics/{{listed_gpu}}"),
    Probe("miner", "PUT", f"{G}/{{changed_gpu}}", {"price_per_hour": "0.{number}"}),
    Probe("operator", "POST", f"{G}/{{doubted_gpu}}/release", {"reason": "seen with my own eyes {number}"}),
    Probe("miner", "DELETE", f"{G}/{{retired_gpu}}"),
    Probe("miner", "POST", f"{EDGE}/scan/{{rig}}?wait=0"),
    Probe("miner", "POST", f"{M}/orders/{{look}}", "{seen}"),
    Probe("miner", "GET", "/gpu/v1/orders/{look}"),
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

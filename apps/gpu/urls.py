"""Every route of gpu. Fixed words come before ids, so that no miner can be called `poll`."""

from __future__ import annotations

from django.urls import path

from apps.gpu.views.backends import BackendViewSet
from apps.gpu.views.benchmarks import BenchmarkViewSet, MinerBenchmarkViewSet
from apps.gpu.views.gpus import GpuViewSet
from apps.gpu.views.miner_commands import MinerCommandViewSet
from apps.gpu.views.miner_protocol import MinerProtocolViewSet
from apps.gpu.views.miners import MinerViewSet
from apps.gpu.views.optimization import OptimizationViewSet
from apps.gpu.views.profiles import ProfileViewSet
from apps.gpu.views.status import StatusViewSet
from apps.gpu.views.telemetry import TelemetryViewSet

protocol, miner, backend = MinerProtocolViewSet.as_view, MinerViewSet.as_view, BackendViewSet.as_view
gpu, command, telemetry = GpuViewSet.as_view, MinerCommandViewSet.as_view, TelemetryViewSet.as_view
benchmark, run = BenchmarkViewSet.as_view, MinerBenchmarkViewSet.as_view
profile, optimization = ProfileViewSet.as_view, OptimizationViewSet.as_view
status = StatusViewSet.as_view({"get": "read_status"})
RUN, EDGE = "v1/miners/benchmarks/<id:benchmark>", "v1/marketplace/edge-gpu"

# No router: these paths name one miner or GPU by either of two ids, and mix fixed words with them.
urlpatterns = [
    # What miner programs call
    path("v1/miners/register", protocol({"post": "register"}), name="miner-register"),
    path("v1/miners/heartbeat", protocol({"post": "heartbeat"}), name="miner-heartbeat"),
    path(
        "v1/miners/poll",
        # No HEAD, which DRF would answer by GET: a poll hands out work, and the response would be thrown away.
        protocol({"get": "poll", "post": "poll"}, http_method_names=["get", "post", "options"]),
        name="miner-poll",
    ),
    path("v1/miners/release", protocol({"post": "release"}), name="miner-release"),
    path("v1/miners/orders/<id:pk>", command({"post": "answer_command"}), name="miner-order"),
    path("v1/miners/orders/<id:order>/applied", command({"post": "applied"}), name="order-applied"),
    path(f"{RUN}/begin", run({"post": "begin"}), name="benchmark-begin"),
    path(f"{RUN}/commit", run({"post": "commit"}), name="benchmark-commit"),
    path(f"{RUN}/answer", run({"post": "respond"}), name="benchmark-answer"),
    path(f"{RUN}/fail", run({"post": "give_up"}), name="benchmark-fail"),
    path("v1/miners/<id:job_id>/result", protocol({"post": "result"}), name="miner-result"),
    path("v1/miners/<id:job_id>/fail", protocol({"post": "fail"}), name="miner-fail"),
    path("v1/miners/<id:job_id>/input", protocol({"get": "download"}), name="miner-input"),
    # Miners and back-ends, for their owners
    path("v1/miners", miner({"get": "list"}), name="miners"),
    path("v1/miners/<str:miner>", miner({"get": "retrieve", "delete": "destroy"}), name="miner"),
    path("v1/miners/<str:miner>/gpus", miner({"get": "gpus"}, pagination_class=None), name="miner-gpus"),
    path("v1/miners/<str:miner>/jobs", miner({"get": "jobs", "post": "jobs"}), name="miner-jobs"),
    path("v1/miners/<str:miner>/earnings", miner({"get": "earnings", "post": "earnings"}), name="miner-earnings"),
    path("v1/miners/<str:miner>/capabilities", miner({"put": "capabilities"}), name="miner-capabilities"),
    path("v1/backends", backend({"get": "list", "post": "create"}), name="backends"),
    path("v1/backends/<id:pk>", backend({"get": "retrieve", "delete": "destroy"}), name="backend"),
    path("v1/orders/<id:pk>", command({"get": "retrieve"}), name="gpu-order"),
    # GPUs
    path("v1/gpu", gpu({"get": "list"}), name="gpus"),
    path("v1/gpu/status", status, name="gpu-status-v1"),
    path("v1/gpu/register", gpu({"post": "register"}), name="gpu-register"),
    path("v1/gpu/discover", gpu({"get": "discover"}), name="gpu-discover"),
    path("v1/gpu/<str:gpu>", gpu({"get": "retrieve", "put": "update", "delete": "destroy"}), name="gpu"),
    path("v1/gpu/<str:gpu>/history", gpu({"get": "history"}, pagination_class=None), name="gpu-history"),
    path("v1/gpu/<str:gpu>/metrics", telemetry({"get": "metrics"}), name="gpu-metrics"),
    path("v1/gpu/<str:gpu>/release", gpu({"post": "release"}), name="gpu-release"),
    path("v1/gpu/<str:gpu>/benchmarks", benchmark({"get": "list", "post": "create"}), name="gpu-benchmarks"),
    path("v1/gpu/<str:gpu>/earnings-advice", optimization({"get": "earnings_advice"}), name="gpu-earnings-advice"),
    path("v1/benchmarks/<id:benchmark>", benchmark({"get": "retrieve"}), name="benchmark"),
    path("status", status, name="gpu-status"),
    # Legacy paths of the edge-gpu client and of the first status page
    path("gpu/status", StatusViewSet.as_view({"get": "read_status"}, deprecated=True), name="gpu-status-legacy"),
    path(f"{EDGE}/profiles", profile({"get": "profiles"}), name="gpu-profiles"),
    path(f"{EDGE}/metrics/<str:gpu>", telemetry({"get": "metrics"}), name="edge-gpu-metrics"),
    path(f"{EDGE}/scan/<str:miner>", command({"post": "scan"}), name="edge-gpu-scan"),
    path(
        f"{EDGE}/optimize/inference/<str:gpu>", optimization({"post": "optimize"}), name="edge-gpu-optimize-inference"
    ),
    path(f"{EDGE}/<str:gpu>/optimize", optimization({"post": "optimize"}), name="edge-gpu-optimize"),
]

"""Routes of gpu. Fixed words come before ids, so that no miner can be called `poll`."""

from __future__ import annotations

from django.urls import path

from apps.gpu import urls_tuning
from apps.gpu.views import (
    BackendViewSet,
    CardViewSet,
    EdgeGpuViewSet,
    MinerDoorViewSet,
    MinerViewSet,
    OrderViewSet,
    StatusViewSet,
)

door, miner, backend = MinerDoorViewSet.as_view, MinerViewSet.as_view, BackendViewSet.as_view
card, edge, order = CardViewSet.as_view, EdgeGpuViewSet.as_view, OrderViewSet.as_view
status = StatusViewSet.as_view({"get": "read_status"})
EDGE = "v1/marketplace/edge-gpu"

urlpatterns = [
    *urls_tuning.urlpatterns,
    path("v1/miners", miner({"get": "list"}), name="miners"),
    path("v1/miners/register", door({"post": "register"}), name="miner-register"),
    path("v1/miners/heartbeat", door({"post": "heartbeat"}), name="miner-heartbeat"),
    path("v1/miners/poll", door({"get": "poll", "post": "poll"}), name="miner-poll"),
    path("v1/miners/release", door({"post": "release"}), name="miner-release"),
    path("v1/miners/orders/<uuid:pk>", order({"post": "answer_order"}), name="miner-order"),
    path("v1/miners/<uuid:job_id>/result", door({"post": "result"}), name="miner-result"),
    path("v1/miners/<uuid:job_id>/fail", door({"post": "fail"}), name="miner-fail"),
    path("v1/miners/<uuid:job_id>/input", door({"get": "download"}), name="miner-input"),
    path("v1/miners/<str:miner>", miner({"get": "retrieve", "delete": "destroy"}), name="miner"),
    path("v1/miners/<str:miner>/gpus", miner({"get": "gpus"}, pagination_class=None), name="miner-gpus"),
    path("v1/miners/<str:miner>/jobs", miner({"get": "jobs", "post": "jobs"}), name="miner-jobs"),
    path("v1/miners/<str:miner>/earnings", miner({"get": "earnings", "post": "earnings"}), name="miner-earnings"),
    path("v1/miners/<str:miner>/capabilities", miner({"put": "capabilities"}), name="miner-capabilities"),
    path("status", status, name="gpu-status"),
    path("gpu/status", status, name="gpu-status-of-old"),
    path("v1/gpu/status", status, name="gpu-status-v1"),
    path("v1/gpu", card({"get": "list"}), name="gpus"),
    path("v1/gpu/register", card({"post": "register"}), name="gpu-register"),
    path("v1/gpu/discover", card({"get": "discover"}), name="gpu-discover"),
    path("v1/gpu/<str:gpu>", card({"get": "retrieve", "put": "update", "delete": "destroy"}), name="gpu"),
    path("v1/gpu/<str:gpu>/history", card({"get": "history"}, pagination_class=None), name="gpu-history"),
    path("v1/gpu/<str:gpu>/metrics", edge({"get": "metrics"}), name="gpu-metrics"),
    path("v1/gpu/<str:gpu>/release", card({"post": "release"}), name="gpu-release"),
    path("v1/orders/<uuid:pk>", order({"get": "retrieve"}), name="gpu-order"),
    path(f"{EDGE}/profiles", edge({"get": "profiles"}), name="gpu-profiles"),
    path(f"{EDGE}/metrics/<str:gpu>", edge({"get": "metrics"}), name="edge-gpu-metrics"),
    path(f"{EDGE}/scan/<str:miner>", edge({"post": "scan"}), name="edge-gpu-scan"),
    path("v1/backends", backend({"get": "list", "post": "create"}), name="backends"),
    path("v1/backends/<uuid:pk>", backend({"get": "retrieve", "delete": "destroy"}), name="backend"),
]

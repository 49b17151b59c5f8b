"""Routes of gpu. Fixed words come before ids, so that no miner can be called `poll`."""

from __future__ import annotations

from django.urls import path

from apps.gpu import urls_tuning
from apps.gpu.views import BackendViewSet, MinerDoorViewSet, MinerViewSet

door, miner, backend = MinerDoorViewSet.as_view, MinerViewSet.as_view, BackendViewSet.as_view

urlpatterns = [
    *urls_tuning.urlpatterns,
    path("v1/miners", miner({"get": "list"}), name="miners"),
    path("v1/miners/register", door({"post": "register"}), name="miner-register"),
    path("v1/miners/heartbeat", door({"post": "heartbeat"}), name="miner-heartbeat"),
    path("v1/miners/poll", door({"get": "poll", "post": "poll"}), name="miner-poll"),
    path("v1/miners/release", door({"post": "release"}), name="miner-release"),
    path("v1/miners/<uuid:job_id>/result", door({"post": "result"}), name="miner-result"),
    path("v1/miners/<uuid:job_id>/fail", door({"post": "fail"}), name="miner-fail"),
    path("v1/miners/<uuid:job_id>/input", door({"get": "download"}), name="miner-input"),
    path("v1/miners/<str:miner>", miner({"get": "retrieve", "delete": "destroy"}), name="miner"),
    path("v1/miners/<str:miner>/gpus", miner({"get": "gpus"}, pagination_class=None), name="miner-gpus"),
    path("v1/miners/<str:miner>/jobs", miner({"get": "jobs", "post": "jobs"}), name="miner-jobs"),
    path("v1/miners/<str:miner>/earnings", miner({"get": "earnings", "post": "earnings"}), name="miner-earnings"),
    path("v1/miners/<str:miner>/capabilities", miner({"put": "capabilities"}), name="miner-capabilities"),
    path("v1/backends", backend({"get": "list", "post": "create"}), name="backends"),
    path("v1/backends/<uuid:pk>", backend({"get": "retrieve", "delete": "destroy"}), name="backend"),
]

"""Routes of benchmarks, advice and settings."""

from __future__ import annotations

from django.urls import path

from apps.gpu.views.benchmarks import AdviceViewSet, BenchmarkDoorViewSet, BenchmarkViewSet

benchmark, door, advice = BenchmarkViewSet.as_view, BenchmarkDoorViewSet.as_view, AdviceViewSet.as_view
DOOR, EDGE = "v1/miners/benchmarks/<uuid:benchmark>", "v1/marketplace/edge-gpu"

urlpatterns = [
    path(f"{DOOR}/begin", door({"post": "begin"}), name="benchmark-begin"),
    path(f"{DOOR}/commit", door({"post": "commit"}), name="benchmark-commit"),
    path(f"{DOOR}/answer", door({"post": "respond"}), name="benchmark-answer"),
    path(f"{DOOR}/fail", door({"post": "give_up"}), name="benchmark-fail"),
    path("v1/miners/orders/<uuid:order>/applied", door({"post": "applied"}), name="order-applied"),
    path("v1/gpu/<str:gpu>/benchmarks", benchmark({"get": "list", "post": "create"}), name="gpu-benchmarks"),
    path("v1/benchmarks/<uuid:benchmark>", benchmark({"get": "retrieve"}), name="benchmark"),
    path("v1/gpu/<str:gpu>/earnings-advice", advice({"get": "earnings_advice"}), name="gpu-earnings-advice"),
    path(f"{EDGE}/optimize/inference/<str:gpu>", advice({"post": "optimize"}), name="edge-gpu-optimize-inference"),
    path(f"{EDGE}/<str:gpu>/optimize", advice({"post": "optimize"}), name="edge-gpu-optimize"),
]

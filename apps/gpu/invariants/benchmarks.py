"""What must always be true of the catalogue and of benchmarks."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.invariants import invariant
from apps.gpu.invariants.leases import _rows

NO_CARD = """SELECT model FROM gpu_consumergpuprofile WHERE bandwidth_gbps <= 0 OR memory_gb <= 0 OR tdp_w <= 0
OR fp32_tflops <= 0 OR fp16_tflops < fp32_tflops"""
UNPROVEN = """SELECT id, verified_at FROM gpu_gpuregistry g WHERE verified_at IS NOT NULL
AND NOT EXISTS (SELECT FROM gpu_gpubenchmark b WHERE b.gpu_id = g.id AND b.state = 'passed')"""
UNTESTED = """SELECT id FROM gpu_gpuregistry g WHERE state = 'verifying'
AND NOT EXISTS (SELECT FROM gpu_gpubenchmark b WHERE b.gpu_id = g.id AND b.state IN ('requested', 'committed'))"""
OUTSIDE = """SELECT o.id, o.body->'settings'->>'power_limit_w'
FROM gpu_minerorder o JOIN gpu_gpuregistry g ON g.id = o.gpu_id
WHERE o.kind = 'apply' AND o.state = 'open' AND g.details ? 'power'
AND NOT (o.body->'settings'->>'power_limit_w')::float8
  BETWEEN coalesce((g.details->'power'->>'min_w')::float8, 0)
  AND coalesce((g.details->'power'->>'max_w')::float8, 'infinity')"""


@invariant("U3", db="gpu")
def orders_stay_within_limits() -> Iterable[str]:
    """No order sets a power limit outside what the card's driver reports."""
    return [f"order {order} sets {watts} W, outside the card's limits" for order, watts in _rows(OUTSIDE)]


@invariant("U6", db="gpu")
def the_catalogue_is_plausible() -> Iterable[str]:
    """Bandwidth, memory and power are positive, and fp16 is not below fp32."""
    return [f"{model}: a figure of the catalogue is impossible" for (model,) in _rows(NO_CARD)]


@invariant("U9", db="gpu")
def verified_means_passed() -> Iterable[str]:
    """A verified card has passed a benchmark."""
    return [f"card {card} is verified and never passed a benchmark" for card, _ in _rows(UNPROVEN)]


@invariant("U8", db="gpu")
def verifying_means_a_benchmark_is_open() -> Iterable[str]:
    """A card under verification has an open benchmark."""
    return [f"card {card} is being verified without a benchmark" for (card,) in _rows(UNTESTED)]

"""Invariants of the registry: one claim per UUID, and what verification means (U7, U8, U9)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.invariants import invariant
from apps.gpu.invariants.queries import rows

DISPUTED = """SELECT uuid, count(*) FROM gpu_gpuregistry WHERE uuid <> '' AND state NOT IN ('quarantined', 'retired')
GROUP BY uuid HAVING count(*) > 1"""
UNPROVEN = """SELECT id, verified_at FROM gpu_gpuregistry g WHERE verified_at IS NOT NULL
AND NOT EXISTS (SELECT FROM gpu_gpubenchmark b WHERE b.gpu_id = g.id AND b.state = 'passed')"""
UNTESTED = """SELECT id FROM gpu_gpuregistry g WHERE state = 'verifying'
AND NOT EXISTS (SELECT FROM gpu_gpubenchmark b WHERE b.gpu_id = g.id AND b.state IN ('requested', 'committed'))"""


@invariant("U7", db="gpu")
def one_gpu_one_claim() -> Iterable[str]:
    """Outside of quarantine nobody else names the same UUID."""
    return [f"card {uuid} is claimed {count} times" for uuid, count in rows(DISPUTED)]


@invariant("U9", db="gpu")
def verified_means_passed() -> Iterable[str]:
    """A verified card has passed a benchmark."""
    return [f"card {gpu} is verified and never passed a benchmark" for gpu, _ in rows(UNPROVEN)]


@invariant("U8", db="gpu")
def verifying_means_a_benchmark_is_open() -> Iterable[str]:
    """A card under verification has an open benchmark."""
    return [f"card {gpu} is being verified without a benchmark" for (gpu,) in rows(UNTESTED)]

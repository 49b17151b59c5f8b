"""Invariant of the catalogue: its numbers are possible (U6)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.invariants import invariant
from apps.gpu.invariants.queries import rows

IMPOSSIBLE = """SELECT model FROM gpu_consumergpuprofile WHERE bandwidth_gbps <= 0 OR memory_gb <= 0 OR tdp_w <= 0
OR fp32_tflops <= 0 OR fp16_tflops < fp32_tflops"""


@invariant("U6", db="gpu")
def the_catalogue_is_plausible() -> Iterable[str]:
    """Bandwidth, memory and power are positive, and fp16 is not below fp32."""
    return [f"{model}: a number of the catalogue is impossible" for (model,) in rows(IMPOSSIBLE)]

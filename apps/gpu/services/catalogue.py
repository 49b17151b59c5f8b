"""The catalogue of GPU models: a file of the package, loaded into a table where an operator's own rows win."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from django.utils import timezone

from aitbc.core.db import atomic
from apps.gpu.logic.model_matching import Match, Model, best_match
from apps.gpu.models import ConsumerGPUProfile

EDGE_WATTS = 170.0  # a card drawing at most this stands at the edge: one cable, one small case
FILE = "gpu_catalogue.csv"
UNIFIED = "Apple"  # the catalogue has the largest memory these are sold with


def rows() -> Iterator[dict[str, Any]]:
    """Yield the file's rows as columns of a profile, in GB, GB/s, TFLOPS (dense) and watts."""
    with (files("apps.gpu") / "data" / FILE).open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            watts = _number(row["tdp_w"])
            yield {
                "vendor": row["vendor"],
                "model": row["model"],
                "architecture": spelled(row["architecture"]),
                "year": int(row["year"]),
                "memory_gb": float(row["vram_gb"]),
                "memory_type": row["memory_type"],
                "bandwidth_gbps": float(row["bandwidth_gbps"]),
                "fp32_tflops": _number(row["fp32_tflops"]),
                "fp16_tflops": _number(row["fp16_tensor_tflops_dense"]),
                "tdp_w": watts,
                "compute_capability": row["compute_capability"],
                "consumer_grade": row["consumer_grade"] == "true",
                "edge_optimized": watts is not None and watts <= EDGE_WATTS,
            }


def load() -> int:
    """Bring the table up to the file, once or any number of times; returns how many rows were written.

    An operator's own (local) rows stay as they are.
    """
    with atomic(ConsumerGPUProfile):
        local = set(
            ConsumerGPUProfile.objects.filter(source=ConsumerGPUProfile.Source.LOCAL).values_list("model", flat=True)
        )
        profiles = [ConsumerGPUProfile(**row, updated_at=timezone.now()) for row in rows() if row["model"] not in local]
        changing = [field.name for field in ConsumerGPUProfile._meta.fields if field.name not in ("id", "model")]
        ConsumerGPUProfile.objects.bulk_create(
            profiles, update_conflicts=True, unique_fields=["model"], update_fields=changing
        )
    return len(profiles)


def ensure() -> None:
    """Load the file where the table is empty: after a restore, or in a test that flushed everything."""
    if not ConsumerGPUProfile.objects.exists():
        load()


def save_local(profile: ConsumerGPUProfile) -> ConsumerGPUProfile:
    """Save an operator's own row and return it: from now on the file does not touch it."""
    profile.source, profile.updated_at = ConsumerGPUProfile.Source.LOCAL, timezone.now()
    profile.architecture = spelled(profile.architecture)
    with atomic(ConsumerGPUProfile):
        profile.save()
    return profile


def recognise(name: str, memory_mb: int) -> Match[ConsumerGPUProfile] | None:
    """Return the profile of a GPU by its reported name and memory (MB); None for a model that no row is like."""
    ensure()
    known = [Model(row.model, row.memory_gb, row, row.vendor == UNIFIED) for row in ConsumerGPUProfile.objects.all()]
    return best_match(name, memory_mb, known)


def spelled(architecture: str) -> str:
    """Return an architecture as the API spells it: Ada Lovelace → ada_lovelace, GCN 5.1 (Vega 20) → gcn_5.1_vega_20."""
    return "_".join(architecture.casefold().replace("(", "").replace(")", "").replace("-", "_").split())


def _number(text: str) -> float | None:
    return float(text) if text else None

"""Invariants of the recommendations for every registered GPU as of now (U1, U2, U4; docs/optimizing.md).

Recommendations are computed from rows: catalogue, registry, calibration. Here they are compared with the sources of
those rows: the catalogue's file as shipped and the verdicts of benchmarks, so that any changed row shows.
That smaller formats need no more memory is a property of a constant table: Hypothesis checks it (test_roofline.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import permutations
from typing import Any

from aitbc.core.invariants import each_chunk, invariant
from apps.gpu.errors import GpuUnfit
from apps.gpu.logic import llm, roofline
from apps.gpu.logic.optimizer import OptimizeRequest, Plan, Subject, plan
from apps.gpu.models import ConsumerGPUProfile, GPURegistry
from apps.gpu.services import catalogue
from apps.gpu.services.optimization import peaks, subject_of
from apps.gpu.states import BenchmarkState

MOST = 100  # GPUs checked, the newest first, each against every model of the table
AS_SOLD = 1.1  # a card may report this much of its model's memory, as when its name is recognised
ROUNDING = 1e-9


@dataclass(frozen=True)
class Advised:
    """A GPU with its subject for the optimizer, and with its published or proven hardware figures (None: neither)."""

    gpu: GPURegistry
    subject: Subject
    known: roofline.Device | None

    def plans(self) -> Iterator[Plan]:
        """What it is recommended for each model of the table."""
        found = (plan(self.subject, OptimizeRequest(model)) for model in llm.models().values())
        return (one for one in found if one is not None)

    def speed(self, model: llm.Model) -> float | None:
        """Tokens per second predicted for one user of the model, in one format for all cards; None: does not fit."""
        load = roofline.Load(model, llm.quant_of("q4_k_m"))
        if not roofline.fits(self.subject.device, load):
            return None
        return 1 / roofline.decode_step(self.subject.device, load, self.subject.efficiency).seconds


def each_advised(check: Callable[[Advised], Iterable[str]]) -> Iterator[str]:
    """Yield the violations of check(advised) for the newest GPUs that there is a recommendation for."""
    newest = GPURegistry.objects.present().order_by("-created_at", "-pk").values_list("pk", flat=True)[:MOST]
    ranked = GPURegistry.objects.select_related("profile", "miner").filter(pk__in=list(newest))
    yield from each_chunk(ranked, lambda gpus: (line for gpu in gpus for one in _advised(gpu) for line in check(one)))


def _advised(gpu: GPURegistry) -> Iterator[Advised]:
    with suppress(GpuUnfit):  # nothing is known of it: there is no recommendation
        subject = subject_of(gpu)
        yield Advised(gpu, subject, _known(gpu, subject.device))


@invariant("U1", db="gpu")
def advice_fits_the_memory() -> Iterable[str]:
    """What is recommended needs no more memory than is usable, nor than such a card is sold with."""
    yield from each_advised(_too_large)


def _too_large(one: Advised) -> Iterator[str]:
    usable, profile = one.subject.device.usable, one.gpu.profile
    sold = profile.memory_gb * 2**30 * AS_SOLD if profile else usable
    for found in one.plans():
        if roofline.need(found.load) > min(usable, sold):
            yield f"card {one.gpu.pk}: {found.load.model.name} is recommended, and does not fit"


@invariant("U2", db="gpu")
def advice_is_within_the_hardware() -> Iterable[str]:
    """No card is promised more tokens per second than its published or proven hardware allows at efficiency 1."""
    yield from each_advised(_too_fast)


def _too_fast(one: Advised) -> Iterator[str]:
    if one.known is None:
        yield f"card {one.gpu.pk}: advice from numbers that no catalogue and no passed benchmark holds"
        return
    for found in one.plans():
        if found.total > roofline.bound(one.known, found.load) * (1 + ROUNDING):
            yield f"card {one.gpu.pk}: {found.load.model.name} is promised faster than the card can be"


@invariant("U4", db="gpu")
def better_gpus_are_not_promised_less() -> Iterable[str]:
    """A card with no less bandwidth, rate and learned efficiency than another is not predicted to be slower."""
    ranked: dict[Any, tuple[Advised, dict[str, float | None]]] = {}
    yield from each_advised(partial(_collect, ranked))
    for name, model in llm.models().items():
        speeds = [(one, speed) for one, by_model in ranked.values() if (speed := by_model[name]) is not None]
        yield from _reversed(speeds, model)


def _collect(ranked: dict[Any, tuple[Advised, dict[str, float | None]]], one: Advised) -> Iterable[str]:
    """Note this GPU's speed with each model, by its id; alone it violates nothing."""
    ranked[one.gpu.pk] = one, {name: one.speed(model) for name, model in llm.models().items()}
    return ()


def _reversed(speeds: Sequence[tuple[Advised, float]], model: llm.Model) -> Iterator[str]:
    for (better, slower), (other, faster) in permutations(speeds, 2):
        if slower < faster * (1 - ROUNDING) and _no_less(better, other):
            yield f"card {better.gpu.pk}: {model.name} is predicted slower than on {other.gpu.pk}, which has less"


def _no_less(one: Advised, other: Advised) -> bool:
    if one.known is None or other.known is None:
        return False
    return all(mine >= its for mine, its in zip(_merits(one), _merits(other), strict=True))


def _merits(one: Advised) -> tuple[float, ...]:
    assert one.known is not None
    efficiency = one.subject.efficiency
    return one.known.bandwidth, one.known.compute, efficiency.decode, efficiency.compute


def _known(gpu: GPURegistry, device: roofline.Device) -> roofline.Device | None:
    """The hardware by the catalogue's file, else by a passed benchmark; no row of the registry is read."""
    profile, proven = gpu.profile, _proven(gpu)
    if profile is not None and profile.source == ConsumerGPUProfile.Source.CATALOGUE:
        profile = _file().get(profile.model)
    try:
        bandwidth, compute = peaks(profile, proven)
    except GpuUnfit:
        return None
    return replace(device, bandwidth=bandwidth, compute=compute)


def _proven(gpu: GPURegistry) -> dict[str, Any]:
    passed = gpu.benchmarks.filter(state=BenchmarkState.PASSED).order_by("-ended_at", "-pk")
    verdict = passed.values_list("verdict", flat=True).first() or {}
    return dict(verdict.get("measured", {}))


@cache
def _file() -> dict[str, ConsumerGPUProfile]:
    """The catalogue as shipped, by model; never saved."""
    return {row["model"]: ConsumerGPUProfile(**row) for row in catalogue.rows()}

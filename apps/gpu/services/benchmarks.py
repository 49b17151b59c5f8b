"""Benchmarks: a challenge per card, made when asked for or when its time has come, judged when it is answered.

REQUESTED: the miner is told through an order. It measures, then *begins*: only now it is given the nonce, and our clock
starts. It *commits*: now rows and pages are drawn. It *answers*: now the proof is checked and the figures are judged.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils import timezone

from aitbc.core import params
from aitbc.core.db import atomic
from aitbc.core.errors import Invalid, StateConflict
from aitbc.core.states import advance_many, begin
from apps.gpu.errors import BenchmarkNotFound, BenchmarkOpen, GpuBooked, GpuUnfit
from apps.gpu.logic import benchmark_scoring, challenge, challenge_check
from apps.gpu.logic.challenge import Task
from apps.gpu.models import GPUBenchmark, GPURegistry, Miner, MinerCommand
from apps.gpu.services import calibration, miner_commands, uuid_disputes
from apps.gpu.services.gpu_events import announce
from apps.gpu.states import BOOKED, RENTABLE, BenchmarkState, GpuState

DUE = timedelta(minutes=30)  # a miner with work in hand measures when it has ended
ANSWER_SECONDS = 60  # from the question to the answer
CPU_TFLOPS = 0.05  # of a card whose model nobody knows, until it says so itself
BLAME = "benchmark: "  # how the reason of a quarantine begins that a benchmark ordered
MISSED_RETESTS = 3  # in a row, before a card that was verified is so no more


def request(
    card: GPURegistry, *, actor: str, reason: str = "asked for", proves: MinerCommand | None = None
) -> GPUBenchmark:
    """Challenge a card; its miner hears of it with its next heartbeat.

    Raises GpuBooked, GpuUnfit, MinerAway, or BenchmarkOpen when one is open already.
    """
    with atomic(GPUBenchmark):
        miner = Miner.objects.select_for_update(no_key=True).get(pk=card.miner_id)
        card = _card(card.pk)
        _check_fit(card)
        benchmark = GPUBenchmark(
            gpu=card, suite=challenge.SUITE, nonce=secrets.token_hex(32), requested_by=actor,
            due_at=timezone.now() + DUE, proves=proves,
        )  # fmt: skip
        benchmark.task = _task(card, benchmark.nonce).to_json()
        told = {"benchmark_id": str(benchmark.pk), "uuid": card.uuid, "name": card.name, "device": card.kind}
        asked = miner_commands.ask(
            miner, kind=MinerCommand.Kind.BENCHMARK, actor=actor, seconds=int(DUE.total_seconds()), body=told, gpu=card
        )
        benchmark.command = asked.command
        _begin(benchmark, actor, reason)
        advance_many(GPURegistry, [card.pk], GpuState.VERIFYING, actor=actor, reason=reason, sources=RENTABLE)
        announce([card.pk])
    return benchmark


def begin_work(benchmark: GPUBenchmark) -> GPUBenchmark:
    """Give the miner the nonce. Asked again it is the same one, and the clock runs on since the first time."""
    with atomic(GPUBenchmark):
        _require(benchmark, BenchmarkState.REQUESTED)
        started = GPUBenchmark.objects.filter(pk=benchmark.pk, state=BenchmarkState.REQUESTED, begun_at=None)
        if started.update(begun_at=timezone.now()):
            _close_command(benchmark, {"begun": True})
    benchmark.refresh_from_db()
    return benchmark


def commit(benchmark: GPUBenchmark, *, commitment: Mapping[str, Any], figures: Mapping[str, Any],
           environment: Mapping[str, Any], device: str) -> GPUBenchmark:  # fmt: skip
    """Take the miner's commitment and figures, stop the clock, draw the question. Invalid for impossible figures."""
    _require(benchmark, BenchmarkState.REQUESTED)
    now = timezone.now()
    if benchmark.begun_at is None:
        raise StateConflict("Begin the benchmark first: its nonce is given then.", state=benchmark.state, allowed=[])
    try:
        benchmark_scoring.plain(figures)
    except ValueError as error:
        raise Invalid(str(error), errors=[{"field": "figures", "message": str(error)}]) from None
    elapsed = (now - benchmark.begun_at).total_seconds()
    benchmark.advance(
        BenchmarkState.COMMITTED, actor=f"miner:{benchmark.gpu.miner_id}", reason=f"after {elapsed:.2f} s",
        commitment={**commitment, "elapsed_s": round(elapsed, 4)}, results=dict(figures),
        environment=dict(environment), device=device[:10],
        question=challenge_check.draw(Task.from_json(benchmark.task)),
        due_at=now + timedelta(seconds=ANSWER_SECONDS),
    )  # fmt: skip
    return benchmark


def answer(benchmark: GPUBenchmark, *, answer: Mapping[str, Any]) -> GPUBenchmark:
    """Check the answer against the commitment (outside any transaction), judge the figures, act on the verdict."""
    _require(benchmark, BenchmarkState.COMMITTED)
    if benchmark.due_at < timezone.now():
        expire(benchmark)
        raise StateConflict("The answer came too late.", state=benchmark.state, allowed=[])
    task = Task.from_json(benchmark.task)
    faults = challenge_check.check(task, benchmark.commitment, benchmark.question, answer)
    profile = benchmark.gpu.profile
    reference = {name: getattr(profile, name) for name in benchmark_scoring.STANDARD} if profile else {}
    judged = benchmark_scoring.judge(
        task, benchmark.results, reference, elapsed=benchmark.commitment["elapsed_s"], faults=faults,
        fp16_accumulate=str(benchmark.environment.get("fp16_accumulate", "")),
        consumer=bool(profile and profile.consumer_grade and profile.vendor == "NVIDIA"),
    )  # fmt: skip
    return _end(benchmark, judged)


def give_up(benchmark: GPUBenchmark, *, reason: str) -> GPUBenchmark:
    """The miner could not: its card stays what it was, unproven."""
    with atomic(GPUBenchmark):
        _lock(benchmark)
        benchmark.advance(
            BenchmarkState.FAILED, actor=f"miner:{benchmark.gpu.miner_id}", reason=reason, ended_at=timezone.now(),
            verdict={"state": "failed", "reasons": [reason], "terms": []},
        )  # fmt: skip
        _unproven(benchmark, reason)
    return benchmark


def expire(benchmark: GPUBenchmark) -> None:
    """End a benchmark whose time is over."""
    with atomic(GPUBenchmark):
        _lock(benchmark)
        benchmark.advance(
            BenchmarkState.EXPIRED, actor="sweep", reason="not answered in time", ended_at=timezone.now(),
            verdict={"state": "expired", "reasons": ["not answered in time"], "terms": []},
        )  # fmt: skip
        _unproven(benchmark, "not answered in time")


def find(*, owner_id: UUID, benchmark_id: UUID) -> GPUBenchmark:
    """A benchmark of one of this owner's cards."""
    mine = GPUBenchmark.objects.of_owner(owner_id).select_related("gpu", "gpu__profile", "command")
    found = mine.filter(pk=benchmark_id).first()
    if found is None:
        raise BenchmarkNotFound()
    return found


def _check_fit(card: GPURegistry) -> None:
    if card.state in BOOKED:
        raise GpuBooked("It is measured when the booking is over.", state=card.state)
    if card.state not in RENTABLE and not _failed_before(card):
        raise GpuUnfit(f"The card is {card.state}.", state=card.state)
    if not card.memory_mb:
        raise GpuUnfit("Its miner did not say how much memory the card has.", state=card.state)


def _failed_before(card: GPURegistry) -> bool:
    """Whether a benchmark put it into quarantine, and so may clear it; two claims to one UUID are an operator's."""
    return card.state == GpuState.QUARANTINED and card.reason.startswith(BLAME)


def _task(card: GPURegistry, nonce: str) -> Task:
    if card.kind == GPURegistry.Kind.CPU:
        return challenge.cpu_task(nonce, memory_mb=card.memory_mb)
    told = card.profile.fp32_tflops if card.profile else None
    fp32 = float(told or card.measured.get("fp32_tflops", CPU_TFLOPS))
    return challenge.gpu_task(nonce, memory_mb=card.memory_mb, fp32_tflops=fp32)


def _card(card_id: UUID) -> GPURegistry:
    """The card's row, locked; its profile and miner are only read."""
    cards = GPURegistry.objects.select_related("profile", "miner").select_for_update(no_key=True, of=("self",))
    return cards.get(pk=card_id)


def _begin(benchmark: GPUBenchmark, actor: str, reason: str) -> None:
    try:
        with atomic(GPUBenchmark):
            begin(benchmark, actor=actor, reason=reason)
    except IntegrityError:
        raise BenchmarkOpen("Wait for the one that is open to end.") from None


def _require(benchmark: GPUBenchmark, state: BenchmarkState) -> None:
    if benchmark.state != state:
        allowed = sorted(benchmark.TRANSITIONS[benchmark.state])
        raise StateConflict(f"The benchmark is {benchmark.state}.", state=benchmark.state, allowed=allowed)


def _lock(benchmark: GPUBenchmark) -> None:
    """Miner, then card: in the order in which everyone takes them."""
    Miner.objects.select_for_update(no_key=True).get(pk=benchmark.gpu.miner_id)
    benchmark.gpu = _card(benchmark.gpu_id)


def _end(benchmark: GPUBenchmark, judged: Mapping[str, Any]) -> GPUBenchmark:
    """Write the verdict on benchmark and card, in one transaction."""
    state, why = BenchmarkState(judged["state"]), "; ".join(judged["reasons"])[:300]
    with atomic(GPUBenchmark):
        _lock(benchmark)
        benchmark.advance(
            state, actor=f"miner:{benchmark.gpu.miner_id}", reason=why, ended_at=timezone.now(), verdict=dict(judged),
            score=judged["score"],
        )  # fmt: skip
        if state == BenchmarkState.PASSED:
            _proven(benchmark, judged)
        elif benchmark.proves_id and state == BenchmarkState.MISMATCH:
            _unproven(benchmark, why)  # slower at a setting that we ordered: taken back, not held against the card
        else:
            _exposed(benchmark, why)
    return benchmark


def _proven(benchmark: GPUBenchmark, judged: Mapping[str, Any]) -> None:
    """The card is what it says: its figures count from now on, and the next test comes at a random time."""
    card, now = benchmark.gpu, timezone.now()
    days = params.get("gpu.retest_days") * random.uniform(0.5, 1.5)
    GPURegistry.objects.filter(pk=card.pk).update(
        verified_at=now, retest_at=now + timedelta(days=days), measured=dict(judged["measured"]),
        score=judged["score"], learned=calibration.learned(card, benchmark),
    )  # fmt: skip
    if _failed_before(card):
        uuid_disputes.release(card, actor="benchmark", reason="passed its benchmark")
    else:
        _back(card, GpuState.AVAILABLE, "passed its benchmark")


def _exposed(benchmark: GPUBenchmark, why: str) -> None:
    """A wrong answer, or figures of another card: nobody rents it until somebody has looked."""
    card = benchmark.gpu
    GPURegistry.objects.filter(pk=card.pk).update(verified_at=None, retest_at=None)
    uuid_disputes.quarantine([card.pk], reason=f"{BLAME}{why}"[:300], actor="benchmark")


def _unproven(benchmark: GPUBenchmark, why: str) -> None:
    """Nothing was shown. A verified card is asked again in an hour, and loses its mark at the third time in a row."""
    card, now = benchmark.gpu, timezone.now()
    _close_command(benchmark, {"given_up": why})
    before = GPUBenchmark.objects.filter(gpu=card).exclude(pk=benchmark.pk).order_by("-requested_at")
    missed = list(before.values_list("state", flat=True)[: MISSED_RETESTS - 1])
    lost = len(missed) >= MISSED_RETESTS - 1 and BenchmarkState.PASSED not in missed
    verified_at = None if lost else card.verified_at
    GPURegistry.objects.filter(pk=card.pk).update(
        verified_at=verified_at, retest_at=now + timedelta(hours=1) if verified_at else None
    )
    _back(card, GpuState.AVAILABLE if verified_at else GpuState.REGISTERED, why)


def _back(card: GPURegistry, to: GpuState, reason: str) -> None:
    """Out of verification; a card that was booked, or went offline, meanwhile stays as it is."""
    advance_many(GPURegistry, [card.pk], to, actor="benchmark", reason=reason[:300], sources=[GpuState.VERIFYING])
    announce([card.pk])


def _close_command(benchmark: GPUBenchmark, said: Mapping[str, Any]) -> None:
    """The miner need not be told any more."""
    if benchmark.command_id is None:
        return
    try:
        miner_commands.answer(owner_id=benchmark.gpu.owner_id, command_id=benchmark.command_id, said=said)
    except StateConflict:
        return  # it is closed: begun before it failed, or expired first

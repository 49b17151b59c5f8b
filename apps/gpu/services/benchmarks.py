"""Benchmarks: a challenge per GPU, requested by hand or by the sweep, judged when it is answered.

REQUESTED: a command reaches the miner. It measures, then *begins*: only now it receives the nonce, and the exchange's
clock starts. It *commits*: now rows and pages are drawn. It *answers*: now proof and measurements are judged.
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
from apps.gpu.services.miner_commands import Instruction
from apps.gpu.states import BOOKED, RENTABLE, BenchmarkState, GpuState

DUE = timedelta(minutes=30)  # a miner with work in hand measures when it has ended
ANSWER_SECONDS = 60  # from the question to the answer
UNIFIED_SHARE = 0.75  # of a memory that the system lives in too
CPU_TFLOPS = 0.05  # of a processor or an unknown card until it was measured
BLAME = "benchmark: "  # how the reason of a quarantine begins that a benchmark caused
MISSED_RETESTS = 3  # in a row, before a card that was verified is so no more


def request(
    gpu: GPURegistry, *, actor: str, reason: str = "asked for", proves: MinerCommand | None = None
) -> GPUBenchmark:
    """Request a benchmark of a GPU and return it; the miner receives the command with its next heartbeat.

    Raises GpuBooked, GpuUnfit, MinerAway, or BenchmarkOpen when one is open already.
    """
    with atomic(GPUBenchmark):
        miner = Miner.objects.select_for_update(no_key=True).get(pk=gpu.miner_id)
        gpu = _locked_gpu(gpu.pk)
        _check_fit(gpu)
        benchmark = GPUBenchmark(
            gpu=gpu, suite=challenge.SUITE, nonce=secrets.token_hex(32), requested_by=actor,
            due_at=timezone.now() + DUE, proves=proves,
        )  # fmt: skip
        benchmark.task = _task(gpu, benchmark.nonce).to_json()
        body = {"benchmark_id": str(benchmark.pk), "uuid": gpu.uuid, "name": gpu.name, "device": gpu.kind}
        instruction = Instruction(
            kind=MinerCommand.Kind.BENCHMARK, seconds=int(DUE.total_seconds()), body=body, gpu=gpu
        )
        issued = miner_commands.issue(miner, instruction, actor=actor)
        benchmark.command = issued.command
        _begin(benchmark, actor, reason)
        advance_many(GPURegistry, [gpu.pk], GpuState.VERIFYING, actor=actor, reason=reason, sources=RENTABLE)
        announce([gpu.pk])
    return benchmark


def begin_work(benchmark: GPUBenchmark) -> GPUBenchmark:
    """Hand out the nonce and return the benchmark; a repeated call returns the same nonce, and the clock runs on."""
    with atomic(GPUBenchmark):
        _require(benchmark, BenchmarkState.REQUESTED)
        started = GPUBenchmark.objects.filter(pk=benchmark.pk, state=BenchmarkState.REQUESTED, begun_at=None)
        if started.update(begun_at=timezone.now()):
            _close_command(benchmark, {"begun": True})
    benchmark.refresh_from_db()
    return benchmark


def commit(benchmark: GPUBenchmark, *, commitment: Mapping[str, Any], measurements: Mapping[str, Any],
           environment: Mapping[str, Any], device: str) -> GPUBenchmark:  # fmt: skip
    """Take the miner's commitment and measurements, stop the clock, draw the question; returns the benchmark with it.

    Raises StateConflict before `begin_work`, Invalid for impossible measurements.
    """
    _require(benchmark, BenchmarkState.REQUESTED)
    now = timezone.now()
    if benchmark.begun_at is None:
        raise StateConflict("Begin the benchmark first: its nonce is given then.", state=benchmark.state, allowed=[])
    try:
        benchmark_scoring.plain(measurements)
    except ValueError as error:
        raise Invalid(str(error), errors=[{"field": "figures", "message": str(error)}]) from None
    elapsed = (now - benchmark.begun_at).total_seconds()
    benchmark.advance(
        BenchmarkState.COMMITTED, actor=f"miner:{benchmark.gpu.miner_id}", reason=f"after {elapsed:.2f} s",
        commitment={**commitment, "elapsed_s": round(elapsed, 4)}, results=dict(measurements),
        environment=dict(environment), device=device[:10],
        question=challenge_check.draw(Task.from_json(benchmark.task)),
        due_at=now + timedelta(seconds=ANSWER_SECONDS),
    )  # fmt: skip
    return benchmark


def answer(benchmark: GPUBenchmark, *, answer: Mapping[str, Any]) -> GPUBenchmark:
    """Check the answer against the commitment, judge the measurements, act on the verdict; returns the ended benchmark.

    The check runs outside any transaction. Raises StateConflict for an answer that is too late or was not expected.
    """
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
        fp16=benchmark_scoring.Fp16Mode(
            accumulate=str(benchmark.environment.get("fp16_accumulate", "")),
            consumer=bool(profile and profile.consumer_grade and profile.vendor == "NVIDIA"),
        ),
    )  # fmt: skip
    return _end(benchmark, judged)


def give_up(benchmark: GPUBenchmark, *, reason: str) -> GPUBenchmark:
    """End a benchmark that the miner cannot do, and return it; its GPU stays unverified. Raises StateConflict."""
    with atomic(GPUBenchmark):
        _lock(benchmark)
        benchmark.advance(
            BenchmarkState.FAILED, actor=f"miner:{benchmark.gpu.miner_id}", reason=reason, ended_at=timezone.now(),
            verdict={"state": "failed", "reasons": [reason], "terms": []},
        )  # fmt: skip
        _unproven(benchmark, reason)
    return benchmark


def expire(benchmark: GPUBenchmark) -> None:
    """End an overdue benchmark. Raises StateConflict when it has ended already."""
    with atomic(GPUBenchmark):
        _lock(benchmark)
        benchmark.advance(
            BenchmarkState.EXPIRED, actor="sweep", reason="not answered in time", ended_at=timezone.now(),
            verdict={"state": "expired", "reasons": ["not answered in time"], "terms": []},
        )  # fmt: skip
        _unproven(benchmark, "not answered in time")


def find(*, owner_id: UUID, benchmark_id: UUID) -> GPUBenchmark:
    """Return a benchmark of one of this owner's GPUs. Raises BenchmarkNotFound."""
    mine = GPUBenchmark.objects.of_owner(owner_id).select_related("gpu", "gpu__profile", "command")
    found = mine.filter(pk=benchmark_id).first()
    if found is None:
        raise BenchmarkNotFound()
    return found


def _check_fit(gpu: GPURegistry) -> None:
    if gpu.state in BOOKED:
        raise GpuBooked("It is measured when the booking is over.", state=gpu.state)
    if gpu.state not in RENTABLE and not _failed_before(gpu):
        raise GpuUnfit(f"The card is {gpu.state}.", state=gpu.state)
    if not gpu.memory_mb:
        raise GpuUnfit("Its miner did not say how much memory the card has.", state=gpu.state)


def _failed_before(gpu: GPURegistry) -> bool:
    """Whether a benchmark put it into quarantine, and so may clear it; two claims to one UUID are an operator's."""
    return gpu.state == GpuState.QUARANTINED and gpu.reason.startswith(BLAME)


def _task(gpu: GPURegistry, nonce: str) -> Task:
    if gpu.kind == GPURegistry.Kind.CPU:
        return challenge.cpu_task(nonce, memory_mb=gpu.memory_mb)
    body = gpu.profile.fp32_tflops if gpu.profile else None
    fp32 = float(body or gpu.measured.get("fp32_tflops", CPU_TFLOPS))
    unified = gpu.profile is not None and "unified" in gpu.profile.memory_type
    memory_mb = round(gpu.memory_mb * UNIFIED_SHARE) if unified else gpu.memory_mb
    return challenge.gpu_task(nonce, memory_mb=memory_mb, fp32_tflops=fp32)


def _locked_gpu(gpu_id: UUID) -> GPURegistry:
    """The card's row, locked; its profile and miner are only read."""
    gpus = GPURegistry.objects.select_related("profile", "miner").select_for_update(no_key=True, of=("self",))
    return gpus.get(pk=gpu_id)


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
    benchmark.gpu = _locked_gpu(benchmark.gpu_id)


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
            _unproven(benchmark, why)  # slower at a setting of ours: that is reverted, and the GPU is not blamed
        else:
            _exposed(benchmark, why)
    return benchmark


def _proven(benchmark: GPUBenchmark, judged: Mapping[str, Any]) -> None:
    """Verified: the measurements count from now on, and the next benchmark comes at a random time."""
    gpu, now = benchmark.gpu, timezone.now()
    days = params.get("gpu.retest_days") * random.uniform(0.5, 1.5)
    GPURegistry.objects.filter(pk=gpu.pk).update(
        verified_at=now, retest_at=now + timedelta(days=days), measured=dict(judged["measured"]),
        score=judged["score"], learned=calibration.learned(gpu, benchmark),
    )  # fmt: skip
    if _failed_before(gpu):
        uuid_disputes.release(gpu, actor="benchmark", reason="passed its benchmark")
    else:
        _back(gpu, GpuState.AVAILABLE, "passed its benchmark")


def _exposed(benchmark: GPUBenchmark, why: str) -> None:
    """A wrong answer, or measurements of another card: quarantine until an operator or a benchmark clears it."""
    gpu = benchmark.gpu
    GPURegistry.objects.filter(pk=gpu.pk).update(verified_at=None, retest_at=None)
    uuid_disputes.quarantine([gpu.pk], reason=f"{BLAME}{why}"[:300], actor="benchmark")


def _unproven(benchmark: GPUBenchmark, why: str) -> None:
    """Not proven. A verified GPU is benchmarked again in an hour, and is unverified after the third miss in a row."""
    gpu, now = benchmark.gpu, timezone.now()
    _close_command(benchmark, {"given_up": why})
    before = GPUBenchmark.objects.filter(gpu=gpu).exclude(pk=benchmark.pk).order_by("-requested_at", "-pk")
    missed = list(before.values_list("state", flat=True)[: MISSED_RETESTS - 1])
    lost = len(missed) >= MISSED_RETESTS - 1 and BenchmarkState.PASSED not in missed
    verified_at = None if lost else gpu.verified_at
    GPURegistry.objects.filter(pk=gpu.pk).update(
        verified_at=verified_at, retest_at=now + timedelta(hours=1) if verified_at else None
    )
    _back(gpu, GpuState.AVAILABLE if verified_at else GpuState.REGISTERED, why)


def _back(gpu: GPURegistry, to: GpuState, reason: str) -> None:
    """Leave VERIFYING; a GPU that was booked, or went offline, meanwhile stays as it is."""
    advance_many(GPURegistry, [gpu.pk], to, actor="benchmark", reason=reason[:300], sources=[GpuState.VERIFYING])
    announce([gpu.pk])


def _close_command(benchmark: GPUBenchmark, result: Mapping[str, Any]) -> None:
    """Close the command, so that heartbeats no longer carry it."""
    if benchmark.command_id is None:
        return
    try:
        miner_commands.answer(owner_id=benchmark.gpu.owner_id, command_id=benchmark.command_id, result=result)
    except StateConflict:
        return  # it is closed: begun before it failed, or expired first

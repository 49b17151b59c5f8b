"""Power limits: set by a signed command, judged by a benchmark, reverted when they do not help."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from aitbc.core import signing
from aitbc.core.db import atomic
from aitbc.core.errors import DomainError, Forbidden
from aitbc.core.ids import uuid7
from apps.gpu.errors import CommandNotFound, GpuBooked, GpuUnfit, SettingImpossible
from apps.gpu.models import GPUBenchmark, GPURegistry, MinerCommand
from apps.gpu.services import benchmarks, calibration, miner_commands
from apps.gpu.services.miner_commands import Instruction
from apps.gpu.states import BOOKED, BenchmarkState, CommandState, GpuState

COMMAND_TAG = "aitbc.order.v1"
COMMAND_SECONDS = 300
REQUEST_GRACE = timedelta(minutes=1)  # from the miner's answer to the request of the benchmark
NOISE = 0.02  # two benchmarks of one card differ by this much
AWAY = (GpuState.OFFLINE, GpuState.QUARANTINED, GpuState.RETIRED, GpuState.DRAINING)


def apply(gpu: GPURegistry, *, owner_id: UUID, actor: str, advice: Mapping[str, Any]) -> MinerCommand:
    """Command the miner to apply the recommended settings; returns the signed command.

    Only for the owner, and never on another's booking. Raises Forbidden, GpuBooked, GpuUnfit, MinerAway, or
    SettingImpossible with the reason.
    """
    watts = _checked(gpu, owner_id, advice)
    body = {
        "serial": str(uuid7()), "gpu_id": str(gpu.pk), "gpu_uuid": gpu.uuid, "settings": {"power_limit_w": watts},
        "not_after": _stamp(COMMAND_SECONDS), "previous": {"power_limit_w": _limit(gpu)},
        "objective": advice["objective"], "expected": _expected(gpu, advice),
    }  # fmt: skip
    return _send(gpu, body, actor)


def applied(*, owner_id: UUID, command_id: UUID, settings: Mapping[str, Any], refused: str = "") -> MinerCommand:
    """Take the miner's answer that it applied the settings, or could not; the effect is benchmarked at once.

    Returns the command. Raises CommandNotFound, StateConflict.
    """
    if not MinerCommand.objects.filter(pk=command_id, kind=MinerCommand.Kind.APPLY).exists():
        raise CommandNotFound()
    with atomic(MinerCommand):
        command = miner_commands.answer(
            owner_id=owner_id, command_id=command_id, result={"settings": dict(settings)}, error=refused
        )
        if command.gpu is None or refused:
            return command
        _note_limit(command.gpu, command.body["settings"]["power_limit_w"])
        if "reverts" in command.body:
            return command
    try:
        benchmarks.request(command.gpu, actor=f"order:{command.pk}", reason="settings changed", proves=command)
    except DomainError as error:  # booked or gone in this moment
        _revert(command, f"its effect cannot be measured: {error.detail}")
    return command


def judge(benchmark: GPUBenchmark) -> None:
    """Keep a change that a finished benchmark confirms, revert one that it does not. A second call does nothing."""
    command = benchmark.proves
    if command is None or command.state != CommandState.ANSWERED or "outcome" in command.answer:
        return
    if benchmark.state not in (BenchmarkState.PASSED, BenchmarkState.MISMATCH):
        if not benchmark.is_final:
            return
        _revert(command, f"its effect was not measured: the benchmark {benchmark.state}")
        return
    outcome = _outcome(command, benchmark.verdict["measured"])
    with atomic(MinerCommand):
        gpu = GPURegistry.objects.locked().get(pk=benchmark.gpu_id)
        stored = calibration.with_residual(gpu.learned, outcome["tok_s"] / command.body["expected"]["tok_s_p50"])
        GPURegistry.objects.filter(pk=gpu.pk).update(learned=stored)
        if outcome["kept"] and benchmark.state == BenchmarkState.PASSED:
            MinerCommand.objects.filter(pk=command.pk).update(answer={**command.answer, "outcome": outcome})
        else:
            _revert(command, outcome["why"], outcome)


def judge_ended() -> int:
    """Judge changes whose benchmark ended without a verdict on them, or was never requested, after a crash.

    Returns how many.
    """
    left = GPUBenchmark.objects.filter(proves__state=CommandState.ANSWERED, ended_at__isnull=False).exclude(
        proves__answer__has_key="outcome"
    )
    found = list(left.select_related("proves", "gpu")[:100])
    for benchmark in found:
        judge(benchmark)
    unmeasured = list(MinerCommand.objects.unmeasured(timezone.now() - REQUEST_GRACE).select_related("gpu")[:100])
    for command in unmeasured:
        _revert(command, "its effect was not measured: no benchmark was requested")
    return len(found) + len(unmeasured)


def _checked(gpu: GPURegistry, owner_id: UUID, advice: Mapping[str, Any]) -> float:
    if gpu.owner_id != owner_id:
        raise Forbidden("Only the owner of a card changes its settings.")
    if gpu.state in BOOKED and gpu.renter_id != owner_id:
        raise GpuBooked("Somebody else rents it now.", state=gpu.state)
    if gpu.state in AWAY:
        raise GpuUnfit(f"The card is {gpu.state}.", state=gpu.state)
    if "bandwidth_gbps" not in gpu.measured:
        raise GpuUnfit("Request a benchmark first: without one nobody can tell what a change did.", state=gpu.state)
    return _settable(advice)


def _settable(advice: Mapping[str, Any]) -> float:
    """The power limit to set, or why there is none."""
    if not advice["fits"]:
        raise SettingImpossible("Nothing to apply: the model does not fit on this card.")
    watts = advice["recommended"]["power_limit_w"]
    if watts is None:
        raise SettingImpossible(f"No power limit can be set: {advice['recommended']['power_limit_reason']}.")
    if advice["current"]["power_min_w"] is None or advice["current"]["power_max_w"] is None:
        raise SettingImpossible("Its miner does not report which power limits the card takes.")
    return float(watts)


def _expected(gpu: GPURegistry, advice: Mapping[str, Any]) -> dict[str, Any]:
    predicted, now = advice["predicted"], advice["vs_current"]
    measure = "bandwidth_gbps" if advice["bottleneck"] == "memory_bw" else _rate(gpu.measured)
    return {
        "tok_s_p10": predicted["tok_s"]["p10"], "tok_s_p50": predicted["tok_s"]["p50"], "watts": predicted["watts"],
        "tok_s_before": now["tok_s"], "watts_before": now["watts"], "figure": measure,
        "figure_before": gpu.measured[measure],
    }  # fmt: skip


def _outcome(command: MinerCommand, measured: Mapping[str, float]) -> dict[str, Any]:
    """Speed after the change: the speed before × the limiting measurement after ÷ before."""
    stored = command.body["expected"]
    tok_s = stored["tok_s_before"] * measured[stored["figure"]] / stored["figure_before"]
    joules, before = stored["watts"] / tok_s, stored["watts_before"] / stored["tok_s_before"]
    faults = {
        f"{tok_s:.2f} tokens/s is less than the {stored['tok_s_p10']:.2f} promised": tok_s < stored["tok_s_p10"],
        "it is slower than before": command.body["objective"] == "max_throughput"
        and tok_s < stored["tok_s_before"] * (1 - NOISE),
        "it takes more energy per token than before": command.body["objective"] != "max_throughput"
        and joules > before * (1 + NOISE),
    }
    why = "; ".join(text for text, true in faults.items() if true)
    return {
        "kept": not why, "why": why or "as predicted", "tok_s": round(tok_s, 3), "J_per_token": round(joules, 4),
        "J_per_token_before": round(before, 4),
    }  # fmt: skip


def _revert(command: MinerCommand, why: str, outcome: Mapping[str, Any] | None = None) -> None:
    """Command the previous settings back, and have the GPU benchmarked again."""
    previous, gpu = command.body["previous"], command.gpu
    with atomic(MinerCommand):
        command.advance(
            CommandState.REVERTED, actor="benchmark", reason=why,
            answer={**command.answer, "outcome": dict(outcome or {"kept": False, "why": why})},
        )  # fmt: skip
        if gpu is None or previous["power_limit_w"] is None:
            return
        body = {
            "serial": str(uuid7()), "gpu_id": str(gpu.pk), "gpu_uuid": gpu.uuid, "settings": previous,
            "not_after": _stamp(24 * 3600), "reverts": str(command.pk),
        }  # fmt: skip
        try:
            _send(gpu, body, "benchmark", seconds=24 * 3600)
        except DomainError:
            return  # its miner is offline: the limit is gone with the next start of its driver
    GPURegistry.objects.filter(pk=gpu.pk, retest_at__isnull=False).update(retest_at=timezone.now())


def _send(gpu: GPURegistry, body: dict[str, Any], actor: str, seconds: int = COMMAND_SECONDS) -> MinerCommand:
    instruction = Instruction(
        kind=MinerCommand.Kind.APPLY, seconds=seconds, body=body, gpu=gpu, signature=signing.sign(COMMAND_TAG, body)
    )
    issued = miner_commands.issue(gpu.miner, instruction, actor=actor)
    if not issued.new:
        raise SettingImpossible("Another change of this card is under way; wait for it to end.")
    return issued.command


def _note_limit(gpu: GPURegistry, watts: float) -> None:
    details = dict(gpu.details)
    details["power"] = {**(details.get("power") or {}), "limit_w": watts}
    GPURegistry.objects.filter(pk=gpu.pk).update(details=details)


def _limit(gpu: GPURegistry) -> float | None:
    stored = gpu.details.get("power") or {}
    found = stored.get("limit_w") or stored.get("default_w")
    return float(found) if isinstance(found, (int, float)) else None


def _rate(measured: Mapping[str, float]) -> str:
    return "fp16_tflops" if "fp16_tflops" in measured else "fp32_tflops"


def _stamp(seconds: int) -> str:
    return signing.stamp(timezone.now() + timedelta(seconds=seconds))

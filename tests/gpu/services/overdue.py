"""Overdue miners, GPUs, benchmarks, commands, leases, work and reservations, one for each deadline of each state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.ai.models import AIJob
from apps.gpu.models import (
    GPUBenchmark,
    GPURegistry,
    IdempotencyRecord,
    Lease,
    Miner,
    MinerCommand,
    Reservation,
    Work,
)
from apps.gpu.services import (
    benchmarks,
    exchange_downtime,
    lease_expiry,
    miner_commands,
    queue,
    reservations,
    silent_miners,
)
from apps.gpu.services.miner_commands import Instruction
from apps.gpu.states import BenchmarkState
from tests.ai import factories as ai
from tests.clients import Api
from tests.gpu.conftest import queued
from tests.gpu.factories import RTX_4090, M, make_gpu, register, registered_gpu, reserved, started
from tests.sweeping import Case, Cases, StateReaders, ago, set_columns

SECOND = {"name": "Tesla T4", "memory_mb": 15360, "uuid": "GPU-2"}


def rig(**more: Any) -> Api:
    """The owner of a registered miner with one GPU, while the exchange is up."""
    exchange_downtime.tick()
    api = Api(owner="miner", scopes=("miner",))
    register(api, **more)
    return api


def fall_silent(miner: Miner, **span: float) -> None:
    exchange_downtime.tick()
    set_columns(miner, last_heartbeat=ago(**span or {"minutes": 10}))


def online() -> Iterator[Miner]:
    rig()
    miner = Miner.objects.get()
    yield miner
    fall_silent(miner)


def suspect() -> Iterator[Miner]:
    rig()
    miner = Miner.objects.get()
    fall_silent(miner, seconds=32)
    assert silent_miners.watch_miners()["suspect"] == 1
    yield miner
    fall_silent(miner)


def draining() -> Iterator[Miner]:
    """Its last lease is over."""
    api = rig()
    lease = held(api)
    api.json("DELETE", f"{M}/rig?drain=1", status=200)
    yield Miner.objects.get()
    set_columns(lease, lease_until=ago(seconds=1))
    exchange_downtime.tick()
    assert lease_expiry.expire_leases() == 1


def draining_silent() -> Iterator[Miner]:
    """It is heard no more while a booking has its GPU."""
    api = rig()
    reservations.reserve([reserved(registered_gpu())])
    api.json("DELETE", f"{M}/rig?drain=1", status=200)
    miner = Miner.objects.get()
    yield miner
    fall_silent(miner)


def lose_miner(gpu: GPURegistry, state: str = "offline") -> None:
    """The miner's row says that it is away, the GPU's does not."""
    set_columns(gpu.miner, state=state)


def registered() -> Iterator[GPURegistry]:
    rig()
    gpu = registered_gpu()
    yield gpu
    lose_miner(gpu)


def verifying() -> Iterator[GPURegistry]:
    """Its benchmark is not answered."""
    benchmark = open_benchmark()
    yield benchmark.gpu
    set_columns(benchmark, due_at=ago(seconds=1))


def verifying_away() -> Iterator[GPURegistry]:
    gpu = open_benchmark().gpu
    yield gpu
    lose_miner(gpu)


def verified_gpu() -> GPURegistry:
    exchange_downtime.tick()
    return make_gpu(Api(owner="miner", scopes=("miner",)), state="available", verified_at=ago(days=1))


def available() -> Iterator[GPURegistry]:
    gpu = verified_gpu()
    yield gpu
    lose_miner(gpu)


def available_untested() -> Iterator[GPURegistry]:
    """It is time to test it again."""
    gpu = verified_gpu()
    set_columns(gpu, retest_at=timezone.now() + timedelta(days=1))
    yield gpu
    set_columns(gpu, retest_at=ago(seconds=1))


def booked(*, running: bool, late: Callable[[GPURegistry], None]) -> Case:
    def case() -> Iterator[GPURegistry]:
        rig()
        fact = reserved(registered_gpu())
        reservations.reserve([fact])
        if running:
            reservations.start([started(fact)])
        gpu = registered_gpu()
        yield gpu
        late(gpu)

    return case


def forget_booking(gpu: GPURegistry) -> None:
    """Its booking is over, and nobody published it."""
    set_columns(Reservation.objects.get(pk=gpu.booking_id), ends_at=ago(minutes=5))


def draining_gpu() -> Iterator[GPURegistry]:
    api = rig(gpus=[RTX_4090, SECOND])
    reservations.reserve([reserved(registered_gpu(uuid="GPU-1"))])
    api.json("DELETE", f"{M}/rig?drain=1", status=200)
    gpu = registered_gpu(uuid="GPU-2")
    yield gpu
    lose_miner(gpu, "deregistered")


def offline() -> Iterator[GPURegistry]:
    """Its miner is heard again, and it did not follow."""
    rig()
    gpu = registered_gpu()
    for _ in range(2):
        fall_silent(gpu.miner)
        silent_miners.watch_miners()
    yield gpu
    set_columns(gpu.miner, state="online")


def open_benchmark(**more: Any) -> GPUBenchmark:
    exchange_downtime.tick()
    gpu = make_gpu(Api(owner="miner", scopes=("miner",)))
    return benchmarks.request(gpu, actor="test", **more)


def requested_benchmark() -> Iterator[GPUBenchmark]:
    benchmark = open_benchmark()
    yield benchmark
    set_columns(benchmark, due_at=ago(seconds=1))


def committed_benchmark() -> Iterator[GPUBenchmark]:
    benchmark = benchmarks.begin_work(open_benchmark())
    benchmark.advance(BenchmarkState.COMMITTED, actor="test", due_at=timezone.now() + timedelta(minutes=1))
    yield benchmark
    set_columns(benchmark, due_at=ago(seconds=1))


def open_command() -> Iterator[MinerCommand]:
    rig()
    command = miner_commands.scan(Miner.objects.get(), actor="test").command
    yield command
    set_columns(command, due_at=ago(seconds=1))


def applied_command() -> MinerCommand:
    """A power limit that the miner says it has set."""
    gpu = verified_gpu()
    body = {"settings": {"power_limit_w": 250.0}, "previous": {"power_limit_w": 350.0}}
    instruction = Instruction(kind=MinerCommand.Kind.APPLY, seconds=300, body=body, gpu=gpu)
    command = miner_commands.issue(gpu.miner, instruction, actor="test").command
    return miner_commands.answer(owner_id=gpu.owner_id, command_id=command.pk, result=body)


def answered_unjudged() -> Iterator[MinerCommand]:
    """The benchmark of its effect ended, and whoever was to judge it is gone."""
    command = applied_command()
    assert command.gpu is not None
    benchmark = benchmarks.request(command.gpu, actor="test", proves=command)
    yield command
    benchmarks.expire(benchmark)


def answered_untested() -> Iterator[MinerCommand]:
    """Whoever was to request the benchmark of its effect is gone."""
    command = applied_command()
    yield command
    set_columns(command, ended_at=ago(minutes=2))


def held(api: Api) -> Lease:
    queue.enqueue([queued()])
    api.json("POST", f"{M}/poll", {}, status=200, x_miner_id="rig")
    return Lease.objects.get()


def leased() -> Iterator[Lease]:
    lease = held(rig())
    yield lease
    exchange_downtime.tick()
    set_columns(lease, lease_until=ago(seconds=1))


def delayed_work() -> Iterator[Work]:
    queue.enqueue([queued(not_before=(timezone.now() + timedelta(hours=1)).isoformat())])
    work = Work.objects.get()
    yield work
    set_columns(work, due_at=ago(seconds=1))


def waiting_work() -> Iterator[Work]:
    """No miner takes it: ai ends its job, and withdraws it."""
    job = ai.row(ai.queued(Api(owner="client", scopes=("client",))))
    yield Work.objects.get()
    set_columns(AIJob.objects.get(pk=job.pk), due_at=ago(seconds=1))


def leased_work() -> Iterator[Work]:
    lease = held(rig())
    yield Work.objects.get()
    exchange_downtime.tick()
    set_columns(lease, lease_until=ago(seconds=1))


def done_work() -> Iterator[Work]:
    queue.enqueue([queued()])
    work = Work.objects.get()
    set_columns(work, state="done")
    yield work
    set_columns(work, created_at=ago(hours=2))


def waiting_reservation() -> Iterator[Reservation]:
    rig()
    reservations.reserve([reserved(registered_gpu(), starts_in=3600)])
    reservation = Reservation.objects.get()
    yield reservation
    set_columns(reservation, starts_at=ago(seconds=1))


def held_reservation() -> Iterator[Reservation]:
    rig()
    reservations.reserve([reserved(registered_gpu())])
    reservation = Reservation.objects.get()
    yield reservation
    set_columns(reservation, ends_at=ago(minutes=5))


def reservation_state(reservation: Reservation) -> str:
    if reservation.closed_at is not None:
        return "closed"
    return "waiting" if reservation.held_at is None else "held"


def stored_answer() -> Iterator[IdempotencyRecord]:
    gpu = verified_gpu()
    api = Api(owner="miner", scopes=("miner",))
    api.json("POST", f"/gpu/v1/gpu/{gpu.pk}/benchmarks", {}, status=201, idempotency_key="k")
    record = IdempotencyRecord.objects.get()
    yield record
    set_columns(record, created_at=ago(hours=49))


CASES: Cases = {
    "gpu.Miner": {
        "online": online,
        "suspect": suspect,
        "draining": draining,
        "draining, it is silent": draining_silent,
    },
    "gpu.GPURegistry": {
        "registered": registered,
        "verifying": verifying,
        "verifying, its miner is away": verifying_away,
        "available": available,
        "available, its test is due": available_untested,
        "reserved": booked(running=False, late=forget_booking),
        "reserved, its miner is away": booked(running=False, late=lose_miner),
        "busy": booked(running=True, late=forget_booking),
        "busy, its miner is away": booked(running=True, late=lose_miner),
        "draining": draining_gpu,
        "offline": offline,
    },
    "gpu.GPUBenchmark": {"requested": requested_benchmark, "committed": committed_benchmark},
    "gpu.MinerCommand": {
        "open": open_command,
        "answered, its effect is not judged": answered_unjudged,
        "answered, its effect is not measured": answered_untested,
    },
    "gpu.Lease": {"leased": leased},
    "gpu.Work": {"delayed": delayed_work, "waiting": waiting_work, "leased": leased_work, "done": done_work},
    "gpu.Reservation": {"waiting": waiting_reservation, "held": held_reservation},
    "gpu.IdempotencyRecord": {"stored": stored_answer},
}
STATES: StateReaders = {"gpu.Reservation": reservation_state, "gpu.IdempotencyRecord": lambda record: "stored"}

"""States of miners, leases, work, GPUs, benchmarks and commands, and their transitions: the page to read first."""

from __future__ import annotations

from django.db.models import TextChoices

from aitbc.core.states import Transitions


class MinerState(TextChoices):
    ONLINE = "online"
    SUSPECT = "suspect"  # missed a heartbeat: keeps its leases, gets no new ones
    OFFLINE = "offline"
    DRAINING = "draining"  # finishes what it holds, then leaves
    DEREGISTERED = "deregistered"


MINER_TRANSITIONS: Transitions = {
    MinerState.ONLINE: {MinerState.SUSPECT, MinerState.OFFLINE, MinerState.DRAINING, MinerState.DEREGISTERED},
    MinerState.SUSPECT: {MinerState.ONLINE, MinerState.OFFLINE, MinerState.DRAINING, MinerState.DEREGISTERED},
    MinerState.OFFLINE: {MinerState.ONLINE, MinerState.DRAINING, MinerState.DEREGISTERED},
    MinerState.DRAINING: {MinerState.ONLINE, MinerState.DEREGISTERED},
    MinerState.DEREGISTERED: {MinerState.ONLINE},  # the same miner may register again
}


class LeaseState(TextChoices):
    LEASED = "leased"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    RELEASED = "released"  # the answer never reached the miner: the attempt does not count


LEASE_TRANSITIONS: Transitions = {
    LeaseState.LEASED: {LeaseState.COMPLETED, LeaseState.FAILED, LeaseState.EXPIRED, LeaseState.RELEASED},
    LeaseState.COMPLETED: set(),
    LeaseState.FAILED: set(),
    LeaseState.EXPIRED: set(),
    LeaseState.RELEASED: set(),
}


class WorkState(TextChoices):
    DELAYED = "delayed"  # backing off until due_at
    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"


class GpuState(TextChoices):
    REGISTERED = "registered"  # reported by its miner, not verified
    VERIFYING = "verifying"  # a benchmark challenge is open
    AVAILABLE = "available"
    RESERVED = "reserved"  # booked, not started
    BUSY = "busy"  # in a running booking
    DRAINING = "draining"  # its miner leaves; ends what runs
    OFFLINE = "offline"  # its miner is silent, or no longer reports it
    QUARANTINED = "quarantined"  # two miners claim it, or it failed its benchmark
    RETIRED = "retired"


#: A card in one of these may be booked; whether it is verified is another question.
RENTABLE = (GpuState.REGISTERED, GpuState.VERIFYING, GpuState.AVAILABLE)
#: A card in one of these belongs to one booking (invariant U5).
BOOKED = (GpuState.RESERVED, GpuState.BUSY)

_ENDS = {GpuState.OFFLINE, GpuState.DRAINING, GpuState.QUARANTINED, GpuState.RETIRED}
GPU_TRANSITIONS: Transitions = {
    GpuState.REGISTERED: {GpuState.VERIFYING, GpuState.AVAILABLE, GpuState.RESERVED, GpuState.BUSY, *_ENDS},
    GpuState.VERIFYING: {GpuState.REGISTERED, GpuState.AVAILABLE, GpuState.RESERVED, GpuState.BUSY, *_ENDS},
    GpuState.AVAILABLE: {GpuState.VERIFYING, GpuState.REGISTERED, GpuState.RESERVED, GpuState.BUSY, *_ENDS},
    GpuState.RESERVED: {GpuState.BUSY, GpuState.AVAILABLE, GpuState.REGISTERED, *_ENDS},
    GpuState.BUSY: {GpuState.AVAILABLE, GpuState.REGISTERED, *_ENDS},
    GpuState.DRAINING: {
        GpuState.AVAILABLE, GpuState.REGISTERED, GpuState.OFFLINE, GpuState.QUARANTINED, GpuState.RETIRED,
    },
    GpuState.OFFLINE: {
        GpuState.AVAILABLE, GpuState.REGISTERED, GpuState.RESERVED, GpuState.BUSY, GpuState.QUARANTINED,
        GpuState.RETIRED,
    },
    GpuState.QUARANTINED: {GpuState.REGISTERED, GpuState.OFFLINE, GpuState.RETIRED},
    GpuState.RETIRED: {GpuState.REGISTERED},  # the same card may come back
}  # fmt: skip


class BenchmarkState(TextChoices):
    REQUESTED = "requested"  # the nonce is made, the miner has its command
    COMMITTED = "committed"  # the miner bound itself to its work; rows and pages of it are requested
    PASSED = "passed"
    MISMATCH = "mismatch"  # a right proof, but not the performance of such a card
    FAILED = "failed"  # a wrong answer, or the miner could not
    EXPIRED = "expired"


BENCHMARK_TRANSITIONS: Transitions = {
    BenchmarkState.REQUESTED: {BenchmarkState.COMMITTED, BenchmarkState.FAILED, BenchmarkState.EXPIRED},
    BenchmarkState.COMMITTED: {
        BenchmarkState.PASSED, BenchmarkState.MISMATCH, BenchmarkState.FAILED, BenchmarkState.EXPIRED,
    },
    BenchmarkState.PASSED: set(),
    BenchmarkState.MISMATCH: set(),
    BenchmarkState.FAILED: set(),
    BenchmarkState.EXPIRED: set(),
}  # fmt: skip


class CommandState(TextChoices):
    """A command to a miner (rescan, apply settings, benchmark): sent with a heartbeat's answer, then answered."""

    OPEN = "open"
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERTED = "reverted"  # applied, measured worse, reverted


COMMAND_TRANSITIONS: Transitions = {
    CommandState.OPEN: {CommandState.ANSWERED, CommandState.FAILED, CommandState.EXPIRED},
    CommandState.ANSWERED: {CommandState.REVERTED},
    CommandState.FAILED: set(),
    CommandState.EXPIRED: set(),
    CommandState.REVERTED: set(),
}

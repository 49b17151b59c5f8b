"""States of miners, cards, benchmarks, leases and waiting work, and the moves between them: the page to read first."""

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
    REGISTERED = "registered"  # known by its miner's word only
    VERIFYING = "verifying"  # a benchmark challenge is open
    AVAILABLE = "available"
    RESERVED = "reserved"  # booked, not started
    BUSY = "busy"  # in a running booking
    DRAINING = "draining"  # its miner leaves; ends what runs
    OFFLINE = "offline"  # its miner is not heard, or no longer names it
    QUARANTINED = "quarantined"  # two miners claim it, or it is not what it says
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
    REQUESTED = "requested"  # the nonce is made, the miner is told
    COMMITTED = "committed"  # the miner bound itself to a product; rows of it are asked
    PASSED = "passed"
    MISMATCH = "mismatch"  # answered, but not what such a card can do
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
    """An order to a miner (rescan, apply settings): told in the answer to a heartbeat, answered by the miner."""

    OPEN = "open"
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERTED = "reverted"  # applied, found worse, taken back


COMMAND_TRANSITIONS: Transitions = {
    CommandState.OPEN: {CommandState.ANSWERED, CommandState.FAILED, CommandState.EXPIRED},
    CommandState.ANSWERED: {CommandState.REVERTED},
    CommandState.FAILED: set(),
    CommandState.EXPIRED: set(),
    CommandState.REVERTED: set(),
}

"""States of miners, leases and waiting work, and the moves between them: the page to read first."""

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

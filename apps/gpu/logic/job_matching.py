"""Does this miner fit this requirement? Pure: the same answer for a poll, for an explanation and for a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.gpu.logic.capabilities import Gpu, Offer

Requirement = Mapping[str, Any]
PUBLIC = "public"  # data of this class may go to any miner


@dataclass(frozen=True)
class Allocation:
    """Which of a miner's GPUs are allocated: positions hidden from ordinary jobs, and positions per booking."""

    hidden: frozenset[int] = frozenset()
    taken: bool = False  # no card is left: only jobs of its bookings
    bookings: Mapping[str, frozenset[int]] = field(default_factory=dict, hash=False)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Allocation:
        """Return the allocation stored in a miner's `booked` column."""
        bookings = {str(one["booking_id"]): frozenset(one["places"]) for one in stored.get("bookings", ())}
        return cls(frozenset(stored.get("hidden", ())), bool(stored.get("taken")), bookings)


@dataclass(frozen=True)
class Candidate:
    """A miner as matching sees it: offer, id, rate, reputation, what is booked of it, and its owner's id."""

    id: str
    offer: Offer
    rate: int  # micro-AIT per hour, the reference rate already filled in
    reputation: int  # per mille
    allocation: Allocation = field(default_factory=Allocation)
    owner: str = ""

    def gpus_for(self, booking_id: str | None) -> list[Gpu]:
        """Return the GPUs that a job may use: those of its booking, else those that are nobody's."""
        gpus = enumerate(self.offer.gpus)
        if booking_id:
            own = self.allocation.bookings.get(booking_id, frozenset())
            return [gpu for place, gpu in gpus if place in own]
        return [gpu for place, gpu in gpus if place not in self.allocation.hidden]


def _task(requirement: Requirement, miner: Candidate) -> bool:
    return not miner.offer.tasks or requirement["task_type"] in miner.offer.tasks


def _gpus(requirement: Requirement, miner: Candidate) -> bool:
    """Enough cards, each of the required model and with the required memory; a process sees only one slice (MIG)."""
    name, memory, count = requirement.get("gpu"), requirement.get("min_vram_mb") or 0, requirement.get("gpu_count") or 0
    if name or memory:
        count = max(count, 1)
    gpus = [gpu for gpu in miner.gpus_for(requirement.get("booking_id")) if count < 2 or not gpu.is_slice]
    named = [gpu for gpu in gpus if not name or gpu.name.casefold() == name.casefold()]
    return len([gpu for gpu in named if gpu.memory_mb >= memory]) >= int(count)


def _models(requirement: Requirement, miner: Candidate) -> bool:
    return miner.offer.models.issuperset(requirement.get("models") or ())


def _region(requirement: Requirement, miner: Candidate) -> bool:
    return requirement.get("region") in (None, "", miner.offer.region)


def _cuda(requirement: Requirement, miner: Candidate) -> bool:
    return not requirement.get("cuda") or str(requirement["cuda"]) in miner.offer.cuda


def _price(requirement: Requirement, miner: Candidate) -> bool:
    """What a booking costs was agreed when it was booked."""
    return (
        bool(requirement.get("booking_id"))
        or requirement.get("max_price") is None
        or miner.rate <= requirement["max_price"]
    )


def _reputation(requirement: Requirement, miner: Candidate) -> bool:
    return requirement.get("min_reputation") is None or miner.reputation >= requirement["min_reputation"]


def _data_class(requirement: Requirement, miner: Candidate) -> bool:
    value = requirement.get("data_class")
    return not value or value == PUBLIC or value in miner.offer.data_classes


def _pin(requirement: Requirement, miner: Candidate) -> bool:
    return not requirement.get("miner_id") or str(requirement["miner_id"]) == miner.id


def _owner(requirement: Requirement, miner: Candidate) -> bool:
    return miner.owner not in requirement.get("excluded_owners", ())


def _booking(requirement: Requirement, miner: Candidate) -> bool:
    """A booking's jobs go to the miner that holds it; a miner without a free card takes no others."""
    value = requirement.get("booking_id")
    return value in miner.allocation.bookings if value else not miner.allocation.taken


Check = Callable[[Requirement, Candidate], bool]
# The constraint as the client writes it → how it is judged.
CHECKS: dict[str, Check] = {
    "task_type": _task,
    "gpu": _gpus,
    "models": _models,
    "region": _region,
    "cuda": _cuda,
    "max_price": _price,
    "min_reputation": _reputation,
    "data_class": _data_class,
    "miner_id": _pin,
    "booking_id": _booking,
    "excluded_owners": _owner,
}


def fits(requirement: Requirement, miner: Candidate) -> bool:
    """Return whether the miner meets every constraint of a requirement."""
    return all(check(requirement, miner) for check in CHECKS.values())


def failures(requirement: Requirement, miner: Candidate) -> list[str]:
    """Return the names of the constraints that this miner does not meet."""
    return [name for name, check in CHECKS.items() if not check(requirement, miner)]

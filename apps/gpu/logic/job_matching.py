"""Does this miner fit this requirement? Pure: the same answer for a poll, for an explanation and for a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.gpu.logic.capabilities import Gpu, Offer

Requirement = Mapping[str, Any]
PUBLIC = "public"  # data of this class may go to any miner


@dataclass(frozen=True)
class Holding:
    """Which of a miner's cards are whose now: places in its list that no ordinary job sees, and those of bookings."""

    hidden: frozenset[int] = frozenset()
    taken: bool = False  # no card is left: only jobs of its bookings
    bookings: Mapping[str, frozenset[int]] = field(default_factory=dict, hash=False)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Holding:
        bookings = {str(one["booking_id"]): frozenset(one["places"]) for one in stored.get("bookings", ())}
        return cls(frozenset(stored.get("hidden", ())), bool(stored.get("taken")), bookings)


@dataclass(frozen=True)
class Candidate:
    """A miner as matching sees it: its offer, who it is, what it asks, how it has behaved, what is booked."""

    id: str
    offer: Offer
    rate: int  # micro-AIT per hour, the reference rate already filled in
    reputation: int  # per mille
    holding: Holding = field(default_factory=Holding)

    def cards_for(self, booking_id: str | None) -> list[Gpu]:
        """The cards that a job may use: those of its booking, else those that are nobody's."""
        cards = enumerate(self.offer.gpus)
        if booking_id:
            own = self.holding.bookings.get(booking_id, frozenset())
            return [gpu for place, gpu in cards if place in own]
        return [gpu for place, gpu in cards if place not in self.holding.hidden]


def _task(wanted: Requirement, miner: Candidate) -> bool:
    return not miner.offer.tasks or wanted["task_type"] in miner.offer.tasks


def _cards(wanted: Requirement, miner: Candidate) -> bool:
    """Enough cards, each of the wanted model and with the wanted memory."""
    name, memory, count = wanted.get("gpu"), wanted.get("min_vram_mb") or 0, wanted.get("gpu_count") or 0
    if name or memory:
        count = max(count, 1)
    cards = miner.cards_for(wanted.get("booking_id"))
    named = [gpu for gpu in cards if not name or gpu.name.casefold() == name.casefold()]
    return len([gpu for gpu in named if gpu.memory_mb >= memory]) >= int(count)


def _models(wanted: Requirement, miner: Candidate) -> bool:
    return miner.offer.models.issuperset(wanted.get("models") or ())


def _region(wanted: Requirement, miner: Candidate) -> bool:
    return wanted.get("region") in (None, "", miner.offer.region)


def _cuda(wanted: Requirement, miner: Candidate) -> bool:
    return not wanted.get("cuda") or str(wanted["cuda"]) in miner.offer.cuda


def _price(wanted: Requirement, miner: Candidate) -> bool:
    """What a booking costs was agreed when it was booked."""
    return bool(wanted.get("booking_id")) or wanted.get("max_price") is None or miner.rate <= wanted["max_price"]


def _reputation(wanted: Requirement, miner: Candidate) -> bool:
    return wanted.get("min_reputation") is None or miner.reputation >= wanted["min_reputation"]


def _data_class(wanted: Requirement, miner: Candidate) -> bool:
    wish = wanted.get("data_class")
    return not wish or wish == PUBLIC or wish in miner.offer.data_classes


def _pin(wanted: Requirement, miner: Candidate) -> bool:
    return not wanted.get("miner_id") or str(wanted["miner_id"]) == miner.id


def _booking(wanted: Requirement, miner: Candidate) -> bool:
    """A booking's jobs go to the miner that holds it; a miner without a free card takes no others."""
    wish = wanted.get("booking_id")
    return wish in miner.holding.bookings if wish else not miner.holding.taken


Check = Callable[[Requirement, Candidate], bool]
# The constraint as the client writes it → how it is judged.
CHECKS: dict[str, Check] = {
    "task_type": _task,
    "gpu": _cards,
    "models": _models,
    "region": _region,
    "cuda": _cuda,
    "max_price": _price,
    "min_reputation": _reputation,
    "data_class": _data_class,
    "miner_id": _pin,
    "booking_id": _booking,
}


def fits(wanted: Requirement, miner: Candidate) -> bool:
    """True when the miner meets every constraint."""
    return all(check(wanted, miner) for check in CHECKS.values())


def failures(wanted: Requirement, miner: Candidate) -> list[str]:
    """The constraints this miner does not meet."""
    return [name for name, check in CHECKS.items() if not check(wanted, miner)]

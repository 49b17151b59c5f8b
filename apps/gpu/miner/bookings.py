"""The bookings of this miner's cards: which there are, and when their renters may come."""

import time
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 120.0  # for jobs of others to end before a renter comes; then it has to share for a while


@dataclass(frozen=True)
class Booking:
    """One booking as the exchange tells it."""

    id: str
    cards: int
    ready: bool


def read(told: Any) -> list[Booking] | None:
    """Read the `bookings` of a heartbeat's answer; None when it has none to say."""
    if not isinstance(told, list):
        return None
    named = [one for one in told if isinstance(one, dict) and one.get("booking_id")]
    return [Booking(str(one["booking_id"]), len(one.get("gpu_ids") or ()), bool(one.get("ready"))) for one in named]


@dataclass
class Bookings:
    """What the next heartbeat says about them."""

    ready: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)

    def hear(self, told: list[Booking] | None, *, cards: int, others: int) -> bool:
        """Note what is booked; True when something became ready, and should be said at once.

        `cards` is how many devices this host offers, `others` how many jobs in hand are no renter's. While a card is
        free, those may stay there; else a renter waits until they have ended, though not for ever.
        """
        if told is None:
            return False
        now = time.monotonic()
        self._since = {one.id: self._since.get(one.id, now) for one in told}
        free = cards - sum(one.cards for one in told)
        may = [one.id for one in told if free > 0 or not others or now - self._since[one.id] > PATIENCE_SECONDS]
        unsaid = {one.id for one in told if not one.ready}
        before, self.ready = self.ready, (self.ready & unsaid) | (unsaid & set(may))
        return bool(self.ready - before)

    def said(self) -> list[str]:
        """The bookings to name as ready."""
        return sorted(self.ready)


def devices_of(job: dict[str, Any]) -> tuple[str, ...] | None:
    """The cards a job may use, by UUID; None: any. An empty list means none: the booking is of the processor."""
    uuids = job.get("gpu_uuids")
    return tuple(str(uuid) for uuid in uuids) if isinstance(uuids, list) else None


def is_a_renters(job: dict[str, Any]) -> bool:
    """Whether a job belongs to a booking."""
    return bool(job.get("booking_id"))

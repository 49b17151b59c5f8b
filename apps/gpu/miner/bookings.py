"""The bookings of this miner's GPUs: which there are, and which are ready for their renters."""

import time
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 120.0  # how long a renter waits for the jobs of others; then it shares the GPU until they end


@dataclass(frozen=True)
class Booking:
    """One booking as a heartbeat's response names it."""

    id: str
    gpus: int
    ready: bool


def parse(value: Any) -> list[Booking] | None:
    """Parse the `bookings` of a heartbeat's response; None when the response has no such list."""
    if not isinstance(value, list):
        return None
    entries = [entry for entry in value if isinstance(entry, dict) and entry.get("booking_id")]
    return [
        Booking(str(entry["booking_id"]), len(gpus) if isinstance(gpus, list) else 0, bool(entry.get("ready")))
        for entry in entries
        for gpus in [entry.get("gpu_ids")]
    ]


@dataclass
class Bookings:
    """The bookings known, and those that the next heartbeat reports as ready."""

    ready: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)

    def update(self, bookings: list[Booking] | None, *, gpus: int, other_jobs: int) -> bool:
        """Replace the known bookings; return True when one became ready, which is worth a heartbeat at once.

        `gpus` is how many devices this host offers, `other_jobs` how many running jobs belong to no booking. While
        a GPU is free those jobs may stay on it; otherwise a renter waits for their end, at most PATIENCE_SECONDS.
        """
        if bookings is None:
            return False
        now = time.monotonic()
        self._since = {booking.id: self._since.get(booking.id, now) for booking in bookings}
        free = gpus - sum(booking.gpus for booking in bookings)
        usable = {
            booking.id
            for booking in bookings
            if free > 0 or not other_jobs or now - self._since[booking.id] > PATIENCE_SECONDS
        }
        unconfirmed = {booking.id for booking in bookings if not booking.ready}
        previous, self.ready = self.ready, unconfirmed & (self.ready | usable)
        return bool(self.ready - previous)

    def ready_ids(self) -> list[str]:
        """Return the ids of the bookings to report as ready, sorted."""
        return sorted(self.ready)


def gpu_uuids(job: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the UUIDs of the GPUs a job may use; None means any, an empty tuple none (the processor is booked)."""
    uuids = job.get("gpu_uuids")
    return tuple(str(uuid) for uuid in uuids) if isinstance(uuids, list) else None


def is_booked(job: dict[str, Any]) -> bool:
    """Return whether a job belongs to a booking."""
    return bool(job.get("booking_id"))

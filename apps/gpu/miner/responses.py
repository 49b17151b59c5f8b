"""What the exchange says in its answer to a heartbeat, read with the distrust due to any network."""

from dataclasses import dataclass
from typing import Any

from apps.gpu.miner import bookings
from apps.gpu.miner.bookings import Booking


@dataclass(frozen=True)
class Orders:
    """The rhythm to keep, jobs to stop, jobs to save, and the leases we hold (None: it did not say)."""

    heartbeat_seconds: float | None
    poll_seconds: float | None
    cancel: frozenset[str]
    checkpoint: frozenset[str]
    held: frozenset[tuple[str, int | None]] | None
    attention: int | None = None
    bookings: list[Booking] | None = None
    scans: tuple[str, ...] = ()  # orders to look at our cards again


def read(answer: Any) -> Orders:
    """Read an answer; whatever is not understood counts as not said."""
    said = answer if isinstance(answer, dict) else {}
    leases = said.get("leases")
    pairs = [(str(one.get("job_id")), one.get("attempt")) for one in leases] if isinstance(leases, list) else None
    return Orders(
        heartbeat_seconds=_seconds(said.get("heartbeat_seconds"), 0.1),
        poll_seconds=_seconds(said.get("poll_seconds"), 0.0),
        cancel=_ids(said.get("cancel")),
        checkpoint=_ids(said.get("checkpoint")),
        held=None if pairs is None else frozenset(pairs),
        attention=_count(said.get("attention")),
        bookings=bookings.read(said.get("bookings")),
        scans=_scans(said.get("orders")),
    )


def _seconds(value: Any, least: float) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), least), 300.0) if good else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _scans(value: Any) -> tuple[str, ...]:
    told = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tuple(str(one["order_id"]) for one in told if one.get("kind") == "scan" and one.get("order_id"))


def _ids(value: Any) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()

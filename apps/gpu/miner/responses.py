"""The exchange's response to a heartbeat, parsed without trust in what came over the network."""

from dataclasses import dataclass
from typing import Any

from apps.gpu.logic.encoding import MAX_INTEGER
from apps.gpu.miner import bookings
from apps.gpu.miner.bookings import Booking


@dataclass(frozen=True)
class HeartbeatResponse:
    """Intervals to keep, jobs to cancel or checkpoint, the leases that this miner has; None: not in the response."""

    heartbeat_seconds: float | None
    poll_seconds: float | None
    cancel: frozenset[str]
    checkpoint: frozenset[str]
    leases: frozenset[tuple[str, int | None]] | None
    attention: int | None = None
    bookings: list[Booking] | None = None
    scans: tuple[str, ...] = ()  # ids of commands to detect the GPUs again
    commands: tuple[dict[str, Any], ...] = ()  # every command, scans among them


def parse(response: Any) -> HeartbeatResponse:
    """Parse a response; a member that is missing or of the wrong kind counts as not sent."""
    members = response if isinstance(response, dict) else {}
    commands = _commands(members.get("orders"))
    return HeartbeatResponse(
        heartbeat_seconds=seconds(members.get("heartbeat_seconds"), 0.1),
        poll_seconds=seconds(members.get("poll_seconds"), 0.0),
        cancel=_ids(members.get("cancel")),
        checkpoint=_ids(members.get("checkpoint")),
        leases=_leases(members.get("leases")),
        attention=count(members.get("attention")),
        bookings=bookings.parse(members.get("bookings")),
        scans=tuple(str(command["order_id"]) for command in commands if command.get("kind") == "scan"),
        commands=commands,
    )


def seconds(value: Any, minimum: float) -> float | None:
    """Return a duration of at least the minimum and at most 300 s; None for what is no number."""
    valid = isinstance(value, int | float) and not isinstance(value, bool) and value == value  # NaN is not
    return float(min(max(value, minimum), 300.0)) if valid else None


def count(value: Any) -> int | None:
    """Return a whole number that is not negative, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER else None


def _leases(value: Any) -> frozenset[tuple[str, int | None]] | None:
    if not isinstance(value, list):
        return None
    entries = [entry for entry in value if isinstance(entry, dict) and "job_id" in entry]
    return frozenset((str(entry["job_id"]), count(entry.get("attempt"))) for entry in entries)


def _commands(value: Any) -> tuple[dict[str, Any], ...]:
    entries = value if isinstance(value, list) else []
    return tuple(entry for entry in entries if isinstance(entry, dict) and entry.get("order_id"))


def _ids(value: Any) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()

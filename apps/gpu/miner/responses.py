"""The exchange's response to a heartbeat, parsed without trust in what came over the network."""

from dataclasses import dataclass
from typing import Any

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
        heartbeat_seconds=_seconds(members.get("heartbeat_seconds"), 0.1),
        poll_seconds=_seconds(members.get("poll_seconds"), 0.0),
        cancel=_ids(members.get("cancel")),
        checkpoint=_ids(members.get("checkpoint")),
        leases=_leases(members.get("leases")),
        attention=_count(members.get("attention")),
        bookings=bookings.parse(members.get("bookings")),
        scans=tuple(str(command["order_id"]) for command in commands if command.get("kind") == "scan"),
        commands=commands,
    )


def _seconds(value: Any, minimum: float) -> float | None:
    valid = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), minimum), 300.0) if valid else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _leases(value: Any) -> frozenset[tuple[str, int | None]] | None:
    if not isinstance(value, list):
        return None
    return frozenset((str(entry.get("job_id")), entry.get("attempt")) for entry in value)


def _commands(value: Any) -> tuple[dict[str, Any], ...]:
    entries = value if isinstance(value, list) else []
    return tuple(entry for entry in entries if isinstance(entry, dict) and entry.get("order_id"))


def _ids(value: Any) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()

"""Why a job ended without a result, as codes that clients read."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The reason; each deadline has a code of its own."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CANCELLED_BEFORE_START = "cancelled_before_start"
    CANCELLED_AFTER_START = "cancelled_after_start"
    DELETED = "deleted_by_operator"
    QUEUE_TIMEOUT = "queue_timeout"
    START_TIMEOUT = "start_timeout"
    HEARTBEAT_TIMEOUT = "heartbeat_timeout"
    EXECUTION_TIMEOUT = "execution_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    BAD_INPUT = "bad_input"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_ERROR = "engine_error"
    INFERENCE_FAILED = "inference_failed"
    REFUSED_BY_MINER = "refused_by_miner"
    CANCELLED_BY_MINER = "cancelled_by_miner"
    DRAINING = "draining"
    MINER_GONE = "miner_gone"
    PLATFORM_FAULT = "platform_fault"
    UNKNOWN = "unknown"


_LEASE_CODES = {"refused": Outcome.REFUSED_BY_MINER, "cancelled": Outcome.CANCELLED_BY_MINER}


def outcome_of(code: str) -> Outcome:
    """Return the outcome for the error code, in either case, of a failed or expired lease; UNKNOWN for any other."""
    name = code.lower()
    if name in _LEASE_CODES:
        return _LEASE_CODES[name]
    return Outcome(name) if name in set(Outcome) else Outcome.UNKNOWN

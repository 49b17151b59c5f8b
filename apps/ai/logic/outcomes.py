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
    BAD_INPUT = "bad_input"  # found so by the exchange, or by miners of two owners
    BAD_INPUT_UNPROVEN = "bad_input_unproven"  # one miner says so
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_ERROR = "engine_error"
    INFERENCE_FAILED = "inference_failed"
    REFUSED_BY_MINER = "refused_by_miner"
    CANCELLED_BY_MINER = "cancelled_by_miner"
    DRAINING = "draining"
    MINER_GONE = "miner_gone"
    PLATFORM_FAULT = "platform_fault"
    UNKNOWN = "unknown"


# Codes are a miner's word: none of them leads to an outcome for which its client pays.
_OF_LEASES = {
    "bad_input": Outcome.BAD_INPUT_UNPROVEN,
    "refused": Outcome.REFUSED_BY_MINER,
    "cancelled": Outcome.CANCELLED_BY_MINER,
    **{
        str(outcome): outcome
        for outcome in (
            Outcome.START_TIMEOUT, Outcome.HEARTBEAT_TIMEOUT, Outcome.EXECUTION_TIMEOUT, Outcome.OUT_OF_MEMORY,
            Outcome.ENGINE_ERROR, Outcome.INFERENCE_FAILED, Outcome.DRAINING, Outcome.MINER_GONE,
        )
    },
}  # fmt: skip


def outcome_of(code: str) -> Outcome:
    """Return the outcome for the error code, in either case, of a failed or expired lease; UNKNOWN for any other."""
    return _OF_LEASES.get(code.lower(), Outcome.UNKNOWN)

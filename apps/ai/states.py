"""A job's life as data: the page to read first. ai alone decides; gpu and trading report facts."""

from __future__ import annotations

from django.db.models import TextChoices

from aitbc.core.states import Transitions, finals_of


class JobState(TextChoices):
    """Where a job stands."""

    SUBMITTED = "submitted"  # accepted; its money is not yet held
    QUEUED = "queued"  # waits for a miner
    RUNNING = "running"  # a miner holds its lease
    SUCCEEDED = "succeeded"  # a result is stored; the miner is not yet paid
    SETTLED = "settled"  # paid for, receipt issued
    FAILED = "failed"  # its input cannot be computed
    CANCELLED = "cancelled"  # by its owner or an operator
    EXPIRED = "expired"  # a deadline of its own passed
    DEAD = "dead"  # every attempt was lost
    REFUSED = "refused"  # its owner could not pay


JOB_TRANSITIONS: Transitions = {
    JobState.SUBMITTED: {JobState.QUEUED, JobState.REFUSED, JobState.CANCELLED, JobState.EXPIRED, JobState.FAILED},
    JobState.QUEUED: {JobState.RUNNING, JobState.CANCELLED, JobState.EXPIRED, JobState.FAILED, JobState.DEAD},
    JobState.RUNNING: {
        JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED, JobState.DEAD,
    },
    JobState.SUCCEEDED: {JobState.SETTLED},
    JobState.SETTLED: set(),
    JobState.FAILED: set(),
    JobState.CANCELLED: set(),
    JobState.EXPIRED: set(),
    JobState.DEAD: set(),
    JobState.REFUSED: set(),
}  # fmt: skip

FINAL = finals_of(JOB_TRANSITIONS)
ENDED_WITHOUT_RESULT = [JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED, JobState.DEAD]
WITH_RESULT = [JobState.SUCCEEDED, JobState.SETTLED]

# What takes a job out of a state in which nobody acts: sweeps by deadline, reconciliation for the last step.
JANITORS = {
    JobState.SUBMITTED: "apps.ai.tasks.expire_overdue",
    JobState.QUEUED: "apps.ai.tasks.expire_overdue",
    JobState.RUNNING: "apps.ai.tasks.expire_overdue",
    JobState.SUCCEEDED: "apps.ai.tasks.reconcile",
}


class PaymentStatus(TextChoices):
    """What the job's owner sees of the money; trading owns the truth."""

    NONE = "none"
    PENDING = "pending"
    HELD = "held"
    REFUSED = "refused"
    SETTLED = "settled"
    REFUNDED = "refunded"


class Outcome(TextChoices):
    """Why a job ended without a result; each deadline has a code of its own."""

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


_REPORTED = {"refused": Outcome.REFUSED_BY_MINER, "cancelled": Outcome.CANCELLED_BY_MINER}


def outcome_of(code: str) -> Outcome:
    """Translate the code of a lost lease (gpu's word) into a job's outcome."""
    word = code.lower()
    if word in _REPORTED:
        return _REPORTED[word]
    return Outcome(word) if word in Outcome.values else Outcome.UNKNOWN

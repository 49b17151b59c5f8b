"""The states of a job and the transitions between them; the module to read first.

ai alone decides a job's state; gpu and trading report facts. Why a job ended is in logic/outcomes.py.
"""

from __future__ import annotations

from django.db.models import TextChoices

from aitbc.core.states import Transitions, finals_of


class JobState(TextChoices):
    """Where a job stands."""

    SUBMITTED = "submitted"  # accepted; the payment is not yet held
    QUEUED = "queued"  # waits for a miner
    RUNNING = "running"  # a miner holds its lease
    CANCELLING = "cancelling"  # to be ended; gpu answers what ran, or that a result came first
    SUCCEEDED = "succeeded"  # a result is stored; the miner is not yet paid
    SETTLED = "settled"  # paid for, receipt issued
    FAILED = "failed"  # its input cannot be computed
    CANCELLED = "cancelled"  # by its owner or an operator
    EXPIRED = "expired"  # a deadline of its own passed
    DEAD = "dead"  # every attempt was lost
    REFUSED = "refused"  # its owner could not pay


JOB_TRANSITIONS: Transitions = {
    JobState.SUBMITTED: {JobState.QUEUED, JobState.REFUSED, JobState.CANCELLED, JobState.EXPIRED, JobState.FAILED},
    JobState.QUEUED: {JobState.RUNNING, JobState.CANCELLING},
    JobState.RUNNING: {JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLING, JobState.DEAD},
    JobState.CANCELLING: {JobState.SUCCEEDED, JobState.CANCELLED, JobState.EXPIRED},
    JobState.SUCCEEDED: {JobState.SETTLED},
    JobState.SETTLED: set(),
    JobState.FAILED: set(),
    JobState.CANCELLED: set(),
    JobState.EXPIRED: set(),
    JobState.DEAD: set(),
    JobState.REFUSED: set(),
}  # fmt: skip

FINAL = finals_of(JOB_TRANSITIONS)
KNOWN_TO_GPU = [JobState.QUEUED, JobState.RUNNING]
WAITING_FOR_A_DEADLINE = [JobState.SUBMITTED, *KNOWN_TO_GPU, JobState.CANCELLING]
ENDED_WITHOUT_RESULT = [JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED, JobState.DEAD]
WITH_RESULT = [JobState.SUCCEEDED, JobState.SETTLED]


class PaymentStatus(TextChoices):
    """A job's payment as its owner sees it; the authoritative state is trading's."""

    NONE = "none"
    PENDING = "pending"
    HELD = "held"
    REFUSED = "refused"
    SETTLED = "settled"
    REFUNDED = "refunded"


OPEN_PAYMENTS = [PaymentStatus.PENDING, PaymentStatus.HELD]


class PriceSource(TextChoices):
    """Who set the ceiling of what a job may cost per hour."""

    CLIENT = "client"
    MARKET = "market"

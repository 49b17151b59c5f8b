"""Invariants of job payments (docs/ledger.md): I16 and I17 hold at every instant, I18 at rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import each_chunk, invariant
from aitbc.core.money import fee_of
from apps.ai.interface import JobView, job_views
from apps.trading.models import Escrow, Payment
from apps.trading.states import PaymentState

LIMIT = 100


def rows(statement: str) -> Iterator[tuple[Any, ...]]:
    """The first LIMIT rows of a query."""
    with cursor(Payment) as sql:
        sql.execute(statement)
        yield from sql.fetchmany(LIMIT)


TWICE_RESOLVED = """
SELECT pending_id, count(*) FROM trading_transfer WHERE pending_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1
"""
STATE_AGAINST_HOLD = """
SELECT p.job_id, p.state FROM trading_payment p
LEFT JOIN trading_transfer h ON h.id = p.hold_id
LEFT JOIN trading_transfer r ON r.pending_id = p.hold_id
WHERE p.hold_id IS NOT NULL AND (
  h.id IS NULL OR h.amount <> p.amount OR h.ref IS DISTINCT FROM p.job_id
  OR (p.state = 'held') <> (r.id IS NULL) OR p.state = 'refused')
"""
ORPHANED_HOLDS = """
SELECT t.id FROM trading_transfer t LEFT JOIN trading_payment p ON p.hold_id = t.id
WHERE t.code = 'hold' AND p.id IS NULL
"""


@invariant("I16", db="trading")
def holds_resolve_once() -> Iterable[str]:
    """Every hold is resolved at most once, exactly when its payment has ended."""
    for pk, times in rows(TWICE_RESOLVED):
        yield f"hold {pk} was resolved {times} times"
    for job_id, state in rows(STATE_AGAINST_HOLD):
        yield f"payment of job {job_id} is {state}, which its hold contradicts"
    for (pk,) in rows(ORPHANED_HOLDS):
        yield f"hold {pk} belongs to no payment"


# A booking pays a fee with every slice: its fees are judged by T9.
PAID_TWICE = """
SELECT ref, code, count(*) FROM trading_transfer t
WHERE code IN ('payout', 'fee', 'capture', 'release') AND ref IS NOT NULL
  AND NOT EXISTS (SELECT FROM trading_escrow e WHERE e.booking_id = t.ref)
GROUP BY 1, 2 HAVING count(*) > 1
"""
PARTS = """
SELECT p.job_id FROM trading_payment p LEFT JOIN (
  SELECT ref, sum(amount) FILTER (WHERE code = 'payout') AS paid, sum(amount) FILTER (WHERE code = 'fee') AS fee,
         sum(amount) FILTER (WHERE code = 'capture') AS captured
  FROM trading_transfer WHERE ref IS NOT NULL GROUP BY ref
) t ON t.ref = p.job_id
WHERE p.state IN ('settled', 'refunded') AND (
    p.paid::numeric + p.fee + p.refunded <> p.amount OR coalesce(t.paid, 0) <> p.paid OR coalesce(t.fee, 0) <> p.fee
    OR coalesce(t.captured, 0) <> p.paid::numeric + p.fee)
  OR p.state IN ('held', 'refused') AND coalesce(t.paid, t.fee, t.captured) IS NOT NULL
"""
PAID_FOR_NOTHING = """
SELECT t.ref, t.code FROM trading_transfer t LEFT JOIN trading_payment p ON p.job_id = t.ref
LEFT JOIN trading_escrow e ON e.booking_id = t.ref AND t.code = 'fee'
WHERE t.code IN ('payout', 'fee', 'capture', 'release') AND p.id IS NULL AND e.id IS NULL
"""


@invariant("I17", db="trading")
def nothing_is_paid_twice() -> Iterable[str]:
    """No job is paid twice; what was paid, the fee and the refund are exactly the amount held."""
    for job_id, code, times in rows(PAID_TWICE):
        yield f"job {job_id} has {times} transfers of {code}"
    for (job_id,) in rows(PARTS):
        yield f"the parts of the payment of job {job_id} do not add up to its transfers"
    for job_id, code in rows(PAID_FOR_NOTHING):
        yield f"{code} for {job_id}, which has no payment"


@invariant("I17b", db="trading")
def fees_are_the_agreed_share() -> Iterable[str]:
    """The fee is the share of what the client or renter paid that was agreed when the money was held, half to even."""
    yield from each_chunk(Payment.objects.filter(paid__gt=0), jobs_with_another_fee)
    yield from each_chunk(Escrow.objects.filter(paid__gt=0), bookings_with_another_fee)


def jobs_with_another_fee(payments: list[Payment]) -> Iterator[str]:
    for payment in payments:
        if payment.fee != fee_of(payment.paid + payment.fee, payment.fee_bp):
            yield f"the fee of job {payment.job_id} is {payment.fee}, not {payment.fee_bp} basis points of it"


def bookings_with_another_fee(escrows: list[Escrow]) -> Iterator[str]:
    for escrow in escrows:
        if escrow.fee != fee_of(escrow.paid + escrow.fee, escrow.fee_bp):
            yield f"the fee of booking {escrow.booking_id} is {escrow.fee}, not {escrow.fee_bp} basis points of it"


@invariant("I16", db="trading", quiescent=True)
def no_ended_job_holds_money() -> Iterable[str]:
    """A job that is over has no open hold."""
    yield from each_chunk(Payment.objects.held(), held_after_the_end)


def held_after_the_end(payments: list[Payment]) -> Iterator[str]:
    for payment, job in with_jobs(payments):
        if job.final:
            yield f"job {payment.job_id} is {job.state}, but its money is still held"


#: Whether a job's state agrees with the state of its payment.
AGREES: dict[str, Callable[[JobView], bool]] = {
    PaymentState.SETTLED: lambda job: job.state == "settled",
    PaymentState.REFUNDED: lambda job: job.final and job.state not in ("settled", "refused"),
    PaymentState.REFUSED: lambda job: job.final and job.state != "settled",
}


@invariant("I18", db="trading", quiescent=True)
def paid_means_done() -> Iterable[str]:
    """A payment is settled exactly when its job succeeded, and refunded when it ended otherwise."""
    yield from each_chunk(Payment.objects.exclude(state=PaymentState.HELD), unlike_their_jobs)


def unlike_their_jobs(payments: list[Payment]) -> Iterator[str]:
    for payment, job in with_jobs(payments):
        if not AGREES[payment.state](job):
            yield f"job {payment.job_id} is {job.state}, its payment {payment.state}"


def with_jobs(payments: list[Payment]) -> list[tuple[Payment, JobView]]:
    """Payments with their jobs as ai has them; deleted jobs are left out."""
    jobs = job_views(payment.job_id for payment in payments)
    return [(payment, jobs[payment.job_id]) for payment in payments if payment.job_id in jobs]

"""Invariants of what receipts state (docs/receipts.md): I24b at every instant, I24c and I24d at rest.

A receipt may be signed, logged and false: these compare it with the transfers, the job and the lease that it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from aitbc.core.db import cursor
from aitbc.core.invariants import each_chunk, invariant
from aitbc.core.money import format_amount, metered, parse_amount
from apps.ai.events import JobCompleted, JobEnded
from apps.ai.interface import final_facts
from apps.gpu.interface import LeaseRecord, lease_records
from apps.trading.logic.commitments import Opening, input_hash, output_hash
from apps.trading.logic.settlement import COMPLETED, Split
from apps.trading.models import Escrow, Payment, Receipt, Transfer
from apps.trading.services import ledger, payments, receipts
from apps.trading.services.payment_endings import Closing
from apps.trading.states import CURRENCY

LIMIT = 100
SHARED_ALIASES = """
SELECT body->>'client' FROM trading_receipt GROUP BY 1 HAVING count(DISTINCT owner_id) > 1
UNION ALL
SELECT body->>'provider' FROM trading_receipt GROUP BY 1 HAVING count(DISTINCT provider_id) > 1
UNION ALL
SELECT body->>'miner' FROM trading_receipt WHERE body->>'miner' <> '' GROUP BY 1 HAVING count(DISTINCT miner_id) > 1
"""


@invariant("I24b", db="trading")
def receipts_state_what_was_paid() -> Iterable[str]:
    """A receipt states what its transfers moved, at its rate, and what its opening opens; an alias is of one id."""
    yield from each_chunk(Receipt.objects.of_jobs(), false_of_jobs)
    yield from each_chunk(Receipt.objects.of_bookings(), false_of_slices)
    with cursor(Receipt) as sql:
        sql.execute(SHARED_ALIASES)
        for (name,) in sql.fetchmany(LIMIT):
            yield f"the alias {name} is on receipts of different owners"


def false_of_jobs(found: list[Receipt]) -> Iterator[str]:
    paid = payments_by_job(found)
    for receipt in found:
        yield from false_of_job(receipt, paid.get(receipt.subject_id))


def payments_by_job(found: list[Receipt]) -> dict[UUID, Payment]:
    return {payment.job_id: payment for payment in Payment.objects.for_jobs([r.subject_id for r in found])}


def false_of_slices(found: list[Receipt]) -> Iterator[str]:
    moved = Transfer.objects.in_bulk([pk for receipt in found for pk in slice_transfers(receipt)])
    escrows = {e.booking_id: e for e in Escrow.objects.of_bookings(r.subject_id for r in found)}
    for receipt in found:
        yield from false_of_slice(receipt, escrows.get(receipt.subject_id), moved)


def false_of_job(receipt: Receipt, payment: Payment | None) -> Iterator[str]:
    """Yield what is false in the receipt of a job, by its payment and its own opening; I24 misses the payment."""
    if payment is not None:
        if parties_of(receipt) != (payment.owner_id, payment.provider_id, payment.miner_id):
            yield f"receipt {receipt.pk} is of other parties than its payment"
        worth = metered(parse_amount(receipt.body["rate"]), receipt.body["metered_ms"])
        if min(worth, payment.amount) != payment.paid + payment.fee:
            yield f"receipt {receipt.pk} states a rate and a time that do not come to what was paid"
        yield from stated_otherwise(receipt, amounts_of(payment), "its payment")
    if receipt.opening is None:
        yield f"receipt {receipt.pk} has no opening: its owner cannot prove what was read and written"
    else:
        hashes = {"input_hash": input_hash(receipt.opening), "output_hash": output_hash(receipt.opening)}
        yield from stated_otherwise(receipt, hashes, "its opening")


def false_of_slice(receipt: Receipt, escrow: Escrow | None, moved: Mapping[UUID, Transfer]) -> Iterator[str]:
    """Yield what is false in the receipt of a slice, by its escrow and its transfers."""
    if receipt.opening is not None:
        yield f"receipt {receipt.pk} is of a slice and has an opening"
    if escrow is None or parties_of(receipt) != (escrow.renter_id, escrow.provider_id, None):
        yield f"receipt {receipt.pk} is of other parties than its booking"
    paid, fee = (moved[pk].amount if pk in moved else 0 for pk in slice_transfers(receipt))
    stated = {"price": format_amount(paid + fee), "fee": format_amount(fee), "currency": CURRENCY}
    yield from stated_otherwise(receipt, stated, "its transfers")


def parties_of(receipt: Receipt) -> tuple[UUID, UUID, UUID | None]:
    """Return who paid, who was paid, and the miner."""
    return receipt.owner_id, receipt.provider_id, receipt.miner_id


def amounts_of(payment: Payment) -> dict[str, Any]:
    """Return the amounts that the receipt of a job is to state, by its payment."""
    return {
        "price": format_amount(payment.paid + payment.fee),
        "fee": format_amount(payment.fee),
        "refunded": format_amount(payment.refunded),
        "currency": CURRENCY,
    }


def slice_transfers(receipt: Receipt) -> list[UUID]:
    """Return the ids of the transfers of a slice: to the provider, and the fee."""
    return [ledger.name(f"{what}:{receipt.booking_id}:{receipt.slice}") for what in ("accrue", "fee")]


@invariant("I24c", db="trading", quiescent=True)
def receipts_state_what_the_job_did() -> Iterable[str]:
    """The receipt of a job states what ai recorded of it: outcome, attempt, rate, time, input and result."""
    yield from each_chunk(Receipt.objects.of_jobs(), unlike_their_jobs)


def unlike_their_jobs(found: list[Receipt]) -> Iterator[str]:
    facts, paid = final_facts(receipt.subject_id for receipt in found), payments_by_job(found)
    for receipt in found:
        fact, payment = facts.get(receipt.subject_id), paid.get(receipt.subject_id)
        if fact is None or payment is None:
            yield f"receipt {receipt.pk} is of job {receipt.subject_id}, which has not ended or has no payment"
            continue
        yield from stated_otherwise(receipt, by_job(receipt, payment, fact), "its job")
        if (str(receipt.provider_id), str(receipt.miner_id)) != (fact.provider_id, fact.miner_id):
            yield f"receipt {receipt.pk} is of another miner than its job"


def by_job(receipt: Receipt, payment: Payment, fact: JobCompleted | JobEnded) -> dict[str, Any]:
    """Return what the receipt of a job is to state, by the fact of its end, but for the provider's alias (I24b)."""
    parts = Split(payment.paid, payment.fee, payment.refunded)
    closing = Closing(payment, parts, receipt.provider_id, receipt.miner_id)
    if isinstance(fact, JobCompleted):
        settled = payments.settlement_of(closing, fact)
    else:
        settled = payments.metered_part_of(closing, fact)
    return {name: value for name, value in receipts.body_of(receipt, settled).items() if name != "provider"}


@invariant("I24d", db="trading", quiescent=True)
def receipts_state_what_the_lease_was() -> Iterable[str]:
    """The receipt of a job states the rate and miner of its lease and, with a result, the lease's time and result."""
    yield from each_chunk(Receipt.objects.of_jobs(), unlike_their_leases)


def unlike_their_leases(found: list[Receipt]) -> Iterator[str]:
    leases = lease_records(receipt.subject_id for receipt in found)
    for receipt in found:
        lease = leases.get((receipt.subject_id, receipt.body["attempt"]))
        if lease is None:
            yield f"receipt {receipt.pk} is of attempt {receipt.body['attempt']}, which had no lease"
            continue
        yield from stated_otherwise(receipt, by_lease(receipt, lease), "its lease")
        if (receipt.provider_id, receipt.miner_id) != (lease.provider_id, lease.miner_id):
            yield f"receipt {receipt.pk} is of another miner than its lease"


def by_lease(receipt: Receipt, lease: LeaseRecord) -> dict[str, Any]:
    """Return what the receipt of a job is to state, by its lease."""
    stated: dict[str, Any] = {"rate": format_amount(lease.rate)}
    if receipt.body["outcome"] == COMPLETED:
        stated["metered_ms"] = max(0, lease.metered_ms)
        stated |= {"started": lease.granted_at, "ended": lease.ended_at}
        if receipt.opening:
            opening = cast("Opening", {**receipt.opening, "result_sha256": lease.result_sha256})
            stated["output_hash"] = output_hash(opening)
    return stated


def stated_otherwise(receipt: Receipt, expected: Mapping[str, Any], by: str) -> Iterator[str]:
    """Yield a line for a receipt whose body differs from these values, naming the fields."""
    differing = [name for name, value in expected.items() if not same(receipt.body.get(name), value)]
    if differing:
        yield f"receipt {receipt.pk} states another {', '.join(differing)} than {by}"


def same(stated: Any, value: Any) -> bool:
    """Return whether a stated value is this one; a time may be written in different ways."""
    return datetime.fromisoformat(stated) == value if isinstance(value, datetime) else stated == value

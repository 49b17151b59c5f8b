"""Payments of jobs: held at submission, settled when the job succeeded, refunded when it did not.

Every function takes a batch of facts, at most one per job; a fact seen before changes nothing and its outcome is
emitted again, so that other domains reconcile by repeating it. Lock order: payments, accounts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils import timezone

from aitbc.core import params
from aitbc.core.db import atomic
from aitbc.core.errors import Conflict
from aitbc.core.messaging import emit
from aitbc.core.states import begin
from apps.ai.interface import job_views
from apps.trading.events import PaymentHeld, PaymentRefunded, PaymentRefused, ReceiptIssued
from apps.trading.logic.commitments import Opening
from apps.trading.logic.settlement import COMPLETED, SettledPayment, Split, split
from apps.trading.models import LedgerAccount, Payment, Receipt
from apps.trading.services import ledger, receipts
from apps.trading.services.ledger import TransferRequest
from apps.trading.services.payment_endings import Closing, close
from apps.trading.states import AccountKind, Code, PaymentState, Phase

if TYPE_CHECKING:
    from apps.ai.events import JobCompleted, JobEnded, JobSubmitted

ACTOR = "system:payments"
SWEEP_ACTOR = "system:sweep"
#: No job lives this long; an older hold is reconciled with ai.
HOLD_TIME = timedelta(days=7)
NOTHING = Split(paid=0, fee=0, refunded=0)


def hold(events: Sequence[JobSubmitted]) -> None:
    """Hold the money of new jobs, in turn, as far as each client's available money goes.

    Emits PaymentHeld or PaymentRefused for every fact.
    """
    with atomic(Payment):
        known = payments_of(events)
        fresh = [event for event in events if UUID(event.job_id) not in known]
        payments = decide(fresh)
        ledger.post([hold_of(payment) for payment in payments if payment.hold_id], actor=ACTOR)
        begin(*payments, actor=ACTOR)
        announce_decisions([*known.values(), *payments])


def decide(events: Sequence[JobSubmitted]) -> list[Payment]:
    """Return unsaved payments, held or refused in turn by the owner's available money; the accounts stay locked."""
    owners = {UUID(event.owner_id) for event in events}
    accounts = ledger.lock(account for o in owners for account in (ledger.available_of(o), ledger.escrow_of(o)))
    left = {row.owner_id: row.available for row in accounts.values() if row.kind == AccountKind.AVAILABLE}
    payments = []
    for event in events:
        payment = new_payment(event)
        if event.amount > left[payment.owner_id]:
            payment.state, payment.hold_id = PaymentState.REFUSED, None
        else:
            left[payment.owner_id] -= event.amount
        payments.append(payment)
    return payments


def new_payment(event: JobSubmitted) -> Payment:
    """Return an unsaved, held payment at the fee of today."""
    now, job_id = timezone.now(), UUID(event.job_id)
    return Payment(
        job_id=job_id,
        owner_id=UUID(event.owner_id),
        amount=event.amount,
        hold_id=ledger.name(f"hold:{job_id}") if event.amount else None,
        fee_bp=params.get("market.fee_bp"),
        state=PaymentState.HELD,
        due_at=now + HOLD_TIME,
        created_at=now,
    )


def hold_of(payment: Payment) -> TransferRequest:
    """Return the pending transfer that sets a payment's amount aside."""
    return TransferRequest(
        id=ledger.name(f"hold:{payment.job_id}"),
        debit=ledger.available_of(payment.owner_id),
        credit=ledger.escrow_of(payment.owner_id),
        amount=payment.amount,
        code=Code.HOLD,
        phase=Phase.PENDING,
        timeout_at=payment.due_at,
        ref=payment.job_id,
    )


def announce_decisions(payments: Sequence[Payment]) -> None:
    """Emit PaymentHeld or PaymentRefused for payments in these states; ended ones are passed over."""
    held = [p for p in payments if p.state == PaymentState.HELD]
    refused = [p for p in payments if p.state == PaymentState.REFUSED]
    emit(*(PaymentHeld(job_id=str(p.job_id), payment_id=str(p.pk), amount=p.amount) for p in held), by="trading")
    if refused:
        owners = {p.owner_id for p in refused}
        accounts = LedgerAccount.objects.of_kind(AccountKind.AVAILABLE).filter(owner_id__in=owners)
        left = {account.owner_id: account.available for account in accounts}
        emit(
            *(
                PaymentRefused(job_id=str(p.job_id), needed=p.amount, available=left.get(p.owner_id, 0))
                for p in refused
            ),
            by="trading",
        )


def settle(events: Sequence[JobCompleted]) -> None:
    """Pay the providers of jobs that succeeded, take the fee, release the rest and issue the receipts.

    Emits ReceiptIssued. An unpaid job is settled with 0; a refunded one stays refunded. Raises Conflict for a paid job
    whose money was never held.
    """
    with atomic(Payment):
        known = payments_of(events)
        closings = [completed_closing(known[UUID(e.job_id)], e) for e in events if is_held(known.get(UUID(e.job_id)))]
        free = [unpaid_closing(event) for event in events if UUID(event.job_id) not in known]
        close(closings, PaymentState.SETTLED, actor=ACTOR, reason="job completed")
        begin(*(closing.payment for closing in free), actor=ACTOR, reason="job completed, nothing to pay")
        facts = {UUID(event.job_id): event for event in events}
        receipts.issue([settlement_of(closing, facts[closing.payment.job_id]) for closing in (*closings, *free)])
        announce_receipts(facts.keys())


def completed_closing(payment: Payment, event: JobCompleted) -> Closing:
    """Return how a completed job ends its held payment."""
    parts = split(amount=payment.amount, rate=event.rate, milliseconds=event.metered_ms, fee_bp=payment.fee_bp)
    return Closing(payment, parts, UUID(event.provider_id), UUID(event.miner_id))


def unpaid_closing(event: JobCompleted) -> Closing:
    """Return a settled payment of 0: every settled job has a payment. Raises Conflict for a job that has a price."""
    if event.paid:
        raise Conflict(f"Job {event.job_id} was completed, but its money was never held.")
    provider, miner = UUID(event.provider_id), UUID(event.miner_id)
    payment = Payment(
        job_id=UUID(event.job_id),
        owner_id=UUID(event.owner_id),
        state=PaymentState.SETTLED,
        ended_at=timezone.now(),
        provider_id=provider,
        miner_id=miner,
    )
    return Closing(payment, NOTHING, provider, miner)


def settlement_of(closing: Closing, event: JobCompleted) -> SettledPayment:
    """Return what the receipt of a completed job states."""
    payment, parts = closing.payment, closing.parts
    return SettledPayment(
        outcome=COMPLETED,
        job_id=payment.job_id,
        owner_id=payment.owner_id,
        provider_id=UUID(event.provider_id),
        miner_id=UUID(event.miner_id),
        task_type=event.task_type,
        model=event.model,
        attempt=event.attempt,
        rate=event.rate,
        metered_ms=event.metered_ms,
        started_at=event.started_at,
        ended_at=event.ended_at,
        opening=Opening(
            salt=event.salt,
            payload_sha256=event.payload_sha256,
            artifacts=event.artifacts,
            result_sha256=event.output_sha256,
        ),
        paid=parts.paid,
        fee=parts.fee,
        refunded=parts.refunded,
    )


def announce_receipts(job_ids: Collection[UUID]) -> None:
    """Emit ReceiptIssued for those of these jobs that are settled."""
    settled = {payment.job_id: payment for payment in Payment.objects.for_jobs(job_ids).settled()}
    issued = Receipt.objects.only("job_id").in_bulk(list(settled), field_name="job_id")
    emit(
        *(
            ReceiptIssued(
                job_id=str(job),
                receipt_id=str(receipt.pk),
                paid=settled[job].paid,
                fee=settled[job].fee,
                refunded=settled[job].refunded,
            )
            for job, receipt in issued.items()
        ),
        by="trading",
    )


def refund(events: Sequence[JobEnded]) -> None:
    """Release the money of jobs that ended without a result, less what is owed for metered work.

    What is paid has a receipt. Emits PaymentRefunded. A paid job that ended before its hold gets a refunded payment of
    0, so that its hold is not made when the request arrives later.
    """
    with atomic(Payment):
        known = payments_of(events)
        closings = [ended_closing(known[UUID(e.job_id)], e) for e in events if is_held(known.get(UUID(e.job_id)))]
        early = [ended_early(event) for event in events if event.paid and UUID(event.job_id) not in known]
        close(closings, PaymentState.REFUNDED, actor=ACTOR, reason="job ended")
        facts = {UUID(event.job_id): event for event in events}
        receipts.issue([metered_part_of(c, facts[c.payment.job_id]) for c in closings if c.parts.cost])
        begin(*early, actor=ACTOR, reason="job ended before its money was held")
        announce_refunds([UUID(event.job_id) for event in events])


def ended_closing(payment: Payment, event: JobEnded) -> Closing:
    """Return how a job without a result ends its held payment: metered work is paid when there is a provider."""
    billable = event.billable_ms if event.provider_id else 0
    parts = split(amount=payment.amount, rate=event.rate, milliseconds=billable, fee_bp=payment.fee_bp)
    if not parts.cost:
        return Closing(payment, parts)
    return Closing(payment, parts, UUID(event.provider_id), UUID(event.miner_id) if event.miner_id else None)


def metered_part_of(closing: Closing, event: JobEnded) -> SettledPayment:
    """Return what the receipt of a job states that ended without a result and whose metered part is paid."""
    assert closing.provider_id, "metered work has a provider"
    parts = closing.parts
    return SettledPayment(
        outcome=event.state,
        job_id=closing.payment.job_id,
        owner_id=closing.payment.owner_id,
        provider_id=closing.provider_id,
        miner_id=closing.miner_id,
        task_type=event.task_type,
        model=event.model,
        attempt=event.attempt,
        rate=event.rate,
        metered_ms=event.billable_ms,
        started_at=event.started_at,
        ended_at=event.ended_at,
        opening=Opening(
            salt=event.salt, payload_sha256=event.payload_sha256, artifacts=event.artifacts, result_sha256=""
        ),
        paid=parts.paid,
        fee=parts.fee,
        refunded=parts.refunded,
    )


def ended_early(event: JobEnded) -> Payment:
    """Return a refunded payment of 0 for a job whose money was not held yet."""
    return Payment(
        job_id=UUID(event.job_id), owner_id=UUID(event.owner_id), state=PaymentState.REFUNDED, ended_at=timezone.now()
    )


def announce_refunds(job_ids: Collection[UUID]) -> None:
    """Emit PaymentRefunded for those of these jobs that are refunded."""
    emit(
        *(
            PaymentRefunded(job_id=str(p.job_id), payment_id=str(p.pk), refunded=p.refunded, paid=p.paid, fee=p.fee)
            for p in Payment.objects.for_jobs(job_ids).refunded()
        ),
        by="trading",
    )


def release_overdue(*, limit: int = 100) -> int:
    """Refund overdue holds whose job has ended or is unknown to ai; the others are due again in HOLD_TIME.

    Looks at `limit` holds, oldest first; returns how many were refunded.
    """
    overdue = list(Payment.objects.overdue(timezone.now()).order_by("due_at", "pk").values_list("pk", "job_id")[:limit])
    jobs = job_views(job_id for _, job_id in overdue)
    over = {pk for pk, job_id in overdue if job_id not in jobs or jobs[job_id].final}
    with atomic(Payment):
        held = list(Payment.objects.held().filter(pk__in=[pk for pk, _ in overdue]).locked())
        closings = [Closing(p, replace(NOTHING, refunded=p.amount)) for p in held if p.pk in over]
        close(closings, PaymentState.REFUNDED, actor=SWEEP_ACTOR, reason="hold timed out")
        announce_refunds([closing.payment.job_id for closing in closings])
        Payment.objects.held().filter(pk__in=[p.pk for p in held]).update(due_at=timezone.now() + HOLD_TIME)
    return len(closings)


def payments_of(events: Sequence[Any]) -> dict[UUID, Payment]:
    """Return the payments of these events' jobs, locked, by job."""
    job_ids = [UUID(event.job_id) for event in events]
    return {payment.job_id: payment for payment in Payment.objects.for_jobs(job_ids).locked()}


def is_held(payment: Payment | None) -> bool:
    """Return whether the payment's money is still set aside."""
    return payment is not None and payment.state == PaymentState.HELD

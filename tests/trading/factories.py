"""Owners with money, facts of other domains, receipts and log entries for tests of trading."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from aitbc.core.db import atomic
from aitbc.core.ids import uuid7
from apps.ai.events import JobCompleted, JobEnded, JobSubmitted
from apps.marketplace.events import BookingClosed, BookingMetered, BookingRequested
from apps.trading.logic.commitments import Opening
from apps.trading.logic.settlement import SettledPayment
from apps.trading.models import LedgerAccount, LogEntry, Receipt
from apps.trading.services import deposits, ledger, log, receipts
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import Code
from tests.owners import new_owner

HOUR = 3_600_000
OPENING: Opening = {"salt": "5" * 64, "payload_sha256": "a" * 64, "artifacts": [], "result_sha256": "b" * 64}
RENT = 1_000_000


def funded(amount: int) -> UUID:
    """A new owner with this much money."""
    owner = new_owner()
    deposits.deposit(owner_id=owner, amount=amount, reason="test", actor="operator:test")
    return owner


def account_id(account: ledger.Account) -> UUID:
    """The random id of an account that exists."""
    return LedgerAccount.objects.all_with_keys([(account.owner_id, account.kind, account.shard)]).get().pk


def transfer(debit: UUID, credit: UUID, amount: int, **more: Any) -> TransferRequest:
    fields = {"id": uuid7(), "code": Code.DEPOSIT, **more}
    return TransferRequest(
        debit=ledger.available_of(debit), credit=ledger.available_of(credit), amount=amount, **fields
    )


def submitted(owner: UUID, amount: int, job: UUID | None = None) -> JobSubmitted:
    return JobSubmitted(job_id=str(job or uuid7()), owner_id=str(owner), amount=amount)


def completed(start: JobSubmitted | None, provider: UUID, **changes: Any) -> JobCompleted:
    """The job was done in half an hour at 1 AIT per hour."""
    job, owner = (start.job_id, start.owner_id) if start else (str(uuid7()), str(uuid4()))
    fact = {
        "job_id": job, "owner_id": owner, "task_type": "benchmark", "model": "", "miner_id": str(uuid4()),
        "provider_id": str(provider), "attempt": 1, "rate": 1_000_000, "metered_ms": HOUR // 2,
        "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:30:00Z",
        "salt": "5" * 64, "payload_sha256": "a" * 64, "artifacts": [], "output_sha256": "b" * 64,
        "paid": start is not None,
    }  # fmt: skip
    return JobCompleted(**{**fact, **changes})


def ended(start: JobSubmitted, **changes: Any) -> JobEnded:
    """The job was cancelled before anybody worked for it."""
    fact = {
        "job_id": start.job_id, "owner_id": start.owner_id, "state": "cancelled", "code": "cancelled", "miner_id": None,
        "provider_id": None, "rate": 0, "billable_ms": 0, "paid": True, "task_type": "benchmark", "attempt": 1,
        "salt": "5" * 64, "payload_sha256": "a" * 64,
    }  # fmt: skip
    return JobEnded(**{**fact, **changes})


def booking_requested(renter: UUID, provider: UUID, amount: int = RENT, **more: Any) -> BookingRequested:
    members = {"booking_id": str(uuid4()), "bond": 0, "fee_bp": 300, **more}
    return BookingRequested(renter_id=str(renter), provider_id=str(provider), amount=amount, **members)


def booking_metered(fact: BookingRequested, seq: int, owed: int) -> BookingMetered:
    return BookingMetered(booking_id=fact.booking_id, seq=seq, amount=0, owed=owed, until="")


def booking_closed(fact: BookingRequested, owed: int = 0, slices: int = 0, **more: Any) -> BookingClosed:
    members = {"outcome": "ended", "compensation": 0, "at": "", "miner_id": "", "gpu_ids": [], **more}
    return BookingClosed(
        booking_id=fact.booking_id, renter_id=fact.renter_id, provider_id=fact.provider_id, slices=slices, owed=owed,
        **members,
    )  # fmt: skip


def settlement(**changes: object) -> SettledPayment:
    """Half an hour at 1 AIT per hour, 3 % fee."""
    fact: dict[str, object] = {
        "outcome": "completed", "job_id": uuid7(), "owner_id": uuid4(), "provider_id": uuid4(), "miner_id": uuid4(),
        "task_type": "embedding", "model": "wordllama · l2", "attempt": 1, "rate": 1_000_000, "metered_ms": 1_800_000,
        "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:30:00Z",
        "opening": OPENING, "paid": 485_000, "fee": 15_000, "refunded": 200_000,
    }  # fmt: skip
    return SettledPayment(**{**fact, **changes})  # type: ignore[arg-type]


def issued(count: int = 1) -> list[Receipt]:
    with atomic(Receipt):
        return receipts.issue([settlement() for _ in range(count)])


def logged(count: int) -> list[str]:
    """So many entries of no particular meaning."""
    with atomic(LogEntry):
        return log.append("anchor", [{"n": n, "id": str(uuid7())} for n in range(count)])

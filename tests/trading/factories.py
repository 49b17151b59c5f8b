"""Facts and funds for tests of money."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from aitbc.core.ids import uuid7
from apps.ai.events import JobCompleted, JobEnded, JobSubmitted
from apps.trading.interface import available
from apps.trading.models import LedgerAccount, Outbox
from apps.trading.services import deposits, ledger
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import Code

HOUR = 3_600_000


def funded(amount: int) -> UUID:
    """A new owner with this much money."""
    owner = uuid4()
    deposits.deposit(owner_id=owner, amount=amount, reason="test", actor="operator:test")
    return owner


def transfer(debit: UUID, credit: UUID, amount: int, **more: Any) -> TransferRequest:
    given = {"id": uuid7(), "code": Code.DEPOSIT, **more}
    return TransferRequest(debit=ledger.available_of(debit), credit=ledger.available_of(credit), amount=amount, **given)


def submitted(owner: UUID, amount: int, job: UUID | None = None) -> JobSubmitted:
    return JobSubmitted(job_id=str(job or uuid7()), owner_id=str(owner), amount=amount)


def completed(start: JobSubmitted | None, provider: UUID, **changes: Any) -> JobCompleted:
    """The job was done in half an hour at 1 AIT per hour."""
    job, owner = (start.job_id, start.owner_id) if start else (str(uuid7()), str(uuid4()))
    fact = {
        "job_id": job, "owner_id": owner, "task_type": "benchmark", "model": "", "miner_id": str(uuid4()),
        "provider_id": str(provider), "attempt": 1, "rate": 1_000_000, "metered_ms": HOUR // 2,
        "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:30:00Z",
        "input_sha256": "a" * 64, "output_sha256": "b" * 64, "paid": start is not None,
    }  # fmt: skip
    return JobCompleted(**{**fact, **changes})


def ended(start: JobSubmitted, **changes: Any) -> JobEnded:
    """The job was cancelled before anybody worked for it."""
    fact = {
        "job_id": start.job_id, "owner_id": start.owner_id, "state": "cancelled", "code": "cancelled", "miner_id": None,
        "provider_id": None, "rate": 0, "billable_ms": 0, "paid": True,
    }  # fmt: skip
    return JobEnded(**{**fact, **changes})


def told(name: str, job_id: str) -> list[dict[str, Any]]:
    """What trading said about a job under this name, in order, once per telling."""
    rows = Outbox.objects.filter(name=f"trading.{name}.v1", key=job_id).order_by("id")
    consumers = Counter(row.consumer for row in rows)
    one = next(iter(consumers), None)
    return [row.payload for row in rows if row.consumer == one]


def fees() -> int:
    return sum(account.balance for account in LedgerAccount.objects.filter(owner_id=UUID(int=0), kind="fees"))


def worth(*owners: UUID) -> list[int]:
    return [available(owner) for owner in owners]

"""Receipts and logs for tests of the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from aitbc.core.db import atomic, cursor
from aitbc.core.ids import uuid7
from apps.trading.logic.settlement import SettledPayment
from apps.trading.models import LogEntry, Receipt
from apps.trading.services import log, receipts


def settlement(**changes: object) -> SettledPayment:
    """Half an hour at 1 AIT per hour, 3 % fee."""
    fact: dict[str, object] = {
        "payment_id": uuid7(), "job_id": uuid7(), "owner_id": uuid4(), "provider_id": uuid4(), "miner_id": uuid4(),
        "task_type": "embedding", "model": "wordllama · l2", "attempt": 1, "rate": 1_000_000, "metered_ms": 1_800_000,
        "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:30:00Z",
        "input_sha256": "a" * 64, "output_sha256": "b" * 64,
        "amount": 700_000, "paid": 485_000, "fee": 15_000, "refunded": 200_000, "currency": "AIT", "transfer_ids": (),
    }  # fmt: skip
    return SettledPayment(**{**fact, **changes})  # type: ignore[arg-type]


def issued(count: int = 1) -> list[Receipt]:
    with atomic(Receipt):
        return receipts.issue([settlement() for _ in range(count)])


def logged(count: int) -> list[str]:
    """So many entries of no particular meaning."""
    with atomic(LogEntry):
        return log.append("anchor", [{"n": n, "id": str(uuid7())} for n in range(count)])


@contextmanager
def unguarded() -> Iterator[None]:
    """Act as somebody who owns the server and has switched the triggers off."""
    with cursor(LogEntry) as sql:
        sql.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            sql.execute("SET session_replication_role = DEFAULT")

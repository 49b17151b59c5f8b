"""What tests read back of the ledger, the outbox and the log, and how they damage the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from aitbc.core import invariants
from aitbc.core.db import cursor
from apps.trading.interface import available
from apps.trading.invariants.log import heads_are_consistent, roots_follow_from_the_entries
from apps.trading.invariants.receipts import every_receipt_is_provably_in_the_log
from apps.trading.models import LedgerAccount, LogEntry, Outbox


def published(name: str, job_id: str) -> list[dict[str, Any]]:
    """The payloads that trading published about a job under this event name, in order, once per publication."""
    rows = Outbox.objects.filter(name=f"trading.{name}.v1", key=job_id).order_by("id")
    consumers = Counter(row.consumer for row in rows)
    consumer = next(iter(consumers), None)
    return [row.payload for row in rows if row.consumer == consumer]


def fees() -> int:
    return sum(account.balance for account in LedgerAccount.objects.filter(owner_id=UUID(int=0), kind="fees"))


def worth(*owners: UUID) -> list[int]:
    return [available(owner) for owner in owners]


def reported(name: str) -> list[str]:
    """The violations that the checks of trading report under this number."""
    return [line for one, lines in invariants.run([name]).items() if one.db == "trading" for line in lines]


def places() -> list[int]:
    return list(LogEntry.objects.exclude(idx=None).order_by("idx").values_list("idx", flat=True))


def leaf_hashes() -> list[bytes]:
    entries = LogEntry.objects.exclude(idx=None).order_by("idx")
    return [bytes.fromhex(text) for text in entries.values_list("leaf_hash", flat=True)]


def broken() -> set[str]:
    """The names of the log's own invariants that do not hold (receipts in these tests have no payments: not I24)."""
    checks = {
        "I25": every_receipt_is_provably_in_the_log,
        "I26": heads_are_consistent,
        "I27": roots_follow_from_the_entries,
    }
    return {name for name, check in checks.items() if list(check())}


@contextmanager
def unguarded() -> Iterator[None]:
    """Act as somebody who owns the server and has switched the triggers off."""
    with cursor(LogEntry) as sql:
        sql.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            sql.execute("SET session_replication_role = DEFAULT")


def published_to_marketplace(fact: Any) -> list[str]:
    """The names of the events about a booking or bond that trading sent to the marketplace, in order."""
    rows = Outbox.objects.filter(consumer="marketplace", key=fact.key).order_by("id")
    return [row.name.removeprefix("trading.").removesuffix(".v1") for row in rows]

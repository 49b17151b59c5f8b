"""The double-entry ledger: accounts, transfers between them, nightly snapshots.

Shaped after TigerBeetle: a transfer has one debit and one credit account, is never changed, and may be two-phase.
The balances on an account are written by a trigger on the insert of transfers and by nothing else (migration 0002).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import RawSQL
from django.utils import timezone

from aitbc.core.fields import AmountField
from apps.trading.states import AccountKind, Code, Phase

#: Owner of the accounts that belong to the exchange itself.
EXCHANGE = UUID(int=0)


ALL_WITH_KEYS = """
SELECT id FROM (
  SELECT a.id, count(*) OVER () AS found FROM trading_ledgeraccount a
  JOIN unnest(%s::uuid[], %s::text[], %s::int[]) AS k(owner_id, kind, shard) USING (owner_id, kind, shard)
) a WHERE found = %s
"""


class LedgerAccountQuerySet(models.QuerySet["LedgerAccount"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def all_with_keys(self, keys: Collection[tuple[UUID, str, int]]) -> Self:
        """The accounts with these different owners, kinds and shards if each of them exists, else none."""
        owners, kinds, shards = ([key[n] for key in keys] for n in range(3))
        return self.filter(pk__in=RawSQL(ALL_WITH_KEYS, [owners, kinds, shards, len(owners)]))

    def of_kind(self, kind: AccountKind) -> Self:
        return self.filter(kind=kind)

    def locked(self) -> Self:
        """Lock the rows in the order of their ids, which every writer uses, so that writers never deadlock."""
        return self.order_by("id").select_for_update(no_key=True)


class LedgerAccount(models.Model):
    """An account with one owner and one purpose; accounts that every payment touches are several shards.

    Whose it is stays in this table: the log shows its random id only.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner_id = models.UUIDField()
    kind = models.CharField(max_length=16, choices=AccountKind)
    shard = models.PositiveSmallIntegerField(default=0)
    may_owe = models.BooleanField(default=False, help_text="Only the world outside may be below zero.")
    posted_debits = AmountField(default=0)
    posted_credits = AmountField(default=0)
    pending_debits = AmountField(default=0)
    pending_credits = AmountField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = LedgerAccountQuerySet.as_manager()

    class Meta:
        ordering = ["owner_id", "kind", "shard"]
        constraints = [
            models.UniqueConstraint(name="trading_account_once", fields=["owner_id", "kind", "shard"]),
            models.CheckConstraint(name="trading_account_kind_known", condition=Q(kind__in=AccountKind.values)),
            models.CheckConstraint(
                name="trading_account_covered",
                condition=Q(may_owe=True) | Q(posted_credits__gte=F("posted_debits") + F("pending_debits")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.owner_id}"

    @property
    def balance(self) -> int:
        """Posted credits − posted debits, in micro-AIT; holds are included."""
        return int(self.posted_credits - self.posted_debits)

    @property
    def held(self) -> int:
        """What pending transfers set aside, in micro-AIT."""
        return int(self.pending_debits)

    @property
    def available(self) -> int:
        """What may be spent now: balance − held, in micro-AIT."""
        return self.balance - self.held


class TransferQuerySet(models.QuerySet["Transfer"]):
    def touching(self, account_id: UUID) -> Self:
        return self.filter(Q(debit_id=account_id) | Q(credit_id=account_id))

    def until(self, moment: datetime) -> Self:
        return self.filter(at__lte=moment)

    def deposits(self) -> Self:
        return self.filter(code=Code.DEPOSIT)

    def unresolved(self) -> Self:
        """Pending transfers that are neither posted nor voided."""
        return self.filter(phase=Phase.PENDING, resolution=None)


class Transfer(models.Model):
    """A transfer of money from the debit to the credit account; append-only."""

    id = models.UUIDField(primary_key=True, editable=False)
    seq = models.BigIntegerField(
        unique=True, editable=False, db_default=Func(Value("trading_transfer_seq"), function="nextval")
    )
    debit = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="debits", db_index=False)
    credit = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="credits", db_index=False)
    amount = AmountField()
    code = models.CharField(max_length=16, choices=Code)
    phase = models.CharField(max_length=8, choices=Phase, default=Phase.SINGLE)
    pending = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="resolution")
    timeout_at = models.DateTimeField(null=True)
    group_id = models.UUIDField(help_text="Transfers of one group stand or fall together.")
    ref = models.UUIDField(null=True, db_index=True, help_text="What the money moved for: usually a job.")
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(editable=False)
    leaf = models.CharField(max_length=64, editable=False, help_text="Its leaf in the transparency log.")

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering = ["seq"]
        indexes = [
            models.Index(name="trading_transfer_debit", fields=["debit", "seq"]),
            models.Index(name="trading_transfer_credit", fields=["credit", "seq"]),
        ]
        constraints = [
            models.CheckConstraint(name="trading_transfer_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="trading_transfer_two_accounts", condition=~Q(debit=F("credit"))),
            models.CheckConstraint(name="trading_transfer_phase_known", condition=Q(phase__in=Phase.values)),
            models.CheckConstraint(
                name="trading_transfer_resolves_a_hold",
                condition=Q(phase__in=[Phase.POST, Phase.VOID], pending__isnull=False)
                | Q(phase__in=[Phase.SINGLE, Phase.PENDING], pending__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.pk}"


class BalanceSnapshot(models.Model):
    """An account's balances on one day; append-only."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="snapshots")
    day = models.DateField()
    posted_debits = AmountField()
    posted_credits = AmountField()
    pending_debits = AmountField()
    pending_credits = AmountField()
    taken_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-day", "-pk"]
        constraints = [models.UniqueConstraint(name="trading_snapshot_once_a_day", fields=["account", "day"])]

    def __str__(self) -> str:
        return f"{self.account_id} on {self.day}"

"""The transparency log: entries in the order of their indexes, and tiles of their hashes."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class LogEntryQuerySet(models.QuerySet["LogEntry"]):
    def waiting(self) -> Self:
        """Entries that are committed but have no index yet, in the order in which they get it."""
        return self.filter(idx=None).order_by("id")

    def sequenced(self, first: int, end: int) -> Self:
        return self.filter(idx__gte=first, idx__lt=end).order_by("idx")

    def with_hash(self, leaf_hash: str) -> Self:
        return self.filter(leaf_hash=leaf_hash)


class LogEntry(models.Model):
    """One entry of the log: canonical bytes that never change; the sequencer sets its index `idx` once."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    leaf = models.BinaryField()
    leaf_hash = models.CharField(max_length=64, unique=True, help_text="What the explorer calls a transaction's hash.")
    idx = models.BigIntegerField(null=True, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = LogEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "log entries"
        indexes = [models.Index(name="trading_logentry_waiting", fields=["id"], condition=Q(idx=None))]

    def __str__(self) -> str:
        return f"{self.kind} {self.leaf_hash[:12]}"


class LogTile(models.Model):
    """256 adjacent hashes of one level of the tree, and the root over them; only full tiles have a row.

    Level 0 holds leaf hashes, level n + 1 the roots of the tiles of level n (C2SP tlog-tiles, height 8).
    """

    id = models.BigAutoField(primary_key=True)
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    hashes = models.BinaryField()

    class Meta:
        ordering = ["level", "index"]
        constraints = [models.UniqueConstraint(name="trading_logtile_once", fields=["level", "index"])]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.index}"

"""The transparency log: entries in the order of their places, tiles of their hashes, and the blocks that seal them."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class LogEntryQuerySet(models.QuerySet["LogEntry"]):
    def waiting(self) -> Self:
        """Facts that are committed but have no place in the log yet, in the order they will get it."""
        return self.filter(idx=None).order_by("id")

    def sequenced(self, first: int, end: int) -> Self:
        return self.filter(idx__gte=first, idx__lt=end).order_by("idx")

    def with_hash(self, leaf_hash: str) -> Self:
        return self.filter(leaf_hash=leaf_hash)


class LogEntry(models.Model):
    """One fact in the log: canonical bytes that never change; `idx` is its place, given once by the sequencer."""

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
    """256 neighbouring hashes of one level of the tree, and the root over them; only full tiles are kept.

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


class BlockQuerySet(models.QuerySet["Block"]):
    def newest(self) -> Block | None:
        return self.order_by("-height").first()

    def sealing(self, idx: int) -> Block:
        """The block that holds this place of the log: places are given in the transaction that seals them."""
        return self.filter(tree_size__gt=idx).order_by("tree_size")[0]


class Block(models.Model):
    """A signed head of the log: it seals `count` entries from `first` on and names the block before it by hash."""

    height = models.BigIntegerField(primary_key=True)
    hash = models.CharField(max_length=64, unique=True)
    first = models.BigIntegerField()
    count = models.IntegerField()
    tree_size = models.BigIntegerField(db_index=True)
    header = models.JSONField(help_text="What is signed; its SHA-256 is the block's hash.")
    signature = models.JSONField()
    checkpoint = models.TextField(help_text="The same head as a C2SP signed note.")
    ledger = models.JSONField(help_text="The totals whose hash the header carries.")
    sealed_at = models.DateTimeField()

    objects = BlockQuerySet.as_manager()

    class Meta:
        ordering = ["-height"]

    def __str__(self) -> str:
        return f"block {self.height}"

    @property
    def end(self) -> int:
        return self.first + self.count

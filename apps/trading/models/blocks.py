"""The signed heads of the transparency log."""

from __future__ import annotations

from django.db import models

from aitbc.core.fields import JSONField


class BlockQuerySet(models.QuerySet["Block"]):
    def newest(self) -> Block | None:
        return self.order_by("-height").first()

    def sealing(self, idx: int) -> Block:
        """The block that contains this index: indexes are set in the transaction that seals them."""
        return self.filter(tree_size__gt=idx).order_by("tree_size", "height")[0]


class Block(models.Model):
    """A signed head of the log: seals `count` entries from index `first` on and names the previous block by hash."""

    height = models.BigIntegerField(primary_key=True)
    hash = models.CharField(max_length=64, unique=True)
    first = models.BigIntegerField()
    count = models.IntegerField()
    tree_size = models.BigIntegerField(db_index=True)
    header = JSONField(help_text="What is signed; its SHA-256 is the block's hash.")
    signature = JSONField()
    checkpoint = models.TextField(help_text="The same head as a C2SP signed note.")
    ledger = JSONField(help_text="The totals whose hash the header carries.")
    sealed_at = models.DateTimeField()

    objects = BlockQuerySet.as_manager()

    class Meta:
        ordering = ["-height"]

    def __str__(self) -> str:
        return f"block {self.height}"

    @property
    def end(self) -> int:
        return self.first + self.count

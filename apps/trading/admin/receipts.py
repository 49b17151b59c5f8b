"""Receipts in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from aitbc.core.admin_columns import link_to
from apps.trading.models import Block, LogEntry, Receipt


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("id", "job_id", "booking_id", "client_alias", "miner_id", "issued_at", "leaf")
    search_fields = (
        "=id", "=job_id", "=booking_id", "=owner_id", "=miner_id", "=client_alias", "=miner_alias", "=leaf",
    )  # fmt: skip
    readonly_fields = ("block",)
    related = (
        Related("payment", "trading.payment", "job_id", own="job_id"),
        Related("leases", "gpu.lease", "job_id", own="job_id"),
        Related("escrow", "trading.escrow", "booking_id", own="booking_id"),
        Related("log entry", "trading.logentry", "leaf_hash", own="leaf"),
    )

    @admin.display(description="block")
    def block(self, receipt: Receipt) -> str:
        """The block that holds it, once there is one."""
        entry = LogEntry.objects.with_hash(receipt.leaf).first()
        if entry is None or entry.idx is None:
            return "not sealed yet"
        block = Block.objects.sealing(entry.idx)
        return link_to("trading.block", block.pk, block)

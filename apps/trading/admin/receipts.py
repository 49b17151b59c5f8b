"""Receipts in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.trading.models import Receipt


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("id", "job_id", "booking_id", "client_alias", "miner_id", "issued_at", "leaf")
    search_fields = (
        "=id", "=job_id", "=booking_id", "=owner_id", "=miner_id", "=client_alias", "=miner_alias", "=leaf",
    )  # fmt: skip

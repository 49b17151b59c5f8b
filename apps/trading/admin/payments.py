"""Payments in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.models import Payment


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "job_id",
        "state",
        "amount",
        "paid",
        "fee",
        "refunded",
        "owner_id",
        "provider_id",
        "created_at",
    )
    list_filter = ("state",)
    search_fields = ("=job_id", "=owner_id", "=provider_id", "=miner_id")
    related = (
        Related("receipt", "trading.receipt", "job_id", own="job_id"),
        Related("transfers", "trading.transfer", "ref", own="job_id"),
        Related("leases", "gpu.lease", "job_id", own="job_id"),
    )

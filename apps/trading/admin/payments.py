"""Payments in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.trading.models import Payment


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ("job_id", "state", "amount", "paid", "fee", "refunded", "owner_id", "provider_id", "created_at")
    list_filter = ("state",)
    search_fields = ("=job_id", "=owner_id", "=provider_id", "=miner_id")

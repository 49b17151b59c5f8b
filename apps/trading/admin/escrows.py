"""Escrows and their top-ups in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.models import Escrow, EscrowEvent, Topup


@admin.register(Escrow)
class EscrowAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "booking_id", "state", "amount", "paid", "fee", "refunded", "slices", "renter_id", "provider_id",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "refused_party")
    search_fields = ("=booking_id", "=renter_id", "=provider_id")
    related = (
        Related("history", "trading.escrowevent", "subject_id"), Related("top-ups", "trading.topup", "escrow_id"),
        Related("receipts", "trading.receipt", "booking_id", own="booking_id"),
        Related("transfers", "trading.transfer", "ref", own="booking_id"),
    )  # fmt: skip


@admin.register(Topup)
class TopupAdmin(ReadOnlyAdmin):
    list_display = ("id", "escrow", "amount", "held", "created_at")
    list_filter = ("held",)
    search_fields = ("=id", "=escrow__booking_id")


@admin.register(EscrowEvent)
class TransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)

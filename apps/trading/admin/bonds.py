"""Bonds in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.trading.models import Bond, BondEvent


@admin.register(Bond)
class BondAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "amount", "forfeited", "owner_id", "beneficiary_id", "created_at", "ended_at")
    list_filter = ("state",)
    search_fields = ("=id", "=owner_id", "=beneficiary_id")
    related = (
        Related("history", "trading.bondevent", "subject_id"),
        Related("transfers", "trading.transfer", "ref", own="ref"),
    )


@admin.register(BondEvent)
class TransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)

"""Bids and their history for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin, Related
from apps.marketplace.admin.demands import DemandTransitionAdmin
from apps.marketplace.models import BidTransition, MarketplaceBid


@admin.register(MarketplaceBid)
class BidAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "demand_id", "bidder_id", "price_hour", "bond", "bond_ended", "created_at")
    list_filter = ("state", "bond_ended")
    search_fields = ("=id", "=demand__id", "=offer__id", "=bidder_id", "=external_id")
    ordering = ("-created_at",)
    related = (
        Related("history", "marketplace.bidtransition", "subject_id"), Related("award", "marketplace.award", "bid_id"),
        Related("bond", "trading.bond", "id"),
    )  # fmt: skip


@admin.register(BidTransition)
class BidTransitionAdmin(DemandTransitionAdmin):
    """Who changed a bid's state, from which to which, and why."""

"""Bids and their history for operators; read only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from aitbc.core.money import format_amount
from apps.marketplace.admin.demands import DemandTransitionAdmin
from apps.marketplace.models import BidTransition, MarketplaceBid


@admin.register(MarketplaceBid)
class BidAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "demand_id", "bidder_id", "price", "held", "bond_ended", "created_at")
    list_filter = ("state", "bond_ended")
    search_fields = ("=id", "=demand__id", "=offer__id", "=bidder_id", "=external_id")
    ordering = ("-created_at",)

    @admin.display(description="price AIT/h", ordering="price_hour")
    def price(self, bid: MarketplaceBid) -> str:
        return format_amount(bid.price_hour)

    @admin.display(description="bond AIT", ordering="bond")
    def held(self, bid: MarketplaceBid) -> str:
        return format_amount(bid.bond)


@admin.register(BidTransition)
class BidTransitionAdmin(DemandTransitionAdmin):
    """Who changed a bid's state, from which to which, and why."""

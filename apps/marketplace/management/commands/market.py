"""`manage.py market …`: search, price, book and review GPU time over HTTP."""

from __future__ import annotations

from aitbc.core.shell import VerbCommand
from apps.marketplace.management.market_verbs import auctions, bookings, prices, reviews


class Command(VerbCommand):
    help = "Search, price, book and review GPU time."
    groups = (prices, bookings, reviews, auctions)

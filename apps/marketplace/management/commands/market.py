"""`manage.py market …`: search, price, book and review GPU time over HTTP."""

from __future__ import annotations

from aitbc.core.cli.commands import VerbCommand
from apps.marketplace.management.subcommands import auctions, bookings, offers, prices, reviews


class Command(VerbCommand):
    help = "Search, price, book and review GPU time."
    groups = (offers, bookings, auctions, prices, reviews)

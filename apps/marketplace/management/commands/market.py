"""`manage.py market …`: search, price, book and review GPU time over HTTP."""

from __future__ import annotations

from aitbc.core.cli.commands import VerbCommand
from apps.marketplace.management.subcommands import auctions, bookings, offers, prices, reviews

EXAMPLES = """\
  manage.py market search "gpu_ram>=8 dph<1" --order dph
  manage.py market book 0190f3c2 --hours 1 --watch
  manage.py market bookings --state active
  manage.py market show 0190f3d4 --watch
  manage.py market offers create --gpu 0190f3aa --price 0.42 --max-hours 168
  manage.py market demand --budget 2 --hours 4 --gpu "RTX 4090" --closes 2026-12-01T12:00:00Z
  manage.py market prices "RTX 4090" --interval 1d
  manage.py market review 0190f3d4 5 --text "As promised."
"""


class Command(VerbCommand):
    help = "Search, price, book and review GPU time."
    examples = EXAMPLES
    groups = (offers, bookings, auctions, prices, reviews)

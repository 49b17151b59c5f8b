"""Histories, revisions, awards and ticks only ever grow; bookings and slices are never deleted."""

from django.db import migrations

from aitbc.core.migration_operations import append_only, no_truncate

HISTORIES = ("offertransition", "demandtransition", "bidtransition", "bookingtransition")


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0003_market")]

    operations = [
        *[append_only(f"marketplace_{name}") for name in HISTORIES],
        append_only("marketplace_offerrevision"),
        append_only("marketplace_award"),
        append_only("marketplace_pricetick"),
        append_only("marketplace_reliabilityevent"),
        no_truncate("marketplace_gpubooking"),
        no_truncate("marketplace_bookingslice"),
        no_truncate("marketplace_marketplacebid"),
    ]

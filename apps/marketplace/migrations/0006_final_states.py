"""What has ended on the market stays ended."""

from django.db import migrations

from aitbc.core.migration_operations import guarded_finals


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0005_registered_gpu")]

    operations = [
        guarded_finals("marketplace_marketplacedemand", "cancelled", "expired", "failed_no_bids", "fulfilled"),
        guarded_finals("marketplace_marketplaceoffer", "expired", "withdrawn"),
        guarded_finals("marketplace_marketplacebid", "expired", "lost", "rejected", "withdrawn", "won"),
        guarded_finals("marketplace_gpubooking", "insufficient_funds", "settled"),
        guarded_finals("marketplace_bookingextension", "held", "refused"),
    ]

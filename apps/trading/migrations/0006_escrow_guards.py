"""The histories of escrows and bonds only ever grow; neither is deleted."""

from django.db import migrations

from aitbc.core.migration_operations import append_only, no_truncate


class Migration(migrations.Migration):
    dependencies = [("trading", "0005_escrows")]

    operations = [
        append_only("trading_escrowevent"),
        append_only("trading_bondevent"),
        append_only("trading_topup"),
        no_truncate("trading_escrow"),
        no_truncate("trading_bond"),
    ]

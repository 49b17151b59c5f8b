"""Bonds have a name of their own in the public ledger."""

import uuid

import django.contrib.postgres.functions
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0009_total_order")]

    operations = [
        migrations.AddField(
            model_name="bond",
            name="ref",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False,
                help_text="Its name in the public ledger: bids are public too, and nobody may learn whose account pledged.",
                unique=True,
            ),
        ),
    ]

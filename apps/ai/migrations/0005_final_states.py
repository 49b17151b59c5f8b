"""A job that has ended stays ended."""

from django.db import migrations

from aitbc.core.migration_operations import guarded_finals


class Migration(migrations.Migration):
    dependencies = [("ai", "0004_input_commitments")]

    operations = [
        guarded_finals("ai_job", "cancelled", "dead", "expired", "failed", "refused", "settled"),
    ]

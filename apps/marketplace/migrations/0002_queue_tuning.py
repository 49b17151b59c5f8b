from django.db import migrations

from aitbc.core.migration_operations import tuned_queue


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0001_initial")]

    operations = [tuned_queue("marketplace_outbox")]

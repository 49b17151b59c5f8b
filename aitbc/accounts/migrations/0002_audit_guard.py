"""The audit book only grows."""

from django.db import migrations

from aitbc.core.migration_operations import append_only


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [append_only("accounts_auditentry")]

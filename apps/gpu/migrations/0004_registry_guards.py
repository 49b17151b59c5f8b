"""The histories of cards, benchmarks and orders only ever grow."""

from django.db import migrations

from aitbc.core.migration_operations import append_only


class Migration(migrations.Migration):
    dependencies = [("gpu", "0003_registry")]

    operations = [append_only(f"gpu_{name}") for name in ("gputransition", "benchmarktransition", "ordertransition")]

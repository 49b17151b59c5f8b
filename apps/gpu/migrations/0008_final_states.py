"""Leases, benchmarks and commands that have ended stay ended."""

from django.db import migrations

from aitbc.core.migration_operations import guarded_finals


class Migration(migrations.Migration):
    dependencies = [("gpu", "0007_help_texts")]

    operations = [
        guarded_finals("gpu_lease", "completed", "expired", "failed", "released"),
        guarded_finals("gpu_gpubenchmark", "expired", "failed", "mismatch", "passed"),
        guarded_finals("gpu_minercommand", "expired", "failed", "reverted"),
    ]

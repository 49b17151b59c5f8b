"""History, results, dead letters and operators' acts only ever grow."""

from django.db import migrations

from aitbc.core.migration_operations import append_only


class Migration(migrations.Migration):
    dependencies = [("ai", "0001_initial")]

    operations = [
        append_only("ai_job_event"),
        append_only("ai_job_result"),
        append_only("ai_dead_letter"),
        append_only("ai_operator_act"),
    ]

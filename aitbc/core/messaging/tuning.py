"""How PostgreSQL should treat tables whose rows come and go quickly."""

from __future__ import annotations

from django.db import migrations


def tuned_queue(table: str) -> migrations.RunSQL:
    """Vacuum often and without pause; analyse rarely, since a plan made while the queue is empty is a bad plan.

    vacuum_truncate is off because giving pages back takes an exclusive lock while the table is in use.
    """
    return migrations.RunSQL(
        f"""ALTER TABLE {table} SET (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
  vacuum_truncate = off)""",
        migrations.RunSQL.noop,
    )

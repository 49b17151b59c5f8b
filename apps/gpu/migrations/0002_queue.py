"""What the queue needs beyond Django's tables: virtual time, the one row of class heads, eager vacuum, append-only history."""

from __future__ import annotations

from django.db import migrations

from aitbc.core.migration_operations import append_only

# Virtual time is a sequence used as a register: read and set without a row lock (core.md §4b).
VIRTUAL_TIME = "CREATE SEQUENCE gpu_virtual_time MINVALUE 0 START 0; SELECT setval('gpu_virtual_time', 0);"
ONE_ROWS = """INSERT INTO gpu_classheads (id, at, classes, priorities, tags) VALUES (1, '2000-01-01', '{}', '{}', '{}') ON CONFLICT DO NOTHING;
INSERT INTO gpu_clock (id) VALUES (1) ON CONFLICT DO NOTHING;"""
# Queues change all the time: vacuum by count, never wait, never shrink the file (that takes an exclusive lock).
QUEUE = """autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000, vacuum_truncate = off"""
STORAGE = f"""ALTER TABLE gpu_work SET (fillfactor = 85, {QUEUE});
ALTER TABLE gpu_lease SET (fillfactor = 85, {QUEUE});
ALTER TABLE gpu_outbox SET ({QUEUE}, autovacuum_vacuum_insert_threshold = -1);
ALTER TABLE gpu_classheads SET (fillfactor = 10);
ALTER TABLE gpu_fairshare SET (fillfactor = 50);
ALTER TABLE gpu_requirementclass SET (fillfactor = 50);
ALTER TABLE gpu_miner SET (fillfactor = 70);"""


class Migration(migrations.Migration):
    dependencies = [("gpu", "0001_initial")]

    operations = [
        migrations.RunSQL(VIRTUAL_TIME, "DROP SEQUENCE gpu_virtual_time"),
        migrations.RunSQL(ONE_ROWS, migrations.RunSQL.noop),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        append_only("gpu_minertransition"),
    ]

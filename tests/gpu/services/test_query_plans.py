"""What miners ask for most is served by indexes, whatever PostgreSQL believes of its tables at the moment."""

from __future__ import annotations

from uuid import uuid4

from aitbc.core.db import cursor
from aitbc.settings.databases import HOT_PLANS
from apps.gpu.models import Lease
from apps.gpu.services.heartbeats import BEAT
from bench.sweeps import FILL

VALUES = ("miner", "metrics", "cards", "jobs")


def plan_of_a_heartbeat() -> str:
    """The plan that a prepared heartbeat of some miner is carried out by."""
    statement = BEAT.replace("%%", "%")
    for place, name in enumerate(VALUES, start=1):
        statement = statement.replace(f"%({name})s", f"${place}")
    with cursor(Lease) as sql:
        sql.execute(f"PREPARE beat AS {statement}")
        sql.execute(f"EXPLAIN EXECUTE beat('{uuid4()}', NULL, '[]', NULL)")
        plan = "\n".join(line for (line,) in sql.fetchall())
        sql.execute("DEALLOCATE beat")
    return plan


def test_a_heartbeat_reads_no_table_from_end_to_end_although_statistics_suggest_it(db: None) -> None:
    """When one miner had held 100,000 leases, each heartbeat of 10,000 others read all that was left of them."""
    with cursor(Lease) as sql:
        sql.execute(FILL, [20_000])
        sql.execute("ANALYZE gpu_lease")
        sql.execute(f"SET LOCAL plan_cache_mode = {HOT_PLANS['plan_cache_mode']}")
        misled = plan_of_a_heartbeat()
        sql.execute(f"SET LOCAL enable_seqscan = {HOT_PLANS['enable_seqscan']}")

    assert "Seq Scan on gpu_lease" in misled
    assert "Seq Scan" not in plan_of_a_heartbeat()

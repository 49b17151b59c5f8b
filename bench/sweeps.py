"""The lease sweep over 100,000 live leases: one in a hundred overdue, one in ten of a miner that fell silent."""

from __future__ import annotations

import time
from collections.abc import Iterator

from aitbc.core.db import cursor
from apps.gpu.models import Lease
from apps.gpu.services import lease_expiry
from bench.report import Measurement

LEASES = 100_000
FILL = """WITH w AS (
  INSERT INTO gpu_work (job_id, attempt, class_id, priority, fair_tag, owner_id, state, start_seconds,
    heartbeat_seconds, execution_seconds, body)
  SELECT gen_random_uuid(), 1, 0, 0, 0, gen_random_uuid(), 'leased', 60, 60, 3600, '{}' FROM generate_series(1, %s)
  RETURNING id, job_id
)
INSERT INTO gpu_lease (work_id, job_id, attempt, class_id, miner_id, provider_id, rate, heartbeat_seconds, started_at,
  granted_at, lease_until, execute_by)
SELECT id, job_id, 1, 0, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002', 1, 60,
  clock_timestamp() - interval '2 minutes', clock_timestamp() - interval '2 minutes',
  clock_timestamp() + CASE WHEN id %% 100 = 0 THEN -1 WHEN id %% 10 = 0 THEN 29 ELSE 3600 END * interval '1 second',
  clock_timestamp() + interval '1 hour' FROM w"""


def run() -> Iterator[Measurement]:
    with cursor(Lease) as sql:
        sql.execute(FILL, [LEASES])
        sql.execute("ANALYZE gpu_lease")
        sql.execute("ANALYZE gpu_work")
    started = time.perf_counter()
    suspected = lease_expiry.suspect_leases()
    expired = lease_expiry.expire_leases()
    seconds = time.perf_counter() - started
    with cursor(Lease) as sql:  # leave nothing behind for the other benchmarks, wrong statistics least of all
        sql.execute("DELETE FROM gpu_lease WHERE class_id = 0")
        sql.execute("DELETE FROM gpu_work WHERE class_id = 0")
        sql.execute("DELETE FROM gpu_outbox WHERE name = 'gpu.lease.expired.v1'")
        sql.execute("VACUUM ANALYZE gpu_lease")
        sql.execute("VACUUM ANALYZE gpu_work")
    yield Measurement("sweep over 100,000 leases", seconds, "s", "<= 2", f"{expired} expired, {suspected} suspected")

import time, pytest
from apps.gpu.services import work, sweeps
from apps.gpu.models import Lease, Outbox, Work
from aitbc.core.db import cursor
from tests.gpu.conftest import queued
pytestmark = pytest.mark.transaction
M="/gpu/v1/miners"
def test_perf(miner_api):
    from django.db import connections
    miner_api.json("POST", f"{M}/register", {"capabilities": {}, "concurrency": 1000}, status=200)
    t=time.time()
    for i in range(5): work.enqueue([queued(task_type=f"t{k%50}") for k in range(200)])
    print("enqueue 1000:", time.time()-t)
    t=time.time()
    for i in range(200): assert miner_api.post(f"{M}/poll", {}).status_code==200
    print("poll claims/s", 200/(time.time()-t))
    t=time.time()
    for i in range(200): miner_api.post(f"{M}/heartbeat", {})
    print("heartbeats/s", 200/(time.time()-t))
    with cursor(Lease) as sql:
        sql.execute("""INSERT INTO gpu_lease (work_id, job_id, attempt, class_id, miner_id, provider_id, rate, heartbeat_seconds, lease_until, execute_by)
        SELECT 0, gen_random_uuid(), 1, 1, gen_random_uuid(), gen_random_uuid(), 1, 60, now()+interval '1 hour', now()+interval '1 hour' FROM generate_series(1,100000)""")
        sql.execute("ANALYZE gpu_lease")
    t=time.time(); sweeps.tick(); sweeps.suspect_leases(); n=sweeps.expire_leases(); print("sweep of 1e5 live:", n, time.time()-t)
    Lease.objects.update(lease_until="2020-01-01T00:00Z")
    t=time.time(); n=sweeps.expire_leases(); print("expire 1e5:", n, time.time()-t, Outbox.objects.count())

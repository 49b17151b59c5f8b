"""GPUs of the registry, stored as the gpu domain reports them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from aitbc.core import jsonb
from aitbc.core.db import atomic, cursor
from apps.gpu.events import GpuChanged
from apps.marketplace.models import RegisteredGPU
from apps.marketplace.services import offer_refresh

UPSERT = """
INSERT INTO marketplace_device AS known (id, miner_id, owner_id, seq, state, facts)
SELECT (fact ->> 'gpu_id')::uuid, (fact ->> 'miner_id')::uuid, (fact ->> 'owner_id')::uuid, (fact ->> 'seq')::bigint,
  fact ->> 'state', fact
FROM jsonb_array_elements(%s::jsonb) AS reported(fact) ORDER BY 1
ON CONFLICT (id) DO UPDATE SET miner_id = excluded.miner_id, owner_id = excluded.owner_id, seq = excluded.seq,
  state = excluded.state, facts = excluded.facts, changed_at = clock_timestamp()
WHERE known.seq < excluded.seq RETURNING id
"""


def take(events: Sequence[GpuChanged]) -> list[UUID]:
    """Store GPUs as they were last reported and refresh every offer over them; return the ids of those that changed.

    An event that is older than what is stored changes nothing.
    """
    facts = jsonb.dumps([event.plain() for event in events])
    with atomic(RegisteredGPU):
        with cursor(RegisteredGPU) as sql:
            sql.execute(UPSERT, [facts])
            news = [row[0] for row in sql.fetchall()]
        if news:
            offer_refresh.refresh_over(news)
    return news

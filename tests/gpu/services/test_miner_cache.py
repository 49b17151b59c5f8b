"""What a process remembers of miners: what changed is read again, once, and never at the cost of a request."""

from __future__ import annotations

import gc
import itertools
from dataclasses import replace
from uuid import UUID

from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aitbc.core.ids import uuid7
from apps.gpu.models import Miner
from apps.gpu.services.miner_cache import MINER_CACHE, MinerCache, known_from
from tests.gpu.factories import beat, register


def a_second_passes() -> None:
    MINER_CACHE.read_at = float("-inf")


def reads_of_miners(captured: CaptureQueriesContext) -> int:
    return sum('FROM "gpu_miner"' in query["sql"] and '"capabilities"' in query["sql"] for query in captured)


def test_a_change_elsewhere_is_read_once_although_the_feed_tells_of_it_again(miner_api):
    register(miner_api)
    beat(miner_api)
    Miner.objects.update(concurrency=7, changed_at=timezone.now())  # as another process would

    seen = []
    for _ in range(3):
        a_second_passes()
        with CaptureQueriesContext(connections["gpu"]) as captured:
            beat(miner_api)
        seen.append(reads_of_miners(captured))

    assert seen == [1, 0, 0]
    assert [known.concurrency for known in MINER_CACHE.known.values()] == [7]


def test_miners_are_put_in_while_others_are_taken_out(miner_api):
    """A herd made `drop` walk a dictionary that other threads were growing: one heartbeat in 13,000 was a 500.

    Python may let another thread run wherever it collects garbage or runs Python: those moments are used here.
    """
    register(miner_api)
    miner = Miner.objects.get()
    cache = MinerCache()
    known, going = known_from(miner), uuid7()
    cache.known = {(miner.owner_id, "", str(n)): replace(known, pk=uuid7()) for n in range(5_000)}
    cache.known[miner.owner_id, "", "going"] = replace(known, pk=going)
    puts = itertools.count()

    def another_thread(*_: object) -> None:
        cache.put((miner.owner_id, "", f"new-{next(puts)}"), miner)

    class Interrupted(set[UUID]):
        def __contains__(self, pk: object) -> bool:
            another_thread()
            return super().__contains__(pk)

    gc.callbacks.append(another_thread)
    try:
        cache.drop(Interrupted({going}))
    finally:
        gc.callbacks.remove(another_thread)

    assert next(puts) >= 5_000
    assert going not in {known.pk for known in cache.known.values()}
    assert len(cache.known) >= 5_000

"""The first waiting job of every class, shared by all processes through one row, so that polls need not look.

Read at most every 50 ms by a process; written at most every 60 ms by the process that finds it stale (SKIP LOCKED: one
prober at a time, nobody waits; docs/architecture.md, "How a poll finds work"). A woken long poll needs heads newer than
its wake-up and gets them by a direct probe, because the cache could be older than the work it was woken for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from aitbc.core.db import cursor
from apps.gpu.models import ClassHeads

READ_SECONDS = 0.050
SHARED_MS = 60
NOTED_SECONDS = 0.150  # longer than READ + SHARED: by then a probe has seen it too
JUST_PROBED = 0.020
WALKED = 4
WIDE = 16
NARROW = 32
LOWEST = -32768

READ = """SELECT at < clock_timestamp() - %(age)s::int * interval '1 millisecond', classes, priorities, tags
FROM gpu_classheads WHERE id = 1"""
HEADS = """SELECT h.class_id, h.priority, h.fair_tag FROM gpu_requirementclass c CROSS JOIN LATERAL (
  SELECT class_id, priority, fair_tag FROM gpu_work w WHERE w.class_id = c.id AND w.state = 'waiting'
  ORDER BY priority DESC, fair_tag, id LIMIT 1) h"""
PROBE = """WITH me AS MATERIALIZED (
  SELECT id FROM gpu_classheads WHERE id = 1 AND at < clock_timestamp() - %(age)s::int * interval '1 millisecond'
  FOR UPDATE SKIP LOCKED),
h AS MATERIALIZED (SELECT h.* FROM me CROSS JOIN gpu_requirementclass c CROSS JOIN LATERAL (
  SELECT class_id, priority, fair_tag FROM gpu_work w WHERE w.class_id = c.id AND w.state = 'waiting'
  ORDER BY priority DESC, fair_tag, id LIMIT 1) h),
s AS (SELECT coalesce(array_agg(class_id), '{}') c, coalesce(array_agg(priority), '{}') p,
  coalesce(array_agg(fair_tag), '{}') t FROM h)
UPDATE gpu_classheads SET at = statement_timestamp(), classes = s.c, priorities = s.p, tags = s.t FROM s, me
WHERE gpu_classheads.id = me.id RETURNING classes, priorities, tags"""
PLANT = """INSERT INTO gpu_classheads (id, at, classes, priorities, tags) VALUES (1, '2000-01-01', '{}', '{}', '{}')
ON CONFLICT DO NOTHING"""


class Head(NamedTuple):
    """Sorts best first."""

    behind: int  # minus the priority
    tag: int
    class_id: int

    @property
    def priority(self) -> int:
        """The priority of the job, higher first."""
        return -self.behind


class Heads:
    """This process's copy."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.forget()

    def forget(self) -> None:
        """Start empty, as a new process does."""
        self.by_class: dict[int, Head] = {}
        self.order: list[Head] = []
        self.noted: dict[int, tuple[float, Head]] = {}
        self.as_of = self.probed_at = float("-inf")

    def fresh(self, *, newer_than: float | None = None) -> None:
        """Bring the copy up to date: within 110 ms, or seen after `newer_than` (monotonic seconds)."""
        enough = time.monotonic() - READ_SECONDS if newer_than is None else newer_than
        if self.as_of >= enough or not self.lock.acquire(blocking=newer_than is not None):
            return
        try:
            if self.as_of >= enough:  # another thread did it while this one waited
                return
            started = time.monotonic()
            self._replace(self._shared() if newer_than is None else self._probed_alone(), started)
        finally:
            self.lock.release()

    def again(self) -> bool:
        """Look once more, when the copy turned out to be stale; returns False when it is too new for that to help."""
        if time.monotonic() - self.probed_at < JUST_PROBED:
            return False
        self.fresh(newer_than=time.monotonic())
        return True

    def note(self, class_id: int, priority: int, tag: int) -> None:
        """Work just committed by this process: claimable at once."""
        head = Head(-priority, tag, class_id)
        with self.lock:
            if head < self.by_class.get(class_id, Head(-LOWEST + 1, 0, 0)):
                self.noted[class_id] = (time.monotonic() + NOTED_SECONDS, head)
                self._put(class_id, head)

    def best(self, fits: frozenset[int]) -> list[Head]:
        """Return at most 16 heads of fitting classes, best first."""
        if len(fits) <= NARROW:
            heads = self.by_class
            return sorted(heads[class_id] for class_id in fits if class_id in heads)[:WIDE]
        found: list[Head] = []
        for head in self.order:
            if head.class_id in fits:
                found.append(head)
                if len(found) == WIDE:
                    break
        return found

    def taken(
        self, hot: Sequence[Head], floors: Sequence[int], rows: Sequence[tuple[int, int, int]], limit: int
    ) -> None:
        """Advance the heads by what was taken (class, priority, tag), until the next refresh."""
        last = {class_id: Head(-priority, tag, class_id) for class_id, priority, tag in rows}
        reached = max((i for i, head in enumerate(hot) if head.class_id in last), default=-1)
        with self.lock:
            for i, head in enumerate(hot):
                if i == reached and len(rows) >= limit:
                    self._put(head.class_id, last[head.class_id])
                elif i < reached or len(rows) < limit:
                    floor = floors[i]
                    self._put(head.class_id, None if floor == LOWEST else Head(-(floor - 1), head.tag, head.class_id))

    def _put(self, class_id: int, head: Head | None) -> None:
        changed = dict(self.by_class)
        if head is None:
            changed.pop(class_id, None)
            self.noted.pop(class_id, None)
        else:
            changed[class_id] = head
        self.by_class, self.order = changed, sorted(changed.values())

    def _replace(self, heads: list[Head], started: float) -> None:
        merged = {head.class_id: head for head in heads}
        self.noted = {class_id: n for class_id, n in self.noted.items() if n[0] > started}
        for class_id, (_, head) in self.noted.items():
            merged[class_id] = min(head, merged.get(class_id, head))
        self.by_class, self.order, self.as_of = merged, sorted(merged.values()), started

    def _shared(self) -> list[Head]:
        with cursor(ClassHeads) as sql:
            sql.execute(READ, {"age": SHARED_MS})
            found = sql.fetchone()
            if found is None:  # a restore or a flush took the row away
                sql.execute(PLANT)
            stale, *row = found or (True, [], [], [])
            if stale:
                sql.execute(PROBE, {"age": SHARED_MS})
                row = sql.fetchone() or row  # nothing came back: another process is probing
                self.probed_at = time.monotonic()
        return [Head(-priority, tag, class_id) for class_id, priority, tag in zip(*row, strict=True)]

    def _probed_alone(self) -> list[Head]:
        with cursor(ClassHeads) as sql:
            sql.execute(HEADS)
            rows = sql.fetchall()
        self.probed_at = time.monotonic()
        return [Head(-priority, tag, class_id) for class_id, priority, tag in rows]


QUEUE_HEADS = Heads()

"""The claim: its rate at 10⁶ waiting jobs against 10⁴, with a queue that fits nobody, and after 10⁶ claims.

One caller of the service behind the poll, one job a call, everything committed to disk. Databases take turns, so that
drift of the machine hits all of them, and a ratio is the median over the turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connections
from django.test.utils import CaptureQueriesContext

from aitbc.core.db import cursor
from apps.gpu.models import Lease
from apps.gpu.services import lease_grant as claims
from apps.gpu.services.miner_cache import Known
from apps.gpu.services.queue import SWEEP_DONE
from apps.gpu.services.queue_heads import LOWEST
from bench.cost import backend_seconds
from bench.progress import step
from bench.queues import CLASSES, JOB_ID, OWNER, Queue, miner
from bench.report import Measurement

SMALL, LARGE = 10_000, 1_000_000
WIDTHS = (1, 20, 180)
WARM, CLAIMS, ROUNDS = 10, 40, 9
BATCH = 1000
HISTORY = 1_000_000
EMPTY = 20_000

# What results and the sweep do to claimed work, for many at once; then as much new work as was taken.
FINISH = """WITH ended AS (
  UPDATE gpu_lease SET state = 'completed', ended_at = clock_timestamp()
  WHERE miner_id = %s AND state = 'leased' RETURNING work_id)
UPDATE gpu_work SET state = 'done' WHERE id = ANY (ARRAY(SELECT work_id FROM ended))"""
REFILL = f"""INSERT INTO gpu_work (job_id, attempt, class_id, priority, fair_tag, owner_id, state, start_seconds,
  heartbeat_seconds, execution_seconds, body)
SELECT {JOB_ID}, 1, c.class_id, c.priority, %s + n, %s, 'waiting', 60, 60, 3600, '{{}}'
FROM unnest(%s::int[], %s::smallint[]) WITH ORDINALITY AS c(class_id, priority, n)"""


def run() -> Iterator[Measurement]:
    queues = {name: Queue(name) for name in ("small", "large", "unfit")}
    try:
        with step(f"a queue of {SMALL:,} jobs and two of {LARGE:,}"):
            queues["small"].create(SMALL)
            queues["large"].create(LARGE)
            queues["unfit"].create(LARGE, unfit_share=0.99)
        for width in WIDTHS:
            yield from depth(queues, width)
        yield empty_poll(queues["large"])
        yield history(queues["small"], queues["large"])
    finally:
        for queue in queues.values():
            queue.drop()


def depth(queues: dict[str, Queue], width: int) -> Iterator[Measurement]:
    with step(f"{ROUNDS} turns of {CLAIMS} claims, fits {width} of {CLASSES} classes"):
        turns = [{name: claim_many(queue, width) for name, queue in queues.items()} for _ in range(ROUNDS)]
    small = [turn["small"] for turn in turns]
    rate = statistics.median(one.rate for one in small)
    yield Measurement(f"claim at 10⁴ waiting, fits {width}", rate, "claims/s", "", "the service call, one caller")
    for name, label in (("large", "10⁶"), ("unfit", "10⁶, 99 % unfit,")):
        yield compared(f"claim at {label} ÷ at 10⁴, fits {width}", [turn[name] for turn in turns], small)


@dataclass(frozen=True)
class Claimed:
    """Claims a second of one miner, and the CPU time of a claim in the database's process."""

    rate: float
    cpu_ms: float


def compared(name: str, these: list[Claimed], control: list[Claimed], base: float = 1.0) -> Measurement:
    """The median over the turns of this rate ÷ the control's rate just then (÷ what that was before)."""
    ratios = [one.rate / other.rate / base for one, other in zip(these, control, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    ours, theirs = (statistics.median(one.cpu_ms for one in side) for side in (these, control))
    note = f"half of the turns within {low:.2f}–{high:.2f}; database CPU a claim {ours:.2f} ms against {theirs:.2f}"
    return Measurement(name, statistics.median(ratios), "ratio", ">= 0.85", note)


def claim_many(queue: Queue, width: int) -> Claimed:
    """A miner that just came takes work; its first claims are not counted (statements are prepared then)."""
    with queue:
        known = miner(width)
        claim(known, WARM)
        cpu, started = backend_seconds(queue.connection), time.perf_counter()
        claim(known, CLAIMS)
        seconds = time.perf_counter() - started
        return Claimed(CLAIMS / seconds, 1000 * (backend_seconds(queue.connection) - cpu) / CLAIMS)


def claim(known: Known, expected: int) -> None:
    got = sum(len(claims.grant(known).grants) for _ in range(expected))
    if got != expected:
        raise AssertionError(f"{got} of {expected} claims returned work")


def empty_poll(queue: Queue) -> Measurement:
    """A poll that fits nothing while a million jobs wait."""
    with queue:
        unfit = miner(0)
        claims.grant(unfit)
        with CaptureQueriesContext(connections["gpu"]) as sent:
            cpu, started = time.process_time(), time.perf_counter()
            each = [timed(unfit) for _ in range(EMPTY)]
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    due = 2 * (1 + seconds / 0.050)
    if len(sent) > due:
        raise AssertionError(f"{len(sent)} statements in {EMPTY:,} empty polls, where {due:.0f} read the shared heads")
    note = f"{EMPTY:,} in {seconds:.1f} s sent {len(sent)} statements, the process reads the heads each 50 ms; "
    note += f"with those {1e6 * cpu / EMPTY:.0f} µs of CPU a poll"
    return Measurement("an empty poll, beyond its request", 1e6 * statistics.median(each), "µs", "<= 20", note)


def timed(unfit: Known) -> float:
    started = time.perf_counter()
    claims.grant(unfit)
    return time.perf_counter() - started


def history(control: Queue, queue: Queue) -> Measurement:
    """A million claims, results and sweeps later, against a queue of the same machine that stayed as it was."""
    before = [turn(control, queue) for _ in range(ROUNDS)]
    base = statistics.median(ours.rate / others.rate for ours, others in before)
    with step(f"{HISTORY:,} claims, ended and swept"), queue:
        churn(HISTORY)
        settle()
    ours, others = zip(*(turn(control, queue) for _ in range(ROUNDS)), strict=True)
    return compared("claim after 10⁶ claims ÷ before, fits 20", list(ours), list(others), base)


def turn(control: Queue, queue: Queue) -> tuple[Claimed, Claimed]:
    """The queue and its control, one right after the other."""
    return claim_many(queue, 20), claim_many(control, 20)


def settle(seconds: float = 60) -> None:
    """Until autovacuum has caught up, as it does between the claims of real miners."""
    deadline = time.monotonic() + seconds
    with cursor(Lease) as sql:
        while time.monotonic() < deadline:
            time.sleep(6)  # longer than its naptime
            sql.execute("SELECT count(*) FROM pg_stat_progress_vacuum WHERE datname = current_database()")
            if not sql.fetchone()[0]:
                return


def churn(claimed: int) -> None:
    """Take work with the claim's own statement, end it, sweep it, put as much back; a thousand at a time."""
    known = miner(CLASSES)
    terms = {"miner": known.pk, "provider": OWNER, "rate": 1, "capacity": 2 * BATCH, "n": BATCH}
    with cursor(Lease) as sql:
        sql.execute("SET synchronous_commit = off")
        sql.execute("SELECT id FROM gpu_requirementclass ORDER BY id LIMIT %s", [CLASSES])
        ids = [class_id for (class_id,) in sql.fetchall()]
        for start in range(0, claimed, BATCH):
            at = (start // BATCH) % CLASSES  # every class gets its turn to be the best
            walk = ids[at:] + ids[:at]
            sql.execute(claims.CLAIM, {**terms, "classes": walk, "floors": [LOWEST] * CLASSES})
            rows = sql.fetchall()
            sql.execute(FINISH, [known.pk])
            sql.execute(SWEEP_DONE, {"keep": -1, "limit": 2 * BATCH})
            sql.execute(REFILL, [LARGE + start, OWNER, [row[2] for row in rows], [row[3] for row in rows]])
        sql.execute("SET synchronous_commit = on")
        sql.execute("SELECT count(*) FROM gpu_work WHERE state = 'waiting'")
        if (waiting := sql.fetchone()[0]) < LARGE - 10 * BATCH:
            raise AssertionError(f"only {waiting} jobs wait after the churn")

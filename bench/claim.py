"""The claim: HTTP against the bare statement, and its rate at 10⁶ waiting jobs against 10⁴, interleaved.

200 requirement classes; miners that fit 1, 20 or 180 of them; and a queue of which 99 % fits nobody. Two gpu databases
are filled, and the same service call runs on each in turn, so that drift of the machine hits both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from aitbc.core.db import cursor
from aitbc.core.ids import uuid7
from apps.gpu.models import Miner, Work
from apps.gpu.services import claim as claims
from apps.gpu.services import classes, miners
from apps.gpu.services.heads import HEADS_HERE
from apps.gpu.services.roster import ROSTER, known_from
from bench.http import Connection, load, timed
from bench.report import Figure
from bench.stack import migrated, stack

CLASSES = 200
SMALL, LARGE = 10_000, 1_000_000
CLAIMS = 150
ROUNDS = 4
WIDTHS = (1, 20, 180)
OWNER = uuid7()
# Skewed: class k gets work in proportion to 1/(k+1); one job in ten has a priority.
FILL = """INSERT INTO gpu_work (job_id, attempt, class_id, priority, fair_tag, owner_id, state, start_seconds,
  heartbeat_seconds, execution_seconds, body)
SELECT gen_random_uuid(), 1, (%s::int[])[1 + floor(power(%s, random()))::int %% %s],
  CASE WHEN random() < 0.1 THEN floor(random() * 5)::int ELSE 0 END, n, %s, 'waiting', 60, 60, 3600, '{}'
FROM generate_series(1, %s) n"""
RAW = """WITH cand AS MATERIALIZED (
  SELECT id FROM gpu_work WHERE class_id = $1 AND state = 'waiting' ORDER BY priority DESC, fair_tag, id LIMIT 1
  FOR UPDATE SKIP LOCKED)
UPDATE gpu_work SET state = 'leased' WHERE id = ANY (ARRAY(SELECT id FROM cand)) RETURNING id"""


def requirement(n: int) -> dict[str, object]:
    """Class n asks for task `c<n>`; everything else is open."""
    empty = dict.fromkeys(("gpu", "region", "cuda", "max_price", "min_reputation", "data_class", "miner_id"))
    return {"task_type": f"c{n}", "gpu_count": 1, "min_vram_mb": 0, "models": [], **empty}


@contextmanager
def database(suffix: str) -> Iterator[None]:
    """Point the gpu alias at a database of its own."""
    config = connections["gpu"].settings_dict
    plain = config["NAME"]
    connections["gpu"].close()
    config["NAME"] = f"{plain}_{suffix}"
    forget()
    try:
        yield
    finally:
        connections["gpu"].close()
        config["NAME"] = plain
        forget()


def forget() -> None:
    HEADS_HERE.forget()
    classes.CATALOGUE.forget()
    ROSTER.forget()


def create(suffix: str) -> None:
    name = f"{settings.DATABASES['gpu']['NAME']}_{suffix}"
    config = settings.DATABASES["gpu"]
    place = {"host": config["HOST"], "port": config["PORT"] or None, "user": config["USER"] or None}
    with psycopg.connect(**{k: v for k, v in place.items() if v}, dbname="postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')


def fill(jobs: int, *, unfit_share: float = 0.0) -> None:
    """So many waiting jobs over 200 classes; an unfit share of them in one class that no miner here fits."""
    ids, _ = classes.ensure([requirement(n) for n in range(CLASSES)] + [requirement(10_000)])
    fit, unfit = ids[:CLASSES], ids[CLASSES]
    wanted = round(jobs * (1 - unfit_share))
    with cursor(Work) as sql:
        sql.execute(FILL, [fit, CLASSES, CLASSES, OWNER, wanted])
        if jobs - wanted:
            sql.execute(FILL, [[unfit], 1, 1, OWNER, jobs - wanted])
        sql.execute("VACUUM (ANALYZE) gpu_work")


def miner(width: int) -> Miner:
    """A registered miner that fits the first `width` classes after the fullest ten."""
    tasks = [f"c{n}" for n in range(10, 10 + width)]
    made = miners.register(
        owner_id=OWNER,
        key_id="bench",
        name=f"wide-{width}",
        capabilities={"supported_tasks": tasks},
        concurrency=1024,
        region=None,
    )
    return getattr(made, "miner", made)


def measure(one: Miner) -> float:
    """Claims per second of one caller, one job each."""
    known = known_from(one)
    got = 0
    started = time.perf_counter()
    for _ in range(CLAIMS):
        got += len(claims.claim(known).grants)
    seconds = time.perf_counter() - started
    with cursor(Work) as sql:
        sql.execute("DELETE FROM gpu_lease WHERE miner_id = %s", [one.pk])
        sql.execute("TRUNCATE gpu_outbox")
    if got != CLAIMS:
        raise AssertionError(f"{got} of {CLAIMS} claims were given work")
    return CLAIMS / seconds


def scaling() -> Iterator[Figure]:
    depths = {"small": (SMALL, 0.0), "large": (LARGE, 0.0), "unfit": (LARGE, 0.99)}
    for name, (jobs, unfit) in depths.items():
        create(f"bench_{name}")
        with database(f"bench_{name}"):
            call_command("migrate", database="gpu", verbosity=0)
            fill(jobs, unfit_share=unfit)
    for width in WIDTHS:
        rates: dict[str, list[float]] = {name: [] for name in depths}
        for _ in range(ROUNDS):
            for name in depths:
                with database(f"bench_{name}"):
                    rates[name].append(measure(miner(width)))
        base = statistics.median(rates["small"])
        yield Figure(f"claim at 10⁴ waiting, fits {width}", base, "claims/s", "", "service call, one caller")
        for name, label in (("large", "10⁶"), ("unfit", "10⁶, 99 % unfit")):
            ratio = statistics.median(rates[name]) / base
            yield Figure(f"claim at {label} ÷ at 10⁴, fits {width}", ratio, "ratio", ">= 0.85")


def empty_poll() -> Figure:
    """Microseconds of a poll that fits nothing, and how many statements it sent."""
    from django.test.utils import CaptureQueriesContext

    with database("bench_large"):
        nobody = known_from(miner(1))
        hopeless = known_from(
            getattr(
                m := miners.register(
                    owner_id=OWNER,
                    key_id="bench",
                    name="hopeless",
                    capabilities={"supported_tasks": ["nothing"]},
                    concurrency=1,
                    region=None,
                ),
                "miner",
                m,
            )
        )
        claims.claim(nobody)
        with CaptureQueriesContext(connections["gpu"]) as sent:
            started = time.perf_counter()
            for _ in range(20_000):
                claims.claim(hopeless)
            seconds = time.perf_counter() - started
        refreshes = len(sent.captured_queries)
    note = f"{refreshes} statements in 20,000 polls: the shared heads, read each 50 ms"
    return Figure("an empty poll beyond its request", 1e6 * seconds / 20_000, "µs", "<= 100", note)


def raw_rate(calls: int = 1500) -> float:
    """The bare claim statement, prepared, autocommit, one connection: what the machine can do."""
    with database("bench_small"):
        ids, _ = classes.ensure([requirement(0)])
        with cursor(Work) as sql:
            sql.execute(FILL, [ids, 1, 1, OWNER, calls])
            sql.execute(f"PREPARE raw (int) AS {RAW}")
            started = time.perf_counter()
            for _ in range(calls):
                sql.execute(f"EXECUTE raw ({ids[0]})")
            return calls / (time.perf_counter() - started)


def over_http() -> float:
    """Polls that claim one job each over eight connections."""
    task = "bench-claim"

    def submit(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
        return [timed(connection, "POST", "/ai/jobs", {"task_type": task, "payload": {}})[:2]]

    def poll(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
        body = {"miner_id": f"claim-{worker}", "max_wait_seconds": 0}
        return [timed(connection, "POST", "/gpu/v1/miners/poll", body)[:2]]

    def register(connection: Connection, worker: int, n: int) -> list[tuple[int, float]]:
        body = {"miner_id": f"claim-{worker}", "capabilities": {"supported_tasks": [task]}, "concurrency": 1000}
        return [timed(connection, "POST", "/gpu/v1/miners/register", body)[:2]]

    with stack() as exchange:
        load(exchange.url, exchange.miner, register, calls=1)
        load(exchange.url, exchange.client, submit, calls=250)
        deadline = time.monotonic() + 60
        while Work.objects.filter(body__task_type=task).count() < 2000 and time.monotonic() < deadline:
            time.sleep(0.2)
        measured = load(exchange.url, exchange.miner, poll, calls=240)
        return measured.statuses.get(200, 0) / measured.seconds


def run() -> Iterator[Figure]:
    migrated()
    yield from scaling()
    yield empty_poll()
    raw, http = raw_rate(), over_http()
    yield Figure("claim, bare statement", raw, "claims/s", "", "one connection, prepared, fsync on")
    yield Figure("claim over HTTP", http, "claims/s", ">= 600", "8 connections")
    yield Figure("claim over HTTP ÷ bare statement", 100 * http / raw, "%", ">= 10")

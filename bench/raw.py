"""What PostgreSQL alone does with the statements of an endpoint: prepared, each committed, eight connections.

The baseline of an endpoint's rate: same server, same tables, same minute, load generator included. A claim is measured
twice: all the statements of the endpoint's transaction, and the least that any claim must do.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import connections
from psycopg.types.json import Json

from aitbc.core import messaging
from aitbc.core.db import cursor
from aitbc.core.ids import uuid7
from apps.ai.models import AIJob
from apps.gpu.events import LeaseGranted
from apps.gpu.models import Miner, Work
from apps.gpu.services import lease_grant
from bench.queues import FILL, GENERIC

CONNECTIONS = 8
CALLS = 400
NOBODY = "nobody"  # no consumer has this name: the relay ignores its messages
SPARE_CLASS = 2_000_000_000  # no heads of it are published: only this benchmark takes its work
LEAST_CLAIM = """WITH cand AS MATERIALIZED (
  SELECT id FROM gpu_work WHERE class_id = %s AND state = 'waiting' ORDER BY priority DESC, fair_tag, id LIMIT 1
  FOR UPDATE SKIP LOCKED)
UPDATE gpu_work SET state = 'leased' WHERE id = ANY (ARRAY(SELECT id FROM cand)) RETURNING id"""
HEARTBEAT = "UPDATE gpu_miner SET last_heartbeat = clock_timestamp() WHERE id = %s"

Step = tuple[str, Any]  # a statement and its values


def connection_options(alias: str) -> dict[str, Any]:
    """Keyword arguments of psycopg.connect for the database behind an alias."""
    config = connections[alias].settings_dict
    named = {"host": config["HOST"], "port": config["PORT"], "user": config["USER"], "password": config["PASSWORD"]}
    return {**{name: value for name, value in named.items() if value}, "dbname": config["NAME"], "options": GENERIC}


def claim_rate() -> float:
    """Claims a second by the same transaction as the endpoint: the miner locked, work taken, a lease, its message."""
    miners = list(Miner.objects.order_by("-created_at").values_list("pk", flat=True)[:CONNECTIONS])
    with _spare_work():
        return _rate("gpu", [_claim_of(miner) for miner in miners])


def least_claim_rate() -> float:
    """Claims a second of work that waits: lock the first row, mark it, commit."""
    with _spare_work():
        return _rate("gpu", [[(LEAST_CLAIM, [SPARE_CLASS])]] * CONNECTIONS)


def heartbeat_rate() -> float:
    """Heartbeats a second, each connection for a miner of its own."""
    miners = list(Miner.objects.order_by("-created_at").values_list("pk", flat=True)[:CONNECTIONS])
    return _rate("gpu", [[(HEARTBEAT, [miner])] for miner in miners])


def submit_rate() -> float:
    """Jobs a second: one row written, no history, no message."""
    job = AIJob.objects.order_by("-created_at").values().first()
    names = [field.attname for field in AIJob._meta.concrete_fields if field.attname != "id"]
    statement = f"""INSERT INTO ai_job (id, {", ".join(names)})
VALUES (gen_random_uuid(), {", ".join(["%s"] * len(names))})"""
    owner = uuid7()  # of no client: its jobs are in no list
    values = {**(job or {}), "owner_id": owner, "state": "expired"}
    row = [Json(value) if isinstance(value, (dict, list)) else value for value in map(values.get, names)]
    try:
        return _rate("ai", [[(statement, row)]] * CONNECTIONS)
    finally:
        with cursor(AIJob) as sql:
            sql.execute("DELETE FROM ai_job WHERE owner_id = %s", [owner])


@contextmanager
def _spare_work() -> Iterator[None]:
    """Waiting work for all connections, of a class of its own; deleted afterwards."""
    with cursor(Work) as sql:
        sql.execute(FILL, [[SPARE_CLASS], 1, uuid7(), CONNECTIONS * CALLS + 100])
        sql.execute("ANALYZE gpu_work")
    try:
        yield
    finally:
        with cursor(Work) as sql:
            sql.execute("DELETE FROM gpu_outbox WHERE consumer = %s", [NOBODY])
            sql.execute("DELETE FROM gpu_lease WHERE class_id = %s", [SPARE_CLASS])
            sql.execute("DELETE FROM gpu_work WHERE class_id = %s", [SPARE_CLASS])


def _claim_of(miner: UUID) -> list[Step]:
    """What lease_grant.claim() sends for one job, its message addressed to nobody."""
    terms = {"miner": miner, "provider": miner, "rate": 1, "capacity": 10 * CALLS, "n": 1}
    classes = {"classes": f"{{{SPARE_CLASS}}}", "floors": "{-32768}"}
    fact = LeaseGranted(
        job_id=str(uuid7()), attempt=1, miner_id=str(miner), provider_id=str(miner), rate=1,
        granted_at="2026-11-26T12:00:00+00:00", lease_until="2026-11-26T12:01:00+00:00",
    )  # fmt: skip
    message = {"m": uuid7(), "c": NOBODY, "n": fact.NAME, "k": fact.key, "p": fact.plain()}
    return [
        (lease_grant.LOCK_MINER, {"miner": miner}),
        (lease_grant.CLAIM, {**terms, **classes}),
        (messaging.INSERT.format(table="gpu_outbox"), [orjson.dumps([message]).decode()]),
    ]


def _rate(alias: str, transactions: list[list[Step]]) -> float:
    """Transactions a second, each of these on a connection of its own."""
    context = multiprocessing.get_context("fork")
    ready, done = context.Barrier(len(transactions) + 1), context.Barrier(len(transactions) + 1)
    workers = [
        context.Process(target=_work, args=(connection_options(alias), steps, ready, done)) for steps in transactions
    ]
    for worker in workers:
        worker.start()
    ready.wait(30)
    started = time.perf_counter()
    done.wait(120)
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return len(transactions) * CALLS / seconds


def _work(where: dict[str, Any], steps: list[Step], ready: Any, done: Any) -> None:
    alone = len(steps) == 1  # commits by itself
    with psycopg.connect(**where, autocommit=alone, prepare_threshold=1) as connection, connection.cursor() as sql:

        def transact() -> None:
            for statement, values in steps:
                sql.execute(statement, values)
            if not alone:
                connection.commit()

        for _ in range(3):
            transact()  # prepared from here on
        ready.wait()
        for _ in range(CALLS):
            transact()
        done.wait()

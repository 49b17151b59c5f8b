"""What PostgreSQL alone does with the statement at the heart of a door: prepared, committed each, eight connections.

The figure to hold a door's rate against: same server, same tables, same minute, its load generator included too.
"""

from __future__ import annotations

import multiprocessing
import time
from typing import Any

import psycopg
from django.db import connections
from psycopg.types.json import Json

from aitbc.core.db import cursor
from aitbc.core.ids import uuid7
from apps.ai.models import AIJob
from apps.gpu.models import Miner, Work
from bench.queues import FILL

CONNECTIONS = 8
CALLS = 400
SPARE_CLASS = 2_000_000_000  # of which no heads are kept: nobody else is given this work
CLAIM = """WITH cand AS MATERIALIZED (
  SELECT id FROM gpu_work WHERE class_id = %s AND state = 'waiting' ORDER BY priority DESC, fair_tag, id LIMIT 1
  FOR UPDATE SKIP LOCKED)
UPDATE gpu_work SET state = 'leased' WHERE id = ANY (ARRAY(SELECT id FROM cand)) RETURNING id"""
HEARTBEAT = "UPDATE gpu_miner SET last_heartbeat = clock_timestamp() WHERE id = %s"


def place(alias: str) -> dict[str, Any]:
    """How to reach the database behind an alias without Django."""
    config = connections[alias].settings_dict
    named = {"host": config["HOST"], "port": config["PORT"], "user": config["USER"], "password": config["PASSWORD"]}
    return {**{name: value for name, value in named.items() if value}, "dbname": config["NAME"]}


def claim_rate() -> float:
    """Claims a second of work that waits: lock the first row, mark it, commit."""
    with cursor(Work) as sql:
        sql.execute(FILL, [[SPARE_CLASS], 1, uuid7(), CONNECTIONS * CALLS + 100])
        sql.execute("ANALYZE gpu_work")
    try:
        return _rate("gpu", CLAIM, [[SPARE_CLASS]] * CONNECTIONS)
    finally:
        with cursor(Work) as sql:
            sql.execute("DELETE FROM gpu_work WHERE class_id = %s", [SPARE_CLASS])


def heartbeat_rate() -> float:
    """Heartbeats a second, each connection for a miner of its own."""
    miners = list(Miner.objects.order_by("-created_at").values_list("pk", flat=True)[:CONNECTIONS])
    return _rate("gpu", HEARTBEAT, [[miner] for miner in miners])


def submit_rate() -> float:
    """Jobs a second: one row written, no history, no message."""
    job = AIJob.objects.order_by("-created_at").values().first()
    names = [field.attname for field in AIJob._meta.concrete_fields if field.attname != "id"]
    statement = f"""INSERT INTO ai_job (id, {", ".join(names)})
VALUES (gen_random_uuid(), {", ".join(["%s"] * len(names))})"""
    owner = uuid7()  # nobody's: its jobs show in no list
    values = {**(job or {}), "owner_id": owner, "state": "expired"}
    row = [Json(value) if isinstance(value, (dict, list)) else value for value in map(values.get, names)]
    try:
        return _rate("ai", statement, [row] * CONNECTIONS)
    finally:
        with cursor(AIJob) as sql:
            sql.execute("DELETE FROM ai_job WHERE owner_id = %s", [owner])


def _rate(alias: str, statement: str, values: list[list[Any]]) -> float:
    context = multiprocessing.get_context("fork")
    ready, done = context.Barrier(len(values) + 1), context.Barrier(len(values) + 1)
    workers = [context.Process(target=_work, args=(place(alias), statement, row, ready, done)) for row in values]
    for worker in workers:
        worker.start()
    ready.wait(30)
    started = time.perf_counter()
    done.wait(120)
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    return len(values) * CALLS / seconds


def _work(where: dict[str, Any], statement: str, row: list[Any], ready: Any, done: Any) -> None:
    with psycopg.connect(**where, autocommit=True, prepare_threshold=1) as connection, connection.cursor() as sql:
        for _ in range(3):
            sql.execute(statement, row)  # prepared from here on
        ready.wait()
        for _ in range(CALLS):
            sql.execute(statement, row)
        done.wait()

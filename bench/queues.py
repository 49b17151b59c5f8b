"""Queues of the gpu domain in databases of their own, filled to a depth, and the miners that take from them.

200 requirement classes, skewed: class k gets work in proportion to about 1/(k+1); one job in ten has a priority.
"""

from __future__ import annotations

import copy
import dataclasses
from types import TracebackType
from typing import Any

import psycopg
from django.core.management import call_command
from django.db import connections

from aitbc.core.db import cursor
from aitbc.core.ids import uuid7
from aitbc.settings.databases import HOT_PLANS
from apps.gpu.models import Work
from apps.gpu.services import miner_cache, miners, requirement_classes
from apps.gpu.services.miner_cache import Known

CLASSES = 200
OWNER = uuid7()
# Keys that grow with time, as the exchange's own do (uuid7, which PostgreSQL makes itself only from 18 on).
JOB_ID = """(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
  || substr(md5(random()::text), 1, 20))::uuid"""
FILL = f"""INSERT INTO gpu_work (job_id, attempt, class_id, priority, fair_tag, owner_id, state, start_seconds,
  heartbeat_seconds, execution_seconds, body)
SELECT {JOB_ID}, 1, (%s::int[])[floor(power(%s::int + 1, random()))::int],
  CASE WHEN random() < 0.1 THEN floor(random() * 5)::int ELSE 0 END, n, %s, 'waiting', 60, 60, 3600, '{{}}'
FROM generate_series(1, %s) n"""
GENERIC = " ".join(f"-c {name}={value}" for name, value in HOT_PLANS.items())  # as web processes have it


class Queue:
    """One database; inside `with queue:` it is the one behind the alias gpu."""

    def __init__(self, name: str) -> None:
        self.usual = connections["gpu"]
        config = copy.deepcopy(self.usual.settings_dict)
        config["NAME"] = f"{config['NAME']}_bench_{name}"
        config["OPTIONS"].pop("pool", None)
        config["OPTIONS"]["options"] = f"{config['OPTIONS'].get('options', '')} {GENERIC}"
        self.connection: Any = type(self.usual)(config, "gpu")

    def __enter__(self) -> None:
        connections["gpu"] = self.connection
        miner_cache.forget()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        connections["gpu"] = self.usual
        miner_cache.forget()

    def create(self, jobs: int, *, unfit_share: float = 0.0) -> None:
        """Empty tables, then so many waiting jobs, a share of them in one class that no miner here fits."""
        self._on_server("DROP DATABASE IF EXISTS {}", "CREATE DATABASE {}")
        with self:
            call_command("migrate", database="gpu", verbosity=0)
            ids, _ = requirement_classes.ensure([requirement(n) for n in range(CLASSES)] + [requirement(10_000)])
            fitting = round(jobs * (1 - unfit_share))
            with cursor(Work) as sql:
                sql.execute(FILL, [ids[:CLASSES], CLASSES, OWNER, fitting])
                sql.execute(FILL, [ids[CLASSES:], 1, OWNER, jobs - fitting])
                sql.execute("VACUUM (ANALYZE) gpu_work")

    def drop(self) -> None:
        self.connection.close()
        self._on_server("DROP DATABASE IF EXISTS {}")

    def _on_server(self, *statements: str) -> None:
        config = self.connection.settings_dict
        named = {"host": config["HOST"], "port": config["PORT"], "user": config["USER"], "password": config["PASSWORD"]}
        where = {name: value for name, value in named.items() if value}
        with psycopg.connect(**where, dbname="postgres", autocommit=True) as server:
            for statement in statements:
                server.execute(statement.format(f'"{config["NAME"]}"'))


def requirement(n: int) -> dict[str, object]:
    """Class n asks for task `c<n>`; everything else is open."""
    empty = dict.fromkeys(("gpu", "region", "cuda", "max_price", "min_reputation", "data_class", "miner_id"))
    return {"task_type": f"c{n}", "gpu_count": 0, "min_vram_mb": 0, "models": [], **empty}


def miner(width: int) -> Known:
    """A new miner with room for everything that fits the fullest `width` classes."""
    caller = miners.Caller(OWNER, str(uuid7()), "bench", str(uuid7()))
    tasks = [f"c{n}" for n in range(width)] or ["nothing"]
    miners.register(caller, capabilities={"supported_tasks": tasks}, concurrency=miners.MOST_CONCURRENT)
    return dataclasses.replace(miners.recognise(caller))

"""What the exchange stands on is away for a while: a database, Valkey, the exchange itself. The rest goes on."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from aitbc.embedded.postgres import Postgres
from aitbc.embedded.valkey import Valkey
from aitbc.schedule import QUEUES
from tests.embedded.processes import eventually
from tests.torture.stack import Stack

pytestmark = [
    pytest.mark.no_db,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("outages"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
MINERS = "/gpu/v1/miners"
# A route of each domain that needs its database.
ROUTES = {"ai": "/ai/jobs", "gpu": MINERS, "trading": "/trading/v1/ledger/balance"}
SWEEPS_WELL = "kind = 'task' AND expected_seconds <= 60 AND outcome = 'ok' AND due_by > now()"
ANSWERED = 8.0  # seconds; the promise is 3, on a machine with nothing else to do


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="aitbc-outage-", dir="/var/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def running(**environment: str) -> Iterator[Stack]:
    with folder() as var:
        stack = Stack(var, **environment)
        try:
            stack.fund("100")
            yield stack
        finally:
            left = stack.stop()
        assert left == []


def submit(http: httpx.Client, **body: Any) -> str:
    job = {"task_type": "benchmark", "payload": {"size": 64}, "payment_amount": "0.01", **body}
    answer = http.post("/ai/jobs", json=job)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def becomes(http: httpx.Client, job: str, state: str, seconds: float = 60) -> None:
    eventually(lambda: http.get(f"/ai/jobs/{job}").json().get("state") == state, seconds, f"the job is {state}")


# One domain's database


class Gone:
    """Connections are refused, and those that were open are cut."""

    def __init__(self, server: Postgres) -> None:
        self.server = server

    def sql(self, statement: str) -> None:
        place = self.server.url.rsplit("/", 1)[0]
        with psycopg.connect(f"{place}/postgres", autocommit=True) as connection:
            connection.execute(statement)

    def begin(self) -> None:
        self.sql("ALTER DATABASE aitbc ALLOW_CONNECTIONS false")
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'aitbc'")

    def end(self) -> None:
        self.sql("ALTER DATABASE aitbc ALLOW_CONNECTIONS true")


class Silent:
    """The server's processes are stopped: connections are there, nothing answers."""

    def __init__(self, server: Postgres) -> None:
        self.data = str(server.data)

    def signal(self, number: int) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "cwd") == self.data:
                    os.kill(int(process.name), number)
            except OSError:
                continue

    def begin(self) -> None:
        self.signal(signal.SIGSTOP)

    def end(self) -> None:
        self.signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A server for the money alone."""
    with folder() as home:
        server = Postgres(home, throwaway=True)
        server.start()
        try:
            yield server
        finally:
            Silent(server).end()
            server.stop()


@pytest.fixture(scope="module")
def split(own_server: Postgres) -> Iterator[Stack]:
    with running(TRADING_DATABASE_URL=own_server.url) as stack:
        yield stack


@pytest.mark.parametrize("kind", [Gone, Silent])
def test_one_domain_s_database_is_away(split: Stack, own_server: Postgres, kind: Any) -> None:
    outage = kind(own_server)
    with split.http("CLIENT") as client, split.http("MINER") as miner:
        becomes(client, submit(client), "settled")
        assert statuses(client, miner) == {"ai": 200, "gpu": 200, "trading": 200}

        outage.begin()
        try:
            for _ in range(6):
                assert statuses(client, miner) == {"ai": 200, "gpu": 200, "trading": 503}
            refused = client.get(ROUTES["trading"], timeout=ANSWERED)
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.headers["Content-Type"] == "application/problem+json"
            waits = submit(client)
            assert client.get("/trading/health").status_code == 200
        finally:
            outage.end()

        eventually(lambda: statuses(client, miner)["trading"] == 200, 30, "trading answers again")
        becomes(client, waits, "settled")


def statuses(client: httpx.Client, miner: httpx.Client) -> dict[str, int]:
    """The status of a route of each domain; silence is a failure."""
    by = {"ai": client, "gpu": miner, "trading": client}
    return {label: by[label].get(path, timeout=ANSWERED).status_code for label, path in ROUTES.items()}


# Valkey


def lose_a_lease(stack: Stack, client: httpx.Client) -> str:
    """A job that a miner takes and never speaks of again: only a sweep sets it free."""
    headers = {"Authorization": f"Bearer {stack.miner_key('lazy')}", "X-Miner-ID": "lazy"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=15) as lazy:
        lazy.post(f"{MINERS}/register", json={"capabilities": {"supported_tasks": ["odd"]}}).raise_for_status()
        job = submit(client, task_type="odd", start_seconds=1, max_attempts=1)
        eventually(lambda: lazy.post(f"{MINERS}/poll", json={}).status_code == 200, 30, "it has the job")
    return job


def goes_on(stack: Stack, client: httpx.Client) -> None:
    """A job's whole life, to a sealed receipt; and a lost lease is noticed."""
    lost, job = lose_a_lease(stack, client), submit(client)
    becomes(client, job, "settled")
    becomes(client, lost, "dead")
    eventually(lambda: heartbeats(stack, SWEEPS_WELL) > 10, 30, "sweeps run and check in")
    receipt = client.get(f"/ai/jobs/{job}/receipt").json()["receipt_id"]
    bundle = f"/trading/receipts/{receipt}/bundle"
    eventually(lambda: client.get(bundle).status_code == 200, 60, "the receipt is sealed")


def heartbeats(stack: Stack, condition: str) -> int:
    """How many heartbeats are so, by what monitoring has written down."""
    place = (stack.var / "embedded" / "database.url").read_text().rsplit("/", 1)[0]
    with psycopg.connect(f"{place}/aitbc_monitoring") as connection:
        found = connection.execute(f"SELECT count(*) FROM monitoring_heartbeat WHERE {condition}").fetchone()
    return int(found[0]) if found else 0


def queues_check_in(stack: Stack) -> None:
    """Beat, Valkey and the worker work together: each queue checks in from now on."""
    since = f"kind = 'queue' AND finished_at > '{datetime.now(UTC)}'"
    eventually(lambda: heartbeats(stack, since) == len(QUEUES), 150, "every queue checks in")


def test_without_valkey_from_the_start_to_its_loss_everything_goes_on_by_polling() -> None:
    with folder() as home:
        valkey = Valkey(home, home / "run")
        with running(REDIS_URL=valkey.url) as stack, stack.http("CLIENT") as client:
            goes_on(stack, client)

            valkey.start()
            queues_check_in(stack)
            becomes(client, submit(client), "settled")

            valkey.stop()
            goes_on(stack, client)
            assert client.get("/ai/jobs", timeout=ANSWERED).status_code == 200

            valkey.start()
            try:
                queues_check_in(stack)
                becomes(client, submit(client), "settled")
            finally:
                valkey.stop()


# The exchange itself


def held(client: httpx.Client, miner: httpx.Client) -> str:
    """A job in the miner's hands, for ten seconds if nothing is heard of it."""
    job = submit(client, task_type="odd", start_seconds=10, heartbeat_seconds=10, max_attempts=1)
    eventually(lambda: miner.post(f"{MINERS}/poll", json={}).status_code == 200, 30, "it has the job")
    return job


def test_an_outage_of_the_exchange_is_not_the_miner_s_fault() -> None:
    done = {"result": "worth waiting for", "attempt": 1}
    with running() as stack, stack.http("CLIENT") as client:
        headers = {"Authorization": f"Bearer {stack.miner_key('patient')}", "X-Miner-ID": "patient"}
        with httpx.Client(base_url=stack.url, headers=headers, timeout=30) as miner:
            miner.post(f"{MINERS}/register", json={"capabilities": {"supported_tasks": ["odd"]}}).raise_for_status()

            deaf = held(client, miner)
            web = stack.found("web")
            for pid in web:  # nobody can be heard, while the sweeps go on
                os.kill(pid, signal.SIGSTOP)
            time.sleep(15)
            for pid in web:
                os.kill(pid, signal.SIGCONT)
            assert miner.post(f"{MINERS}/{deaf}/result", json=done).status_code == 200

            away = held(client, miner)
            stack.die()
            time.sleep(12)
            stack.start()
            assert miner.post(f"{MINERS}/{away}/result", json=done).status_code == 200

        becomes(client, deaf, "settled")
        becomes(client, away, "settled")
        assert stack.manage("audit").returncode == 0

"""Kill anything at any moment: nothing answered 2xx is lost, nothing is paid twice, the audit stays empty.

One short seed in the ordinary suite; `make torture` runs ten of 300 jobs (AITBC_SEEDS, AITBC_CHAOS_JOBS).
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.torture.nemesis import Nemesis
from tests.torture.people import Client, Miner, Witness, settle_down
from tests.torture.stack import Stack

SEEDS = range(1, 1 + int(os.environ.get("AITBC_SEEDS", "10")))
JOBS = int(os.environ.get("AITBC_CHAOS_JOBS", "300"))
CLIENTS, MINERS = 4, 3
pytestmark = [pytest.mark.no_db, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.fixture
def stack(var: Path) -> Iterator[Stack]:
    made = Stack(var)
    try:
        yield made
    finally:
        left = made.stop()
    assert left == [], f"stopping left processes behind: {left}"


@contextlib.contextmanager
def running(*people: Any) -> Iterator[None]:
    threads = [threading.Thread(target=one.run, daemon=True) for one in people]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def under_fire(stack: Stack, seed: int, jobs: int, blows: int) -> None:
    """So many jobs while so many things go wrong; then everything must have come right."""
    witness, stop, began = Witness(), threading.Event(), time.monotonic()
    until = began + 420
    stack.fund("100")
    key, draw = stack.miner_key("chaos-farm"), random.Random(seed)
    each, seconds = jobs // CLIENTS, 2.0 * blows
    clients = [Client(stack, n, each, seconds / each, witness, until) for n in range(CLIENTS)]
    names = [f"chaos-{n}" for n in range(MINERS)]
    miners = [Miner(stack, key, name, random.Random(draw.random()), witness, stop, until) for name in names]
    nemesis = Nemesis(stack, seed, blows, stop)

    with running(*miners):
        with running(*clients, nemesis):
            pass
        fired = time.monotonic()
        states = settle_down(stack, list(witness.accepted), until)
        stop.set()

    done = time.monotonic()
    print(f"seed {seed}: {jobs} jobs, {fired - began:.0f} s under fire, {done - fired:.0f} s to settle; {nemesis.log}")
    assert witness.wrong == []
    assert len(witness.accepted) == each * CLIENTS
    assert Counter(states.values()) == {"settled": len(witness.accepted)}
    everything_was_kept(stack, witness)
    audit = stack.manage("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def everything_was_kept(stack: Stack, witness: Witness) -> None:
    """Each result that was acknowledged is the one that is kept; the client paid for each job once."""
    cost = Decimal(0)
    with stack.http("CLIENT") as http:
        for job, body in witness.accepted.items():
            kept = http.get(f"/ai/jobs/{job}/result").raise_for_status().json()["result"]
            if body["task_type"] == "chaos":
                assert witness.results.get(job, kept) == kept and kept["echo"] == body["payload"]["n"]
            else:
                assert kept["size"] == 64 and kept["checksum"]
            payment = http.get(f"/ai/jobs/{job}/payment").raise_for_status().json()
            cost += Decimal(payment["paid"]) + Decimal(payment["fee"])
        balance = http.get("/trading/v1/ledger/balance").raise_for_status().json()
    assert Decimal(balance["available"]) == 100 - cost


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_anywhere_nothing_is_lost_or_paid_twice(stack: Stack, seed: int) -> None:
    under_fire(stack, seed, JOBS, blows=18)


@pytest.mark.timeout(600)
def test_one_short_round_of_it(stack: Stack) -> None:
    under_fire(stack, 0, 100, blows=9)

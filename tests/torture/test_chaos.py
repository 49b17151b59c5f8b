"""Kill anything at any moment: nothing answered 2xx is lost, nothing is paid twice, the audit stays empty.

One short seed by default; `make torture` runs ten (AITBC_SEEDS=10 AITBC_CHAOS_JOBS=300).
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.torture import chaos

SEEDS = range(1, 1 + int(os.environ.get("AITBC_SEEDS", "1")))
JOBS = int(os.environ.get("AITBC_CHAOS_JOBS", "100"))
CLIENTS = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def stack():
    with tempfile.TemporaryDirectory(prefix="aitbc-chaos-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        made = chaos.Stack(Path(folder), free_port())
        try:
            yield made
        finally:
            left = made.stop()
        assert left == [], f"stopping left processes behind: {left}"


@pytest.mark.torture
@pytest.mark.timeout(420)
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_anywhere_nothing_is_lost_or_paid_twice(stack, seed):
    witness, stop, kills = chaos.Witness(), threading.Event(), []
    deadline = time.monotonic() + 240
    each = JOBS // CLIENTS
    clients = [
        threading.Thread(target=chaos.client, args=(stack, n, each, 20.0 / each, witness, deadline))
        for n in range(CLIENTS)
    ]
    miners = [threading.Thread(target=chaos.miner, args=(stack, n, witness, stop, deadline)) for n in range(3)]
    killer = threading.Thread(target=chaos.nemesis, args=(stack, seed, 10, kills, stop))

    with chaos.running(*miners):
        with chaos.running(*clients, killer):
            pass
        states = chaos.settle_down(stack, witness, 180)
        stop.set()

    assert len(witness.accepted) == each * CLIENTS, f"seed {seed}, kills {kills}"
    assert Counter(states.values()) == {"settled": len(witness.accepted)}, f"seed {seed}, kills {kills}"
    for job, result in witness.results.items():
        assert chaos.result_of(stack, job)["echo"] == result["echo"]
    audit = stack.manage("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr

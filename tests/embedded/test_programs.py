"""Programs under the supervisor: what ends is started again, and leaves nothing beside its successor."""

from __future__ import annotations

import os
import sys
import time

import pytest
from rich.console import Console

from aitbc.embedded.services import Program
from tests.embedded.processes import eventually

pytestmark = [pytest.mark.no_db, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
PARENT = "sleep 1000 & echo $! > child; wait"


def runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_of_a_killed_program_do_not_outlive_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = Program("parent", ["sh", "-c", PARENT], dict(os.environ), Console(quiet=True))
    program.start()
    try:
        file = tmp_path / "child"
        eventually(lambda: file.exists() and file.read_text().strip(), 10, "it has a child")
        child, parent = int(file.read_text()), program.process.pid

        program.process.kill()
        program.process.wait()
        program.restart_ended()

        eventually(lambda: not runs(child), 10, "the child is gone")
        program.due = time.monotonic()
        program.restart_ended()
        assert program.process.pid != parent and program.process.poll() is None
    finally:
        program.stop()

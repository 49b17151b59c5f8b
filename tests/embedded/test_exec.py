"""`python -m aitbc.embedded exec`: servers for the length of one command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.processes import ROOT, eventually, of_folder

pytestmark = [pytest.mark.no_db, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
WITHOUT = {"DATABASE_URL", "REDIS_URL"}
PRINT = "import os; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL'])"


def start(*command: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in WITHOUT}
    wrapped = [sys.executable, "-m", "aitbc.embedded", "exec", "--", *command]
    return subprocess.Popen(wrapped, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def folder_of(url: str) -> Path:
    """The throw-away folder, from the Valkey URL."""
    return Path(url.split("unix://")[1]).parents[1]


def test_the_command_gets_both_urls_and_its_status_is_passed_on() -> None:
    with start(sys.executable, "-c", f"{PRINT}; raise SystemExit(7)") as process:
        output, _ = process.communicate(timeout=100)

    database, redis = output.split()
    assert process.returncode == 7
    assert database.startswith("postgresql://")
    assert not folder_of(redis).exists()


@pytest.mark.parametrize("ending", ["terminate", "kill"])
def test_however_it_ends_nothing_is_left_running(ending: str) -> None:
    with start(sys.executable, "-c", f"{PRINT}; import sys, signal; sys.stdout.flush(); signal.pause()") as process:
        assert process.stdout is not None
        var = folder_of(process.stdout.readline().split()[1])
        assert len(of_folder(var)) >= 3

        getattr(process, ending)()
        process.wait(60)

    eventually(lambda: not of_folder(var), 20, "the command and the servers are gone")
    assert ending == "kill" or not var.exists()

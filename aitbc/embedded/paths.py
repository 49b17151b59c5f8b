"""Where the servers' files may lie: closed to other users, yet open to the one who runs PostgreSQL when we are root."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from aitbc.embedded.processes import NOBODY, ServerFailed

# The address of a unix socket holds 108 bytes on Linux, 104 on macOS, the closing zero included.
SOCKET_LIMIT = 103


def is_root() -> bool:
    return os.geteuid() == 0


def reachable_by_nobody(path: Path) -> bool:
    """Whether another user may walk down to this folder."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def tag(path: Path) -> str:
    """A short name for a long path."""
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def home_of(var: Path) -> Path:
    """The folder of PostgreSQL's files: below `var`, or outside it when root's `var` is closed to the server's user.

    PostgreSQL refuses to run as root, and opening root's home folder for it is not ours to do. The name of the folder
    outside is drawn once and kept in `var`, so that a new `var` at the same path does not find the data of an old one.
    """
    preferred = var / "embedded"
    preferred.mkdir(parents=True, exist_ok=True)
    if not is_root() or reachable_by_nobody(var):
        return preferred
    name = preferred / "outside"
    with contextlib.suppress(FileExistsError), name.open("x") as file:
        file.write(secrets.token_hex(6))
    return Path("/var/lib/aitbc") / name.read_text()


def sockets_of(home: Path) -> Path:
    """The folder of its socket: a short one when the path would not fit into a socket's address."""
    preferred = home / "socket"
    if len(os.fsencode(preferred / ".s.PGSQL.5432")) <= SOCKET_LIMIT:
        return preferred
    return (Path("/run") if is_root() else Path(tempfile.gettempdir())) / f"aitbc-pg-{os.getuid()}-{tag(preferred)}"


def private(folder: Path) -> None:
    """Make a folder that only the user who runs the server may enter; refuse one that somebody else has put there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        owners = {0, NOBODY} if is_root() else {os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            raise ServerFailed(f"{folder} belongs to another user; remove it, or set AITBC_VAR_DIR") from None
    if is_root():
        os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)
    folder.chmod(0o700)

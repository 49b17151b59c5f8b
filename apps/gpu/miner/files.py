"""Files of the state folder: read so that nothing at their place can hold up the program, written to survive a crash.

Opening a FIFO waits for its other end, for ever; a directory can be neither read nor replaced.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from apps.gpu.logic.encoding import RESULT_LIMIT

SIZE_LIMIT = 2 * RESULT_LIMIT  # bytes; more than this program ever writes into one file
KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
}


class Unreadable(ValueError):
    """A file of the state folder is not what this program writes there."""


def irregular(file: Path) -> str:
    """Return what there is at a path in place of a file, e.g. "a directory"; "" for a file, or nothing at all."""
    try:
        kind = stat.S_IFMT(file.lstat().st_mode)
    except FileNotFoundError:
        return ""
    return "" if kind == stat.S_IFREG else KINDS.get(kind, "a device")


def opened(file: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError, and Unreadable for what is no regular file."""
    if kind := irregular(file):
        raise Unreadable(f"it is {kind} and no file")
    # It may have been replaced meanwhile.
    return open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb")


def content(file: Path, limit: int = SIZE_LIMIT) -> bytes:
    """Return what is in a file. Raises OSError, and Unreadable for no regular file or one above the limit (bytes)."""
    with opened(file) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f"it is larger than {limit} bytes")
    return data


def write(file: Path, data: bytes) -> None:
    """Write a file that survives a crash, or none. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(prefix=f"{file.stem[:100]}-", suffix=".tmp", dir=file.parent)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself must survive a power cut
    finally:
        os.close(folder)


def remove_unfinished(folder: Path) -> None:
    """Remove the files that a crash left half written. Raises OSError."""
    for file in folder.glob("*.tmp"):
        if not irregular(file):
            file.unlink(missing_ok=True)

"""Content-addressed bytes: what is too large for a row lives here, named by its SHA-256.

A blob is written and synced *before* any row names it, so a row never refers to
bytes a power cut can take away. The store behind it is the Django storage called
``blobs`` in ``settings.STORAGES``: a local folder by default, an S3-compatible one by setting.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone

from aitbc.core.errors import NotFound, TooLarge, Unavailable

log = logging.getLogger(__name__)

IN_MEMORY = 1 << 20  # larger bodies are spooled to disk while they are hashed
CHUNK = 1 << 16
GRACE = timedelta(hours=24)  # a blob may wait this long for the row that will name it
ADDRESS = re.compile(r"[0-9a-f]{64}")

Keeper = Callable[[Sequence[str]], set[str]]
_keepers: list[Keeper] = []


class BlobTooLarge(TooLarge):
    """The body is larger than this route takes."""


class BlobsUnavailable(Unavailable):
    """The store takes no bytes: its disk is full, read-only or away."""


class BlobNotFound(NotFound):
    """There is no such blob."""


@dataclass(frozen=True)
class Stored:
    """A blob that is safely on disk."""

    sha256: str
    size: int


class LocalBlobStorage(FileSystemStorage):
    """A folder of blobs; a name is final once the file *and* its folder are synced."""

    def __init__(self, location: str | os.PathLike[str] | None = None, **options: Any) -> None:
        super().__init__(location=location or settings.BLOB_DIR, **options)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Keep the name: equal names mean equal bytes here."""
        return name

    def _save(self, name: str, content: File[bytes]) -> str:
        target = Path(self.path(name))
        self._folder(target.parent)
        with _locked(target.parent) as folder:
            if target.exists():
                os.utime(target)  # young again, so that the collector lets the new row arrive
            else:
                _write_synced(target, content)
            os.fsync(folder)
        return name

    def _folder(self, folder: Path) -> None:
        """Make the shard's folder so that it survives a power cut, parents included."""
        if folder.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (folder.parent, folder.parent.parent):
            _sync_folder(parent)

    def delete_if_older(self, name: str, moment: datetime) -> bool:
        """Delete under the same lock that `_save` takes, so a revived blob stays."""
        target = Path(self.path(name))
        if not target.exists():
            return False
        with _locked(target.parent):
            if not target.exists() or target.stat().st_mtime >= moment.timestamp():
                return False
            target.unlink()
        return True


def put(chunks: Iterable[bytes], *, limit: int, admit: Callable[[Stored], None] | None = None) -> Stored:
    """Store these bytes and return their address once they cannot be lost.

    More than ``limit`` bytes raise BlobTooLarge after reading at most one chunk too many. ``admit`` is called with
    what has been read before any of it is stored; what it raises leaves nothing behind.
    """
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise BlobTooLarge(f"At most {limit} bytes are accepted here.", limit=limit)
            digest.update(chunk)
            spool.write(chunk)
        spool.seek(0)
        read = Stored(digest.hexdigest(), size)
        if admit is not None:
            admit(read)
        try:
            _storage().save(_name(read.sha256), File(cast("IO[bytes]", spool), name=read.sha256))
        except OSError as error:
            log.error("a blob cannot be stored: %s", error)
            raise BlobsUnavailable("Files cannot be stored at the moment.") from error
    return read


def open(sha256: str) -> BinaryIO:
    """Open a blob for reading; BlobNotFound when it is not there."""
    try:
        return cast("BinaryIO", _storage().open(_name(sha256), "rb"))
    except FileNotFoundError:
        raise BlobNotFound(f"No blob {sha256}.") from None


def read(sha256: str) -> bytes:
    """Read a whole blob into memory."""
    with open(sha256) as source:
        return source.read()


def chunks_of(source: IO[bytes]) -> Iterator[bytes]:
    """Read an open file piece by piece and close it, for streamed answers and uploads."""
    with source:
        while chunk := source.read(CHUNK):
            yield chunk


def exists(sha256: str) -> bool:
    """Tell whether the blob is in the store."""
    return bool(ADDRESS.fullmatch(sha256)) and _storage().exists(_name(sha256))


def delete(sha256: str) -> None:
    """Remove a blob now; the caller knows that no row names it. Absent is fine."""
    _storage().delete(_name(sha256))


def intact(sha256: str) -> bool:
    """Tell whether the stored bytes still hash to their name."""
    if not exists(sha256):
        return False
    digest = hashlib.sha256()
    for chunk in chunks_of(open(sha256)):
        digest.update(chunk)
    return digest.hexdigest() == sha256


def keeper(function: Keeper) -> Keeper:
    """Register a domain's answer to "which of these addresses do your rows still name?"."""
    if function not in _keepers:
        _keepers.append(function)
    return function


def collect(*, grace: timedelta = GRACE, batch: int = 500) -> int:
    """Delete blobs older than the grace that no domain's rows name; return how many."""
    moment, removed, pending = timezone.now() - grace, 0, []
    for sha256 in _older_than(moment):
        pending.append(sha256)
        if len(pending) == batch:
            removed, pending = removed + _collect(pending, moment), []
    return removed + _collect(pending, moment)


def _collect(addresses: Sequence[str], moment: datetime) -> int:
    kept: set[str] = set()
    for ask in _keepers:
        kept |= ask(addresses)
    return sum(_discard(sha256, moment) for sha256 in addresses if sha256 not in kept)


def _discard(sha256: str, moment: datetime) -> bool:
    store = _storage()
    if isinstance(store, LocalBlobStorage):
        return store.delete_if_older(_name(sha256), moment)
    store.delete(_name(sha256))
    return True


def _older_than(moment: datetime) -> Iterator[str]:
    store = _storage()
    for first in _folders(store, ""):
        for name in store.listdir(first)[1]:
            if ADDRESS.fullmatch(name) and store.get_modified_time(f"{first}/{name}") < moment:
                yield name


def _folders(store: Storage, path: str) -> list[str]:
    try:
        return sorted(store.listdir(path)[0])
    except FileNotFoundError:
        return []


def _name(sha256: str) -> str:
    if not ADDRESS.fullmatch(sha256):
        raise BlobNotFound("A blob is named by 64 lower-case hex digits.")
    return f"{sha256[:2]}/{sha256}"


def _storage() -> Storage:
    return storages["blobs"]


def _write_synced(target: Path, content: File[bytes]) -> None:
    """Write beside the target and rename: a reader sees all the bytes or no file."""
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=".draft-")
    try:
        with os.fdopen(descriptor, "wb") as out:
            for chunk in content.chunks(CHUNK):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        os.replace(draft, target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the folder's lock across processes; yields its descriptor for fsync."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

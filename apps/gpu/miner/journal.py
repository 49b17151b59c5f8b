"""The state folder: deliveries not yet acknowledged, one file each, so that no computed result is ever lost.

`outbox/` has the deliveries to send, `parked/` those that cannot be, `running/` the jobs in progress (handed back after
a crash), `checkpoints/` the last states of jobs, `inputs/` downloads, `name.json` the name of the miner. A file is
written under another name, synced, and renamed. What is no regular file, or none that can be read, is moved to
`parked/`: one bad item stops no other.
"""

import fcntl
import json
import logging
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.gpu.logic.encoding import MAX_DEPTH, MAX_INTEGER, encode, valid_text
from apps.gpu.miner import files
from apps.gpu.miner.files import Unreadable
from apps.gpu.miner.parking import JOB_ID, ParkedDeliveries

log = logging.getLogger("aitbc.miner")

FOLDERS = ("outbox", "running", "checkpoints", "inputs")
FILE_DEPTH = MAX_DEPTH + 1  # a delivery's body is one level below the file
BEGINNING = re.compile(rb'\{"job_id":"[A-Za-z0-9_-]+","attempt":(\d{1,9}),"verb":')  # of an outbox file


class StateInUse(Exception):
    """Another miner works with this state folder."""


@dataclass(frozen=True)
class Delivery:
    """The outcome of one attempt at a job, to be sent to the exchange: `verb` is result or fail.

    Its members are the members of an outbox file.
    """

    job_id: str
    attempt: int | None
    verb: str
    body: dict[str, Any]


def failure(code: str, message: str) -> dict[str, Any]:
    """Return the body of a failure; `error` is the legacy name of the message."""
    text = valid_text(message)
    return {"error_code": code, "error_message": text, "error": text}


class Journal:
    """The state folder of one miner; a lock on it keeps a second miner out (StateInUse)."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.added = threading.Event()
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.parked = ParkedDeliveries(folder)
        self._lock = os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600), "wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateInUse(f"{folder} is in use by another miner; give this one its own --state-dir") from None
        for part in (folder, *(folder / name for name in FOLDERS)):
            files.remove_unfinished(part)
        self._undelivered: dict[str, int | None] = {}
        self._undelivered = {delivery.job_id: delivery.attempt for delivery in self.pending()}

    def name(self) -> str:
        """Return the name of the miner whose state this is, made at its first start.

        For an unnamed miner the exchange takes the one that registered last with the same key, which may be another.
        """
        file = self.folder / "name.json"
        stored = (_read(file) or {}).get("name")
        if not isinstance(stored, str) or not re.fullmatch(r"[A-Za-z0-9.-]{1,128}", stored):
            stored = f"{re.sub(r'[^A-Za-z0-9.-]', '-', socket.gethostname())[:60]}-{secrets.token_hex(4)}"
            self._write(file, {"name": stored})
        return stored

    def start(self, job_id: str, attempt: int | None) -> None:
        """Record that this miner works on the job. Raises OSError, or ValueError for an id that is no file name."""
        self._write(self._file("running", job_id), {"job_id": job_id, "attempt": attempt})

    def interrupted(self) -> list[tuple[str, int | None]]:
        """Return (job id, attempt) of the jobs that ran when this miner died and have no delivery."""
        running = [(file.stem, _attempt((_read(file) or {}).get("attempt"))) for file in self._files("running")]
        return [job for job in running if job not in self.undelivered()]

    def add(self, delivery: Delivery) -> None:
        """Store a delivery; on return it survives a crash, and the job no longer counts as running.

        Raises OSError, and Unencodable for one that could never be sent.
        """
        self._write(self._file("outbox", delivery.job_id), vars(delivery))
        self._undelivered[delivery.job_id] = delivery.attempt
        self.forget(delivery.job_id)
        self.added.set()

    def undelivered(self) -> list[tuple[str, int | None]]:
        """Return (job id, attempt) of each delivery still to be sent."""
        return list(self._undelivered.items())

    def pending(self) -> list[Delivery]:
        """Return the deliveries still to be sent, oldest first; a file that is none of them is parked."""
        found = []
        for file in self._files("outbox"):
            try:
                found.append(_delivery(file))
            except FileNotFoundError:
                continue  # acknowledged meanwhile
            except Unreadable as error:
                with suppress(OSError):  # it cannot be moved now: the next pass tries again
                    found += self._replaced(file, str(error))
        return found

    def age(self, delivery: Delivery) -> float:
        """Return for how many seconds this delivery has been stored."""
        with suppress(OSError):
            return max(time.time() - self._file("outbox", delivery.job_id).stat().st_mtime, 0.0)
        return 0.0

    def park(self, delivery: Delivery, reason: str) -> None:
        """Put a delivery aside that can never be sent. Raises OSError."""
        if self._stored(delivery):
            self.parked.take(self._file("outbox", delivery.job_id), reason)
            self._undelivered.pop(delivery.job_id, None)
        else:
            self.parked.write(delivery.job_id, vars(delivery), reason)

    def acknowledge(self, delivery: Delivery) -> None:
        """Remove a delivery that the exchange took, or refused for good; a newer one for the same job stays."""
        if self._stored(delivery):
            self._file("outbox", delivery.job_id).unlink()
            self._undelivered.pop(delivery.job_id, None)

    def forget(self, job_id: str) -> None:
        """Remove the record that this miner works on the job."""
        self._remove(self._file("running", job_id))

    def save_checkpoint(self, job_id: str, state: Any) -> None:
        """Store a state from which the job can go on."""
        self._write(self._file("checkpoints", job_id), {"state": state})

    def checkpoint(self, job_id: str) -> Any:
        """Return the last state stored for this job, None if there is none."""
        return (_read(self._file("checkpoints", job_id)) or {}).get("state")

    def drop_checkpoint(self, job_id: str) -> None:
        """Remove the state of a job that has ended."""
        self._remove(self._file("checkpoints", job_id))

    def input_file(self, job_id: str) -> Path:
        """Return the path of a job's input."""
        return self._file("inputs", job_id).with_suffix(".bin")

    def drop_input(self, job_id: str) -> None:
        """Remove the input of a job, or whatever is in its place."""
        self._remove(self.input_file(job_id))

    def close(self) -> None:
        """Release the folder for another miner."""
        self._lock.close()

    def _replaced(self, file: Path, reason: str) -> list[Delivery]:
        """Park an outbox file, and store a failure in its place where the attempt can still be read. Raises OSError."""
        head = b""
        with suppress(OSError, Unreadable), files.opened(file) as stream:
            head = stream.read(300)
        self._put_aside(file, reason)
        beginning = BEGINNING.match(head)
        if beginning is None:
            return []  # the exchange learns by the end of the lease
        attempt = int(beginning[1])
        replaced = Delivery(file.stem, attempt, "fail", failure("ENGINE_ERROR", reason) | {"attempt": attempt})
        self.add(replaced)
        return [replaced]

    def _stored(self, delivery: Delivery) -> bool:
        """Whether the outbox has this delivery, and not a newer one for the same job."""
        stored = _read(self._file("outbox", delivery.job_id)) or {}
        return (stored.get("attempt"), stored.get("verb")) == (delivery.attempt, delivery.verb)

    def _file(self, kind: str, job_id: str) -> Path:
        # The id comes from the exchange: it must not lead out of the folder.
        if not JOB_ID.fullmatch(job_id):
            raise ValueError(f"{job_id[:128]!r} is no job id")
        return self.folder / kind / f"{job_id}.json"

    def _files(self, kind: str) -> Iterator[Path]:
        """Yield the files of jobs, oldest first; what is no regular file is put aside."""
        found = []
        for file in (self.folder / kind).glob("*.json"):
            if JOB_ID.fullmatch(file.stem) and self._is_regular(file):
                with suppress(FileNotFoundError):  # acknowledged meanwhile
                    found.append((file.lstat().st_mtime_ns, file))
        yield from (file for _, file in sorted(found))

    def _is_regular(self, file: Path) -> bool:
        """Whether this is a regular file; anything else is put aside."""
        kind = files.irregular(file)
        if kind:
            try:
                self._put_aside(file, f"it is {kind} and no file")
            except OSError as error:
                log.error("%s is %s and cannot be put aside: %s", file, kind, error)
        return not kind

    def _put_aside(self, file: Path, reason: str) -> None:
        """Move what is not a file of this program's to `parked/`. Raises OSError."""
        log.error("%s is put aside: %s", file, reason)
        kind = "state" if file.parent == self.folder else file.parent.name
        self.parked.take(file, reason, file.stem if kind == "outbox" else f"{kind}-{file.stem}")
        if kind == "outbox":
            self._undelivered.pop(file.stem, None)

    def _write(self, file: Path, content: dict[str, Any]) -> None:
        """Write a file that survives a crash, or none. Raises OSError, Unencodable."""
        encoded = encode(content, depth=FILE_DEPTH)
        self._is_regular(file)  # no file can take the place of a directory
        files.write(file, encoded)

    def _remove(self, file: Path) -> None:
        """Remove a file that is not needed any more: where that fails, nothing is lost by it."""
        try:
            if self._is_regular(file):
                file.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s cannot be removed: %s", file, error)


def _delivery(file: Path) -> Delivery:
    """Read an outbox file. Raises Unreadable, FileNotFoundError."""
    content = _parsed(file)
    named = set(content) == set(Delivery.__annotations__) and content["job_id"] == file.stem
    if not named or content["verb"] not in ("result", "fail") or not isinstance(content["body"], dict):
        raise Unreadable("the stored outcome has not the members of one")
    return Delivery(**content | {"attempt": _attempt(content["attempt"])})


def _attempt(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER else None


def _parsed(file: Path) -> dict[str, Any]:
    """Return the object in a file. Raises Unreadable, FileNotFoundError."""
    try:
        content = json.loads(files.content(file))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"the stored outcome cannot be read: {type(error).__name__}: {error}"[:300]) from error
    if not isinstance(content, dict):
        raise Unreadable("the stored outcome is not a JSON object")
    return content


def _read(file: Path) -> dict[str, Any] | None:
    """Return the object in a file; None when there is no file, or none that can be read."""
    try:
        return _parsed(file)
    except (FileNotFoundError, Unreadable):
        return None

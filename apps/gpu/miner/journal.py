"""The state folder: deliveries not yet acknowledged, one file each, so that no computed result is ever lost.

`outbox/` has the deliveries to send, `running/` the jobs in progress (handed back after a crash), `checkpoints/`
the last states of jobs, `inputs/` downloads, `name.json` the name of the miner. A file is written under another name,
synced, and renamed.
"""

import fcntl
import json
import os
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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


class Journal:
    """The state folder of one miner; a lock on it keeps a second miner out (StateInUse)."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.added = threading.Event()
        for name in ("outbox", "running", "checkpoints", "inputs"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.fdopen(os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateInUse(f"{folder} is in use by another miner; give this one its own --state-dir") from None
        self._undelivered = {delivery.job_id: delivery.attempt for delivery in self.pending()}

    def name(self) -> str:
        """Return the name of the miner whose state this is, made at its first start.

        For an unnamed miner the exchange takes the one that registered last with the same key, which may be another.
        """
        file = self.folder / "name.json"
        if (stored := _read(file)) is None:
            stored = {"name": f"{re.sub(r'[^A-Za-z0-9.-]', '-', socket.gethostname())[:60]}-{secrets.token_hex(4)}"}
            _write(file, stored)
        return str(stored["name"])

    def start(self, job_id: str, attempt: int | None) -> None:
        """Record that this miner works on the job. Raises OSError, or ValueError for an id that is no file name."""
        _write(self._file("running", job_id), {"job_id": job_id, "attempt": attempt})

    def interrupted(self) -> list[tuple[str, int | None]]:
        """Return (job id, attempt) of the jobs that ran when this miner died and have no delivery."""
        running = [(entry["job_id"], entry["attempt"]) for entry in self._entries("running")]
        return [job for job in running if job not in self.undelivered()]

    def add(self, delivery: Delivery) -> None:
        """Store a delivery; on return it survives a crash, and the job no longer counts as running. Raises OSError."""
        _write(self._file("outbox", delivery.job_id), vars(delivery))
        self._undelivered[delivery.job_id] = delivery.attempt
        self.forget(delivery.job_id)
        self.added.set()

    def undelivered(self) -> list[tuple[str, int | None]]:
        """Return (job id, attempt) of each delivery still to be sent."""
        return list(self._undelivered.items())

    def pending(self) -> list[Delivery]:
        """Return the deliveries still to be sent, oldest first."""
        return [Delivery(**entry) for entry in self._entries("outbox")]

    def acknowledge(self, delivery: Delivery) -> None:
        """Remove a delivery that the exchange took, or refused for good; a newer one for the same job stays."""
        file = self._file("outbox", delivery.job_id)
        stored = _read(file)
        if stored and stored["attempt"] == delivery.attempt and stored["verb"] == delivery.verb:
            file.unlink()
            self._undelivered.pop(delivery.job_id, None)

    def forget(self, job_id: str) -> None:
        """Remove the record that this miner works on the job."""
        self._file("running", job_id).unlink(missing_ok=True)

    def save_checkpoint(self, job_id: str, state: Any) -> None:
        """Store a state from which the job can go on."""
        _write(self._file("checkpoints", job_id), {"state": state})

    def checkpoint(self, job_id: str) -> Any:
        """Return the last state stored for this job, None if there is none."""
        return (_read(self._file("checkpoints", job_id)) or {}).get("state")

    def drop_checkpoint(self, job_id: str) -> None:
        """Remove the state of a job that has ended."""
        self._file("checkpoints", job_id).unlink(missing_ok=True)

    def input_file(self, job_id: str) -> Path:
        """Return the path of a job's input."""
        return self._file("inputs", job_id).with_suffix(".bin")

    def close(self) -> None:
        """Release the folder for another miner."""
        self._lock.close()

    def _file(self, kind: str, job_id: str) -> Path:
        # The id comes from the exchange: it must not lead out of the folder.
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", job_id):
            raise ValueError(f"{job_id[:128]!r} is no job id")
        return self.folder / kind / f"{job_id}.json"

    def _entries(self, kind: str) -> Iterator[dict[str, Any]]:
        files = [(file.stat().st_mtime_ns, file) for file in (self.folder / kind).glob("*.json")]
        for _, file in sorted(files):
            if entry := _read(file):
                yield entry


def _write(file: Path, content: dict[str, Any]) -> None:
    temporary = file.with_suffix(".tmp")
    with open(temporary, "w") as stream:
        json.dump(content, stream, separators=(",", ":"))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself must survive a power cut
    finally:
        os.close(folder)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None  # acknowledged meanwhile, or never completely written
    return content

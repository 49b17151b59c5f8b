"""Answers not yet acknowledged, one file each: a result that was computed is never lost, whatever dies.

`outbox/` holds what must be sent, `running/` the jobs in hand (handed back after a crash), `checkpoints/`
the last states of jobs, `inputs/` downloads, `name.json` the name of the miner. A file is written beside its place,
synced, and renamed into it.
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
class Answer:
    """What the exchange must hear about one attempt of a job: `verb` is result or fail."""

    job_id: str
    attempt: int | None
    verb: str
    body: dict[str, Any]


class Journal:
    """The state folder of one miner; a lock on it keeps a second miner out."""

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
        self._waiting = {answer.job_id: answer.attempt for answer in self.pending()}

    def name(self) -> str:
        """The name of the miner whose state this is, made at its first start.

        Without a name the exchange takes the miner that registered last with the same key: another one, perhaps.
        """
        file = self.folder / "name.json"
        if (kept := _read(file)) is None:
            kept = {"name": f"{re.sub(r'[^A-Za-z0-9.-]', '-', socket.gethostname())[:60]}-{secrets.token_hex(4)}"}
            _write(file, kept)
        return str(kept["name"])

    def started(self, job_id: str, attempt: int | None) -> None:
        """Remember that we hold this job."""
        _write(self._file("running", job_id), {"job_id": job_id, "attempt": attempt})

    def abandoned(self) -> list[tuple[str, int | None]]:
        """Return the jobs that a predecessor held when it died, for which no answer is waiting."""
        held = [(entry["job_id"], entry["attempt"]) for entry in self._entries("running")]
        return [job for job in held if job not in self.waiting()]

    def add(self, answer: Answer) -> None:
        """Write an answer down; on return it survives a crash, and the job counts as done here."""
        _write(self._file("outbox", answer.job_id), vars(answer))
        self._waiting[answer.job_id] = answer.attempt
        self.forget_run(answer.job_id)
        self.added.set()

    def waiting(self) -> list[tuple[str, int | None]]:
        """Return the attempts whose answers are still to be sent."""
        return list(self._waiting.items())

    def pending(self) -> list[Answer]:
        """Return the answers still to be sent, oldest first."""
        return [Answer(**entry) for entry in self._entries("outbox")]

    def acknowledged(self, answer: Answer) -> None:
        """Drop an answer the exchange has taken, or has refused for good; a newer answer for the job stays."""
        file = self._file("outbox", answer.job_id)
        if (now := _read(file)) and now["attempt"] == answer.attempt and now["verb"] == answer.verb:
            file.unlink()
            self._waiting.pop(answer.job_id, None)

    def forget_run(self, job_id: str) -> None:
        """The job is no longer ours to hand back."""
        self._file("running", job_id).unlink(missing_ok=True)

    def save_checkpoint(self, job_id: str, state: Any) -> None:
        """Keep a state from which the job can go on."""
        _write(self._file("checkpoints", job_id), {"state": state})

    def checkpoint(self, job_id: str) -> Any:
        """Return the last state kept for this job, None if there is none."""
        return (_read(self._file("checkpoints", job_id)) or {}).get("state")

    def drop_checkpoint(self, job_id: str) -> None:
        """The job has ended; its state is of no more use."""
        self._file("checkpoints", job_id).unlink(missing_ok=True)

    def input_file(self, job_id: str) -> Path:
        """Return where a job's input belongs."""
        return self._file("inputs", job_id).with_suffix(".bin")

    def close(self) -> None:
        """Let another miner use the folder."""
        self._lock.close()

    def _file(self, kind: str, job_id: str) -> Path:
        # The id comes from the exchange: it must not lead out of the folder.
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", job_id):
            raise ValueError(f"{job_id[:128]!r} is no job id")
        return self.folder / kind / f"{job_id}.json"

    def _entries(self, kind: str) -> Iterator[dict[str, Any]]:
        found = [(file.stat().st_mtime_ns, file) for file in (self.folder / kind).glob("*.json")]
        for _, file in sorted(found):
            if entry := _read(file):
                yield entry


def _write(file: Path, content: dict[str, Any]) -> None:
    beside = file.with_suffix(".tmp")
    with open(beside, "w") as stream:
        json.dump(content, stream, separators=(",", ":"))
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself must survive a power cut
    finally:
        os.close(folder)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None  # acknowledged meanwhile, or never completely written

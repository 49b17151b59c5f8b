"""Outcomes of jobs that can never be sent, put aside so that the others are: `parked/` of the state folder.

Of each there are the outcome as it was (`<job id>.json`) and why it is here (`<job id>.txt`). The newest hundred stay.
"""

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.gpu.logic.encoding import decoded, valid_text
from apps.gpu.miner import files

MOST = 100
LONGEST_ID = 128
JOB_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_ID}}}")


@dataclass(frozen=True)
class Parked:
    """One outcome that was put aside."""

    job_id: str
    reason: str
    at: datetime
    size: int  # bytes

    def to_json(self) -> dict[str, Any]:
        """Return it as `aitbc-miner parked` lists it."""
        return {
            "job_id": self.job_id,
            "parked_at": self.at.isoformat(timespec="seconds"),
            "size_bytes": self.size,
            "reason": self.reason,
        }


class ParkedDeliveries:
    """The outcomes put aside in a state folder; may be read while a miner works with it."""

    def __init__(self, state_folder: Path):
        self.folder = state_folder / "parked"

    def take(self, file: Path, reason: str, name: str = "") -> None:
        """Move a file of the outbox here, or whatever is in the place of a file (under this name). Raises OSError."""
        job_id = (name or file.stem)[:LONGEST_ID]
        self._explain(job_id, reason)
        with suppress(FileNotFoundError):  # moved meanwhile
            file.rename(self._file(job_id))

    def write(self, job_id: str, content: dict[str, Any], reason: str) -> None:
        """Put an outcome aside that never was in the outbox; what is no JSON becomes text. Raises OSError."""
        self._explain(job_id, reason)
        try:
            text = json.dumps(content, skipkeys=True, default=repr)
        except (ValueError, RecursionError):  # it contains itself, or is nested without end
            text = ascii({"job_id": job_id, "too_deep": True})
        (self.folder / f"{job_id}.json").write_text(text)

    def entries(self) -> list[Parked]:
        """Return what is here, oldest first."""
        found = []
        for file in self.folder.glob("*.json"):
            with suppress(FileNotFoundError):  # dropped meanwhile
                status = file.lstat()
                at = datetime.fromtimestamp(status.st_mtime, UTC)
                found.append(Parked(file.stem, self._reason(file), at, status.st_size))
        return sorted(found, key=lambda parked: (parked.at, parked.job_id))

    def show(self, job_id: str) -> bytes | None:
        """Return an outcome as it was; None when it is not here. Raises Unreadable for what is no file, or too long."""
        with suppress(OSError):
            return files.content(self._file(job_id)) if JOB_ID.fullmatch(job_id) else None
        return None

    def drop(self, job_id: str) -> bool:
        """Delete an outcome; return whether it was here. Raises OSError."""
        if not JOB_ID.fullmatch(job_id) or not _is_there(self._file(job_id)):
            return False
        self._clear(job_id)
        return True

    def _explain(self, job_id: str, reason: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for parked in self.entries()[: -MOST + 1]:
            self.drop(parked.job_id)
        self._clear(job_id)  # the newest outcome of a job stays
        with suppress(OSError):  # a full disk: the outcome itself needs no more room
            self._file(job_id).with_suffix(".txt").write_text(valid_text(reason)[:1000], encoding="utf-8")

    def _clear(self, job_id: str) -> None:
        _delete(self._file(job_id))
        _delete(self._file(job_id).with_suffix(".txt"))

    def _file(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"

    def _reason(self, file: Path) -> str:
        with suppress(OSError, files.Unreadable):
            return decoded(files.content(file.with_suffix(".txt")))
        return ""


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _delete(path: Path) -> None:
    """Delete a file, or what is in its place: only the link itself, and a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

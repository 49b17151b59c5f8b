"""Outcomes of jobs that can never be sent, put aside so that the others are: `parked/` of the state folder.

Of each there are the outcome as it was (`<job id>.json`) and why it is here (`<job id>.txt`). The newest hundred stay.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.gpu.logic.encoding import decoded, valid_text

MOST = 100
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


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

    def take(self, file: Path, reason: str) -> None:
        """Move a file of the outbox here. Raises OSError."""
        self._explain(file.stem, reason)
        with suppress(FileNotFoundError):  # moved meanwhile
            file.replace(self.folder / file.name)

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
                status = file.stat()
                at = datetime.fromtimestamp(status.st_mtime, UTC)
                found.append(Parked(file.stem, self._reason(file), at, status.st_size))
        return sorted(found, key=lambda parked: (parked.at, parked.job_id))

    def show(self, job_id: str) -> bytes | None:
        """Return an outcome as it was; None when it is not here."""
        with suppress(OSError):
            return self._file(job_id).read_bytes() if JOB_ID.fullmatch(job_id) else None
        return None

    def drop(self, job_id: str) -> bool:
        """Delete an outcome; return whether it was here. Raises OSError."""
        if not JOB_ID.fullmatch(job_id) or not self._file(job_id).exists():
            return False
        self._file(job_id).unlink(missing_ok=True)
        self._file(job_id).with_suffix(".txt").unlink(missing_ok=True)
        return True

    def _explain(self, job_id: str, reason: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for parked in self.entries()[: -MOST + 1]:
            self.drop(parked.job_id)
        with suppress(OSError):  # a full disk: the outcome itself needs no more room
            self._file(job_id).with_suffix(".txt").write_text(valid_text(reason)[:1000], encoding="utf-8")

    def _file(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"

    def _reason(self, file: Path) -> str:
        with suppress(OSError):
            return decoded(file.with_suffix(".txt").read_bytes())
        return ""

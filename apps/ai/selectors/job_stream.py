"""A job's moves and progress as an event stream that survives reconnects.

The cursor is "<seq of the last move>.<seq of the last progress>": every move is sent exactly once,
of progress only the latest, which is all a latecomer can use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from aitbc.core.errors import Invalid
from apps.ai.models import AIJob, JobEvent

CURSOR = re.compile(r"(-1|\d{1,9})\.(\d{1,9})")


class StreamCursorInvalid(Invalid):
    """The cursor is not one of this stream's."""


@dataclass(frozen=True)
class Cursor:
    """What the reader has already seen."""

    move: int = -1
    progress: int = 0

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        if not text:
            return cls()
        match = CURSOR.fullmatch(text) if text.isascii() else None
        if match is None:
            raise StreamCursorInvalid("It looks like 3.17; it is the id of the last event received.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.move}.{self.progress}"


def news(job: AIJob, seen: Cursor) -> tuple[bytes, Cursor]:
    """The events after the cursor as bytes of text/event-stream, and the cursor behind them."""
    written, cursor = [], seen
    for event, data, cursor in _events(job, seen):
        written.append(b"id: %s\nevent: %s\ndata: %s\n\n" % (str(cursor).encode(), event, orjson.dumps(data)))
    return b"".join(written), cursor


def _events(job: AIJob, seen: Cursor) -> Iterator[tuple[bytes, dict[str, Any], Cursor]]:
    cursor = seen
    moves = JobEvent.objects.filter(subject_id=job.pk, seq__gt=seen.move, seq__lte=job.version).order_by("seq")
    for move in moves:
        cursor = Cursor(move.seq, cursor.progress)
        yield b"state", _move(job, move), cursor
    if job.progress_seq > seen.progress:
        cursor = Cursor(cursor.move, job.progress_seq)
        yield b"progress", _progress(job), cursor


def _move(job: AIJob, move: JobEvent) -> dict[str, Any]:
    return {
        "job_id": job.pk, "seq": move.seq, "from": move.from_state, "state": move.to_state, "actor": move.actor,
        "reason": move.reason, "detail": move.detail, "at": move.at,
    }  # fmt: skip


def _progress(job: AIJob) -> dict[str, Any]:
    return {"job_id": job.pk, "attempt": job.attempt, "progress": job.progress, "note": job.progress_note}

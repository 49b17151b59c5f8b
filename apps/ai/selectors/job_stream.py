"""A job's transitions and progress as an event stream that survives reconnects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from apps.ai.errors import StreamCursorInvalid
from apps.ai.models import AIJob, JobEvent

CURSOR = re.compile(r"(-1|\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True)
class Cursor:
    """How far a client has read: "<seq of the last transition>.<seq of the last progress>".

    Every transition is sent exactly once; of the progress only the latest, which is all a reconnecting client can use.
    """

    transition: int = -1
    progress: int = 0

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Return the cursor in a text; none or an empty one is the start. Raises StreamCursorInvalid."""
        if not text:
            return cls()
        match = CURSOR.fullmatch(text) if text.isascii() else None
        if match is None:
            raise StreamCursorInvalid("It looks like 3.17; it is the id of the last event received.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.transition}.{self.progress}"


def new_events(job: AIJob, seen: Cursor) -> tuple[bytes, Cursor]:
    """Return the events after the cursor as bytes of text/event-stream, and the cursor after them."""
    parts, cursor = [], seen
    for name, data, cursor in _events(job, seen):
        parts.append(b"id: %s\nevent: %s\ndata: %s\n\n" % (str(cursor).encode(), name, orjson.dumps(data)))
    return b"".join(parts), cursor


def _events(job: AIJob, seen: Cursor) -> Iterator[tuple[bytes, dict[str, Any], Cursor]]:
    cursor = seen
    missed = {"seq__gt": seen.transition, "seq__lte": job.version}
    for transition in JobEvent.objects.filter(subject_id=job.pk, **missed).order_by("seq"):
        cursor = Cursor(transition.seq, cursor.progress)
        yield b"state", _transition(job, transition), cursor
    if job.progress_seq > seen.progress:
        cursor = Cursor(cursor.transition, job.progress_seq)
        yield b"progress", _progress(job), cursor


def _transition(job: AIJob, one: JobEvent) -> dict[str, Any]:
    return {
        "job_id": job.pk, "seq": one.seq, "from": one.from_state, "state": one.to_state, "actor": one.actor,
        "reason": one.reason, "detail": one.detail, "at": one.at,
    }  # fmt: skip


def _progress(job: AIJob) -> dict[str, Any]:
    return {"job_id": job.pk, "attempt": job.attempt, "progress": job.progress, "note": job.progress_note}

"""Moving many jobs at once, each with its own values: two statements however many jobs there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from django.db import connections
from django.db.models import Field

from aitbc.core import pubsub
from aitbc.core.db import alias_of, on_commit
from aitbc.core.states import Recorded
from apps.ai.models import AIJob, JobEvent

BATCH_OF_TOPICS = 80  # topics that fit one wake-up datagram


@dataclass(frozen=True, kw_only=True)
class Move:
    """One job's next state, who brings it there, why, and the columns that change with it."""

    job: AIJob
    to: str
    actor: str
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


def carry_out(moves: Sequence[Move]) -> None:
    """Make these moves, guarded by state and version like advance(), and record each.

    The jobs are rows this transaction has locked: one that moved meanwhile is a defect, not a race,
    so it raises the StateConflict that advance() would.
    """
    for move in moves:
        if move.to not in AIJob.TRANSITIONS[move.job.state]:
            raise move.job.conflict(move.to)
    for group in _alike(moves):
        _update(group)
    JobEvent.record(*(_event(move) for move in moves))
    for move in moves:
        _take_over(move)
    announce(move.job.pk for move in moves)


def announce(ids: Iterable[Any]) -> None:
    """Wake whoever watches these jobs, once the transaction has committed."""
    topics = [f"job:{pk}" for pk in ids]
    for start in range(0, len(topics), BATCH_OF_TOPICS):
        part = topics[start : start + BATCH_OF_TOPICS]
        on_commit(AIJob, partial(pubsub.send, *part))


def _alike(moves: Sequence[Move]) -> list[list[Move]]:
    groups: dict[tuple[str, ...], list[Move]] = {}
    for move in moves:
        groups.setdefault(tuple(sorted(move.fields)), []).append(move)
    return list(groups.values())


def _update(group: Sequence[Move]) -> None:
    """UPDATE … FROM unnest(one array per column): the statement's text depends only on the set of columns."""
    connection = connections[alias_of(AIJob)]
    columns = [cast("Field[Any, Any]", AIJob._meta.get_field(name)) for name in sorted(group[0].fields)]
    casts = ["uuid[]", "text[]", "integer[]", "text[]", *(f"{one.db_type(connection)}[]" for one in columns)]
    names = ["id", "was", "version", "state", *(one.column for one in columns)]
    assignments = ", ".join(f'"{one.column}" = v."{one.column}"' for one in columns)
    values: list[Any] = [
        [move.job.pk for move in group], [str(move.job.state) for move in group],
        [move.job.version for move in group], [str(move.to) for move in group],
        *([one.get_db_prep_save(move.fields[one.name], connection) for move in group] for one in columns),
    ]  # fmt: skip
    statement = f"""UPDATE ai_job j SET state = v.state, version = j.version + 1{", " if columns else ""}{assignments}
FROM unnest({", ".join(f"%s::{cast}" for cast in casts)}) AS v({", ".join(f'"{name}"' for name in names)})
WHERE j.id = v.id AND j.state = v.was AND j.version = v.version"""
    with connection.cursor() as sql:
        sql.execute(statement, values)
        if sql.rowcount != len(group):
            raise group[0].job.conflict(group[0].to)


def _event(move: Move) -> Recorded:
    seq = move.job.version + 1
    return Recorded(move.job.pk, seq, move.job.state, move.to, move.actor, move.reason, dict(move.detail))


def _take_over(move: Move) -> None:
    move.job.state, move.job.version = move.to, move.job.version + 1
    for name, value in move.fields.items():
        setattr(move.job, name, value)

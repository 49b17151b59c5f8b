"""Transitions of many jobs at once, each with its own values: two statements however many jobs there are."""

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

TOPICS_PER_MESSAGE = 80  # as many as fit one datagram


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One job's next state, who brings it there and why, and the columns that change with it."""

    job: AIJob
    to: str
    actor: str
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


def advance_each(transitions: Sequence[Transition]) -> None:
    """Advance each job, guarded by state and version like advance(), and record it; watchers wake after the commit.

    The jobs must be locked by this transaction, and are updated in place. Raises StateConflict when a transition is
    not allowed or a row has another version, which under the lock is a defect and not a race.
    """
    for one in transitions:
        if one.to not in AIJob.TRANSITIONS[one.job.state]:
            raise one.job.conflict(one.to)
    for group in _with_equal_columns(transitions):
        _update(group)
    JobEvent.record(*(_history_of(one) for one in transitions))
    for one in transitions:
        _set_attributes(one)
    notify(one.job.pk for one in transitions)


def notify(job_ids: Iterable[Any]) -> None:
    """Wake the clients that wait for news of these jobs, once the transaction has committed."""
    topics = [f"job:{pk}" for pk in job_ids]
    for start in range(0, len(topics), TOPICS_PER_MESSAGE):
        part = topics[start : start + TOPICS_PER_MESSAGE]
        on_commit(AIJob, partial(pubsub.send, *part))


def _with_equal_columns(transitions: Sequence[Transition]) -> list[list[Transition]]:
    groups: dict[tuple[str, ...], list[Transition]] = {}
    for one in transitions:
        groups.setdefault(tuple(sorted(one.fields)), []).append(one)
    return list(groups.values())


def _update(group: Sequence[Transition]) -> None:
    """UPDATE … FROM unnest(one array per column): the text depends on the columns alone, hence is prepared once."""
    connection = connections[alias_of(AIJob)]
    columns = [cast("Field[Any, Any]", AIJob._meta.get_field(name)) for name in sorted(group[0].fields)]
    casts = ["uuid[]", "text[]", "integer[]", "text[]", *(f"{one.db_type(connection)}[]" for one in columns)]
    names = ["id", "source", "version", "state", *(one.column for one in columns)]
    assignments = ", ".join(f'"{one.column}" = v."{one.column}"' for one in columns)
    values: list[Any] = [
        [one.job.pk for one in group], [str(one.job.state) for one in group],
        [one.job.version for one in group], [str(one.to) for one in group],
        *([one.get_db_prep_save(item.fields[one.name], connection) for item in group] for one in columns),
    ]  # fmt: skip
    statement = f"""UPDATE ai_job j SET state = v.state, version = j.version + 1{", " if columns else ""}{assignments}
FROM unnest({", ".join(f"%s::{cast}" for cast in casts)}) AS v({", ".join(f'"{name}"' for name in names)})
WHERE j.id = v.id AND j.state = v.source AND j.version = v.version"""
    with connection.cursor() as sql:
        sql.execute(statement, values)
        if sql.rowcount != len(group):
            raise group[0].job.conflict(group[0].to)


def _history_of(one: Transition) -> Recorded:
    job = one.job
    return Recorded(job.pk, job.version + 1, job.state, one.to, one.actor, one.reason, dict(one.detail))


def _set_attributes(one: Transition) -> None:
    one.job.state, one.job.version = one.to, one.job.version + 1
    for name, value in one.fields.items():
        setattr(one.job, name, value)

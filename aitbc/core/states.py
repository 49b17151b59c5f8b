"""State machines as data: a table of transitions, advanced only by guarded updates, every transition recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from django.apps import apps
from django.db import connections, models
from django.db.models import F
from django.db.models.functions import Now

from aitbc.core import jsonb
from aitbc.core.db import alias_of, cursor, joined
from aitbc.core.errors import StateConflict
from aitbc.core.fields import JSONField
from aitbc.core.inserts import insert

Transitions = Mapping[str, set[str]]
# One statement for any number of transitions, hence prepared once; bulk_create's text grows with the batch.
RECORD = """INSERT INTO {table} (subject_id, seq, from_state, to_state, actor, reason, detail)
SELECT subject_id, seq, from_state, to_state, actor, reason, detail FROM json_to_recordset(%s::json)
  AS m(subject_id uuid, seq int, from_state text, to_state text, actor text, reason text, detail jsonb)"""


def sources_of(table: Transitions, to: str) -> list[str]:
    """The states from which `to` may be reached."""
    return [state for state, targets in table.items() if to in targets]


def finals_of(table: Transitions) -> list[str]:
    """The states that are never left."""
    return [state for state, targets in table.items() if not targets]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transition as its history keeps it."""

    subject_id: Any
    seq: int
    before: str
    to: str
    actor: str
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        states = {"from_state": str(self.before), "to_state": str(self.to)}
        cause = {"actor": self.actor, "reason": self.reason[:300], "detail": self.detail}
        return {"subject_id": self.subject_id, "seq": self.seq, **states, **cause}


class AbstractTransition(models.Model):
    """One transition of one thing: from which state to which, who caused it and why. Rows are never changed."""

    id = models.BigAutoField(primary_key=True)
    subject_id = models.UUIDField()
    seq = models.IntegerField()
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20)
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=300, blank=True)
    detail = JSONField(default=dict)  # shown as it is: money in it is AIT, as decimal strings
    at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        ordering = ["subject_id", "seq"]
        constraints = [models.UniqueConstraint(name="%(app_label)s_%(class)s_seq", fields=["subject_id", "seq"])]

    def __str__(self) -> str:
        return f"{self.subject_id} #{self.seq}: {self.from_state or '∅'} → {self.to_state}"

    @classmethod
    def record(cls, *transitions: Recorded) -> None:
        """Append these transitions, inside the database transaction that makes them."""
        with cursor(cls) as sql:
            sql.execute(RECORD.format(table=cls._meta.db_table), [jsonb.dumps([one.row() for one in transitions])])


class StatefulModel(models.Model):
    """A thing with a state; `version` counts its transitions and equals the last seq of its history."""

    TRANSITIONS: ClassVar[Transitions]
    HISTORY: ClassVar[str]

    state = models.CharField(max_length=20)
    version = models.IntegerField(default=0, editable=False)

    class Meta:
        abstract = True

    @property
    def is_final(self) -> bool:
        return not self.TRANSITIONS[self.state]

    @classmethod
    def history_model(cls) -> type[AbstractTransition]:
        return apps.get_model(cls._meta.app_label, cls.HISTORY)  # type: ignore[return-value]

    def advance(
        self,
        to: str,
        *,
        actor: str,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
        where: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Move this row to another state by compare-and-swap on its state (and on `where`), and record it.

        Raises StateConflict, with the present state and what is allowed from it, when the row has moved on.
        """
        cls, before = type(self), self.state
        if to not in self.TRANSITIONS[before]:
            raise self.conflict(to)
        with joined(cls):
            moved = cls._base_manager.filter(pk=self.pk, state=before, version=self.version, **(where or {})).update(
                state=to, version=F("version") + 1, **fields
            )
            if not moved:
                self.refresh_from_db()
                raise self.conflict(to)
            self.state, self.version = to, self.version + 1
            for name, value in fields.items():
                setattr(self, name, value)
            cls.history_model().record(Recorded(self.pk, self.version, before, to, actor, reason, dict(detail or {})))

    def conflict(self, to: str) -> StateConflict:
        allowed = sorted(self.TRANSITIONS[self.state])
        noun = self._meta.verbose_name
        return StateConflict(f"The {noun} is {self.state}; it cannot become {to}.", state=self.state, allowed=allowed)


def begin(*objects: StatefulModel, actor: str, reason: str = "", detail: Mapping[str, Any] | None = None) -> None:
    """Insert new rows in their first state and record that as transition 0. All objects are of one model."""
    if not objects:
        return
    cls = type(objects[0])
    with joined(cls):
        insert(objects)
        cls.history_model().record(
            *(Recorded(o.pk, 0, "", o.state, actor, reason, dict(detail or {})) for o in objects)
        )


def advance_many(  # noqa: PLR0913  the parameters of advance(), for many
    model: type[StatefulModel],
    ids: Iterable[Any],
    to: str,
    *,
    actor: str,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    sources: Iterable[str] | None = None,
    where: Mapping[str, Any] | None = None,
    **fields: Any,
) -> list[Any]:
    """Advance many rows to one state, those that may; return the primary keys that really changed.

    Rows are locked in primary-key order, so that two such calls cannot deadlock.
    """
    allowed = list(sources) if sources is not None else sources_of(model.TRANSITIONS, to)
    with joined(model):
        rows = list(
            model._base_manager.filter(pk__in=list(ids), state__in=allowed, **(where or {}))
            .order_by("pk")
            .select_for_update()
            .values_list("pk", "state", "version")
        )
        if not rows:
            return []
        moved = [pk for pk, _, _ in rows]
        model._base_manager.filter(pk__in=moved).update(state=to, version=F("version") + 1, **fields)
        model.history_model().record(
            *(Recorded(pk, version + 1, before, to, actor, reason, dict(detail or {})) for pk, before, version in rows)
        )
    return moved


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One row's next state, who causes it and why, and the columns that change with it."""

    subject: StatefulModel
    to: str
    actor: str
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


def advance_each(transitions: Sequence[Transition]) -> None:
    """Advance each row to a state and values of its own, guarded by state and version like advance(), and record it.

    Two statements for any number of rows with the same columns. The rows are of one model, locked by this transaction,
    and updated in place. Raises StateConflict when a transition is not allowed or a row has another version, which
    under the lock is a defect and not a race.
    """
    if not transitions:
        return
    for one in transitions:
        if one.to not in one.subject.TRANSITIONS[one.subject.state]:
            raise one.subject.conflict(one.to)
    model = type(transitions[0].subject)
    with joined(model):
        for group in _with_equal_columns(transitions):
            _update_each(model, group)
        model.history_model().record(*(_recorded(one) for one in transitions))
    for one in transitions:
        one.subject.state, one.subject.version = one.to, one.subject.version + 1
        for name, value in one.fields.items():
            setattr(one.subject, name, value)


def _with_equal_columns(transitions: Sequence[Transition]) -> list[list[Transition]]:
    groups: dict[tuple[str, ...], list[Transition]] = {}
    for one in transitions:
        groups.setdefault(tuple(sorted(one.fields)), []).append(one)
    return list(groups.values())


def _update_each(model: type[StatefulModel], group: Sequence[Transition]) -> None:
    """UPDATE … FROM unnest(one array per column): the text depends on the columns alone, hence is prepared once."""
    connection = connections[alias_of(model)]
    columns = [cast("models.Field[Any, Any]", model._meta.get_field(name)) for name in sorted(group[0].fields)]
    key = model._meta.pk
    casts = [f"{key.db_type(connection)}[]", "text[]", "integer[]", "text[]"]
    casts += [f"{one.db_type(connection)}[]" for one in columns]
    names = ["id", "source", "version", "state", *(one.column for one in columns)]
    assignments = "".join(f', "{one.column}" = v."{one.column}"' for one in columns)
    values: list[Any] = [
        [one.subject.pk for one in group], [str(one.subject.state) for one in group],
        [one.subject.version for one in group], [str(one.to) for one in group],
        *([one.get_db_prep_save(item.fields[one.name], connection) for item in group] for one in columns),
    ]  # fmt: skip
    statement = f"""UPDATE "{model._meta.db_table}" t SET state = v.state, version = t.version + 1{assignments}
FROM unnest({", ".join(f"%s::{one}" for one in casts)}) AS v({", ".join(f'"{name}"' for name in names)})
WHERE t."{key.column}" = v.id AND t.state = v.source AND t.version = v.version"""
    with connection.cursor() as sql:
        sql.execute(statement, values)
        if sql.rowcount != len(group):
            raise group[0].subject.conflict(group[0].to)


def _recorded(one: Transition) -> Recorded:
    row = one.subject
    return Recorded(row.pk, row.version + 1, row.state, one.to, one.actor, one.reason, dict(one.detail))

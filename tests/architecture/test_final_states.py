"""A final state is never left: the database refuses it to every program, for every model that has final states."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction

from aitbc.core.db import alias_of, cursor
from aitbc.core.states import finals_of

#: Final states of models that have no table of transitions.
OTHERS = {"marketplace.BookingExtension": ["held", "refused"]}


def finals(model: type[models.Model]) -> list[str]:
    transitions = getattr(model, "TRANSITIONS", None)
    return sorted(map(str, finals_of(transitions))) if transitions else OTHERS.get(model._meta.label, [])


GUARDED = {model._meta.label: model for model in apps.get_models() if finals(model)}
ON_TABLE = re.compile(r" ON \S+ ")
#: The triggers of a table that see each row before it is updated (tgtype: 1 row, 2 before, 16 update).
TRIGGERS = """
SELECT pg_get_triggerdef(oid) FROM pg_trigger
WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 19 = 19
"""


def test_money_work_and_market_are_among_them():
    assert {"ai.AIJob", "gpu.Lease", "trading.Payment", "trading.Escrow", "trading.Bond"} <= GUARDED.keys()
    assert GUARDED.keys() >= {f"marketplace.{name}" for name in ("MarketplaceOffer", "MarketplaceBid", "GPUBooking")}


@pytest.mark.parametrize("label", sorted(GUARDED))
def test_a_final_state_is_left_by_no_statement(label: str, db: None) -> None:
    model = GUARDED[label]
    states = {str(state) for state in getattr(model, "TRANSITIONS", dict(model._meta.get_field("state").choices or ()))}

    left = [(one, other) for one in finals(model) for other in sorted(states - {one}) if not refused(model, one, other)]

    assert left == []


def refused(model: type[models.Model], before: str, after: str) -> bool:
    """Whether the triggers of the table refuse this UPDATE, tried on a copy that has them and no constraints."""
    table = model._meta.db_table
    with transaction.atomic(using=alias_of(model)), cursor(model) as sql:
        sql.execute(TRIGGERS, [table])
        triggers = [row[0] for row in sql.fetchall()]
        sql.execute(f'CREATE TEMP TABLE tried ON COMMIT DROP AS SELECT * FROM "{table}" WITH NO DATA')
        for definition in triggers:
            sql.execute(ON_TABLE.sub(" ON pg_temp.tried ", definition, count=1))
        sql.execute("INSERT INTO tried (state) VALUES (%s)", [before])
        answer = raises(model, before, after)
        sql.execute("DROP TABLE tried")
    return answer


def raises(model: type[models.Model], before: str, after: str) -> bool:
    """Whether the UPDATE ended in SQLSTATE 23001 (restrict_violation)."""
    try:
        with transaction.atomic(using=alias_of(model)), cursor(model) as sql:
            sql.execute("UPDATE tried SET state = %s WHERE state = %s", [after, before])
    except IntegrityError as error:
        return getattr(error.__cause__, "sqlstate", None) == "23001"
    return False

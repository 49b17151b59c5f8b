"""Times that Python cannot hold are read as its last, or its first; their rows stay in lists and details."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aitbc.accounts.models import AuditEntry
from aitbc.core.db import cursor
from apps.ai.models import AIJob
from apps.marketplace.models import PriceTick
from tests.clients import Api
from tests.core.test_pagination import walk
from tests.sabotage import sabotage

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ODD = {"infinity": LAST, "-infinity": FIRST, "12000-01-01": LAST, "4000-01-01 BC": FIRST}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("column", ["created_at", "expires_at"])
def test_a_job_of_an_odd_time_is_in_every_list_and_has_its_page(
    client_api: Api, operator_api: Api, odd: str, column: str
) -> None:
    job, other = (client_api.json("POST", "/ai/jobs", {"task_type": "echo"}, status=201)["id"] for _ in range(2))
    sabotage(AIJob, f"UPDATE ai_job SET {column} = '{odd}' WHERE id = '{job}'")

    for api, path in ((client_api, "/ai/jobs"), (operator_api, "/ai/admin/jobs")):
        for limit in (1, 200):
            page = api.json("GET", f"{path}?limit={limit}", status=200)
            assert [one["id"] for one in page["items"]] == [other, job][:limit]
        shown = api.json("GET", f"{path}/{job}", status=200)
        assert datetime.fromisoformat(shown[column]) == ODD[odd]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("type_", ["timestamptz", "date", "tstzrange"])
def test_every_way_to_fetch_reads_them(odd: str, type_: str) -> None:
    between = f"tstzrange(least('{odd}', '2020-01-01Z'::timestamptz), greatest('{odd}', '2020-01-01Z'::timestamptz))"
    value = between if type_ == "tstzrange" else f"'{odd}'::{type_}"
    expected: Any = ODD[odd].date() if type_ == "date" else ODD[odd]

    def read(row: Any) -> Any:
        return (row[1].upper if ODD[odd] is LAST else row[1].lower) if type_ == "tstzrange" else row[1]

    with cursor(PriceTick) as sql:
        statement = f"SELECT n, CASE WHEN n = 2 THEN {value} END FROM generate_series(1, 3) n"
        one_by_one = (lambda: list(sql), lambda: [sql.fetchone() for _ in range(3)])
        for fetch in (sql.fetchall, lambda: sql.fetchmany(3), *one_by_one):
            sql.execute(statement)
            rows = fetch()
            assert [n for n, _ in rows] == [1, 2, 3] and read(rows[1]) == expected


def test_a_cursor_of_the_server_reads_them(client_api: Api) -> None:
    jobs = [client_api.json("POST", "/ai/jobs", {"task_type": "echo"}, status=201)["id"] for _ in range(3)]
    sabotage(AIJob, f"UPDATE ai_job SET created_at = 'infinity' WHERE id = '{jobs[1]}'")

    found = AIJob.objects.order_by("id").values_list("created_at", flat=True).iterator(1)

    assert [moment == LAST for moment in found] == [False, True, False]


@pytest.mark.urls("tests.core.routes")
@pytest.mark.parametrize(
    ("odd", "ordering"), [("-infinity", ("-at",)), ("infinity", ("at",)), ("12000-01-01", ("at",))]
)
def test_pages_end_where_no_cursor_leads_on(
    client_api: Api, odd: str, ordering: tuple[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.core.routes import EntryViewSet

    monkeypatch.setattr(EntryViewSet, "ordering", ordering, raising=False)
    entries = [AuditEntry.objects.create(subject="listed", action="a", actor="x") for _ in range(4)]
    odd_ids = ", ".join(f"'{entry.pk}'" for entry in entries[2:])
    sabotage(AuditEntry, f"UPDATE {AuditEntry._meta.db_table} SET at = '{odd}' WHERE id IN ({odd_ids})")

    found = walk(client_api, "/entries?limit=1")

    assert len(found) == len(set(found)) == 3  # the first of the odd ones stands for those behind it
    assert {str(entry.pk) for entry in entries[:2]} < set(found)

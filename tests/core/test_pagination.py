"""Lists by keyset: complete, without repetition, and not to be tampered with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aitbc.accounts.models import AuditEntry

pytestmark = pytest.mark.urls("tests.core.routes")


@pytest.fixture
def entries(db) -> list[AuditEntry]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        AuditEntry.objects.create(
            subject="listed", action=f"a{index % 2}", actor="x", at=at + timedelta(seconds=index // 3)
        )
        for index in range(25)
    ]


def walk(api, address: str) -> list[str]:
    ids, cursor = [], None
    while True:
        page = api.json("GET", address + (f"&cursor={cursor}" if cursor else ""), status=200)
        ids += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return ids


@pytest.mark.parametrize("limit", [1, 7, 24, 25, 26])
def test_pages_add_up_to_the_whole(client_api, entries, limit):
    assert walk(client_api, f"/entries?limit={limit}") == [str(entry.pk) for entry in reversed(entries)]


@pytest.mark.parametrize("ordering", [("at", "-pk"), ("-at", "pk"), ("action", "-at"), ("-pk",)])
def test_any_total_order_is_walked_whole(client_api, entries, ordering, monkeypatch):
    from tests.core.routes import EntryViewSet

    monkeypatch.setattr(EntryViewSet, "ordering", ordering, raising=False)

    expected = AuditEntry.objects.filter(subject="listed").order_by(
        *ordering, "-pk" if ordering[-1][0] == "-" else "pk"
    )
    assert walk(client_api, "/entries?limit=4") == [str(entry.pk) for entry in expected]


def test_rows_that_arrive_meanwhile_do_not_shift_the_pages(client_api, entries):
    first = client_api.json("GET", "/entries?limit=5")
    AuditEntry.objects.create(subject="listed", action="late", actor="x")
    second = client_api.json("GET", f"/entries?limit=5&cursor={first['next']}")

    assert [item["id"] for item in second["items"]] == [str(entry.pk) for entry in list(reversed(entries))[5:10]]


def test_a_cursor_belongs_to_its_filter_and_its_caller(client_api, other_client_api, entries):
    cursor = client_api.json("GET", "/entries?limit=5&action=a1")["next"]

    assert client_api.get(f"/entries?limit=9&action=a1&cursor={cursor}").status_code == 200
    assert client_api.get(f"/entries?action=a0&cursor={cursor}").status_code == 400
    assert other_client_api.get(f"/entries?action=a1&cursor={cursor}").status_code == 400
    for wrong in (cursor[:-1], "x" + cursor, "", "a:b", "🙂"):
        answer = client_api.get(f"/entries?action=a1&cursor={wrong}")
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "abc", "1e3", "9" * 50, "٣", ""])
def test_limits_outside_the_range_are_errors(client_api, limit):
    answer = client_api.get(f"/entries?limit={limit}")

    assert (answer.status_code, answer.json()["code"]) == (400, "limit_invalid")

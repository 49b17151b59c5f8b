"""Operators approve, reject and pay withdrawals in the admin, each with a reason or a reference."""

from __future__ import annotations

import pytest

from apps.trading.models import WithdrawalEvent
from tests.trading.admin.test_reversals import BASE, act, staff
from tests.trading.inspection import worth
from tests.trading.reversing import AIT, BIG
from tests.trading.withdrawing import withdrawal


def test_withdrawals_are_approved_rejected_and_paid(db: None) -> None:
    paid, rejected, large = withdrawal(AIT), withdrawal(AIT), withdrawal(BIG)
    alice = staff("alice")

    assert b"Reject withdrawals: 1" in act(alice, "withdrawal", "reject", rejected.pk)
    assert b"Approve withdrawals: 2 of 3" in act(alice, "withdrawal", "approve", paid.pk, rejected.pk, large.pk)
    assert b"Mark as paid: 1 of 2" in act(alice, "withdrawal", "pay", paid.pk, large.pk)

    for row in (paid, rejected, large):
        row.refresh_from_db()
    assert [row.state for row in (paid, rejected, large)] == ["paid", "rejected", "proposed"]
    assert (paid.external_reference, rejected.decision) == ("complaint 7", "complaint 7")
    assert worth(paid.owner_id, rejected.owner_id) == [0, AIT]
    assert b"another user" in act(alice, "withdrawal", "approve", large.pk)
    act(staff("bob"), "withdrawal", "approve", large.pk)
    large.refresh_from_db()
    assert large.state == "approved"
    last = WithdrawalEvent.objects.filter(subject_id=large.pk).latest("seq")
    assert (last.actor, last.reason) == ("user:bob", "complaint 7")


@pytest.mark.parametrize("page", ["withdrawal", "withdrawalevent"])
def test_pages_are_to_look_at(db: None, page: str) -> None:
    client, row = staff("alice"), withdrawal(AIT)

    assert client.get(f"{BASE}/{page}/?q={row.pk}").status_code == 200
    assert client.get(f"{BASE}/{page}/add/").status_code == 403


def test_the_page_of_a_decision_says_how_much_goes_where_and_whose_it_is(db: None) -> None:
    client, row = staff("alice"), withdrawal(AIT)

    chosen = {"action": "approve", "_selected_action": [str(row.pk)]}
    html = client.post(f"{BASE}/withdrawal/", chosen).content.decode()

    assert "amount (AIT): 1.000000" in html and f"owner: {row.owner_id}" in html and row.destination in html

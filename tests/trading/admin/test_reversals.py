"""Operators reverse deposits from the list of transfers, and decide about proposals, each with a reason."""

from __future__ import annotations

import pytest
from django.test import Client

from aitbc.accounts.models import User
from apps.trading.models import Reversal, ReversalEvent
from tests.trading.inspection import worth
from tests.trading.reversing import AIT, BIG, deposited

BASE = "/admin/trading"


def staff(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(username, password="secret-enough-9"))
    return client


def act(client: Client, page: str, action: str, *rows: object) -> bytes:
    chosen = {"action": action, "_selected_action": [str(row) for row in rows], "apply": "1", "reason": "complaint 7"}
    return client.post(f"{BASE}/{page}/", chosen, follow=True).content


def test_a_deposit_is_reversed_from_the_list(db: None) -> None:
    deposit, spent = deposited(AIT), deposited(AIT)
    alice = staff("alice")
    act(alice, "transfer", "reverse", spent.pk)

    content = act(alice, "transfer", "reverse", deposit.pk, spent.pk)

    assert b"Reverse transfers: 1 of 2" in content and b"reversed already" in content
    assert worth(deposit.credit.owner_id) == [0]
    row = Reversal.objects.get(transfer=deposit)
    assert (row.state, row.reason) == ("posted", "complaint 7")
    assert ReversalEvent.objects.get(subject_id=row.pk).actor == "user:alice"


def test_two_users_decide(db: None) -> None:
    deposit, other = deposited(BIG), deposited(BIG)
    alice, bob = staff("alice"), staff("bob")
    act(alice, "transfer", "reverse", deposit.pk, other.pk)
    first, second = Reversal.objects.get(transfer=deposit), Reversal.objects.get(transfer=other)

    assert b"another user" in act(alice, "reversal", "approve", first.pk)
    assert worth(deposit.credit.owner_id) == [BIG]
    assert b"Approve reversals: 1" in act(bob, "reversal", "approve", first.pk)
    assert b"Reject reversals: 1" in act(bob, "reversal", "reject", second.pk)

    assert worth(deposit.credit.owner_id, other.credit.owner_id) == [0, BIG]
    assert alice.get(f"{BASE}/reversalevent/?q={first.pk}").status_code == 200
    assert alice.get(f"{BASE}/reversal/{first.pk}/change/").status_code == 200


@pytest.mark.parametrize("page", ["reversal", "reversalevent"])
def test_pages_are_to_look_at(db: None, page: str) -> None:
    client = staff("alice")

    assert client.get(f"{BASE}/{page}/").status_code == 200
    assert client.get(f"{BASE}/{page}/add/").status_code == 403

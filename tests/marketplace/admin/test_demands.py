"""Operators look at demands, bids and awards; a demand that must not go on is cancelled with a reason."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from apps.marketplace.models import DemandTransition
from tests.marketplace.bidding import bid, closed, demand, offer_of, provider, renter, shown

BASE = "/admin/marketplace"


@pytest.fixture
def staff(db):
    user = get_user_model().objects.create_superuser("root", "root@example.org", "secret-enough-9")
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("page", ["marketplacedemand", "marketplacebid", "award", "demandtransition", "bidtransition"])
def test_pages_are_to_look_at(staff, page):
    bob = provider()
    target = demand(renter())
    bid(bob, target, offer_of(bob), "1")
    closed(target)

    assert staff.get(f"{BASE}/{page}/").status_code == 200
    assert staff.get(f"{BASE}/{page}/?q={target['id']}").status_code == 200
    assert staff.get(f"{BASE}/{page}/add/").status_code == 403


def test_a_demand_is_cancelled_with_a_reason(staff):
    target, over = demand(renter()), demand(renter())
    closed(over)
    chosen = {"action": "cancel", "_selected_action": [target["id"], over["id"]]}

    form = staff.post(f"{BASE}/marketplacedemand/", chosen)
    done = staff.post(f"{BASE}/marketplacedemand/", {**chosen, "apply": "1", "reason": "complaint 7"}, follow=True)

    assert b"reason" in form.content.lower()
    assert b"Cancel demands: 1" in done.content
    assert (shown(target)["state"], shown(over)["state"]) == ("cancelled", "failed_no_bids")
    move = DemandTransition.objects.filter(subject_id=target["id"]).latest("seq")
    assert (move.actor, move.reason) == ("operator:root", "complaint 7")

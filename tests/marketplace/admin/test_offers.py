"""Operators look at offers, revisions and cards; they pause and withdraw with a reason and edit nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from apps.marketplace.models import MarketplaceOffer, OfferTransition

BASE = "/admin/marketplace"


@pytest.fixture
def staff(db):
    user = get_user_model().objects.create_superuser("root", "root@example.org", "secret-enough-9")
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("page", ["marketplaceoffer", "offerrevision", "offertransition", "registeredgpu"])
def test_pages_are_to_look_at(staff, offered, page):
    made = offered()

    assert staff.get(f"{BASE}/{page}/").status_code == 200
    assert staff.get(f"{BASE}/{page}/?q={made['id']}").status_code == 200
    assert staff.get(f"{BASE}/{page}/add/").status_code == 403


def test_an_offer_is_paused_with_a_reason(staff, offered):
    made, gone = offered(), offered()
    MarketplaceOffer.objects.get(pk=gone["id"]).advance("withdrawn", actor="test")
    assert staff.get(f"{BASE}/marketplaceoffer/{made['id']}/change/").status_code == 200
    chosen = {"action": "pause", "_selected_action": [made["id"], gone["id"]]}

    form = staff.post(f"{BASE}/marketplaceoffer/", chosen)
    done = staff.post(f"{BASE}/marketplaceoffer/", {**chosen, "apply": "1", "reason": "complaint 7"}, follow=True)

    assert b"reason" in form.content.lower()
    assert b"Pause offers: 1" in done.content
    assert [MarketplaceOffer.objects.get(pk=one["id"]).state for one in (made, gone)] == ["paused", "withdrawn"]
    move = OfferTransition.objects.filter(subject_id=made["id"]).latest("seq")
    assert (move.actor, move.reason) == ("operator:root", "complaint 7")

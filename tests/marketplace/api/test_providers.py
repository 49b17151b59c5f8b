"""What is said of a provider, and that anybody can compute it again."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.utils import timezone

from apps.marketplace.logic.reliability_score import lower_bound
from apps.marketplace.models import GPUReview
from apps.marketplace.services import reliability
from tests.marketplace.factories import a_booking, an_offer, hours

PATH = "/marketplace/v1/marketplace/providers"


@pytest.fixture
def provider():
    now, provider = timezone.now(), uuid4()
    offer = an_offer(provider_id=provider, region="fr")
    done = a_booking(offer, since=now - hours(3), until=now - hours(2))
    a_booking(offer, since=now - hours(1), until=now, outcome="cancelled_provider")
    GPUReview.objects.create(
        booking=done, rater_id=done.renter_id, subject_id=provider, subject="provider", rating=4, text="fine"
    )
    reliability.note(miner_id=offer.miner_id, provider_id=provider, kind="provider_cancel", ok=False, ref="b")
    return provider


def test_a_profile_says_how_bookings_ended(anonymous_api, provider):
    found = anonymous_api.json("GET", f"{PATH}/{provider}/profile", status=200)

    assert (found["bookings_done"], found["bookings_broken"], found["open_offers"]) == (1, 1, 1)
    assert (found["gpu_models"], found["regions"], found["reviews"]) == (["GeForce RTX 4090"], ["fr"], 1)
    assert found["gpu_hours"] == 2.0


def test_reputation_can_be_computed_again_from_what_is_published(anonymous_api, provider):
    found = anonymous_api.json("GET", f"{PATH}/{provider}/reputation", status=200)

    profile = found["inputs"]
    r = lower_bound(profile["kept"], profile["broken"])
    assert profile["reliability"] == pytest.approx(r, abs=1e-5)
    assert found["reputation"] == pytest.approx(100 * (0.7 * r + 0.3 * (profile["rating"] - 1) / 4), abs=0.01)
    assert set(found["formula"]) == {"reputation", "reliability", "rating"}


def test_nobody_has_no_profile(anonymous_api):
    assert anonymous_api.get(f"{PATH}/{uuid4()}/profile").status_code == 404
    assert anonymous_api.get(f"{PATH}/{uuid4()}/reputation").status_code == 404

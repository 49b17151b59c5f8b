"""How reliable a miner is said to be."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import numpy
import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.gpu.events import MinerHourJudged
from apps.marketplace.logic.reliability_score import faded, lower_bound
from apps.marketplace.models import MarketplaceOffer, Reliability, ReliabilityEvent
from apps.marketplace.selectors import reliability as selectors
from apps.marketplace.services import reliability
from tests.marketplace.factories import an_offer

weights = st.floats(0, 200)


@pytest.mark.no_db
@settings(max_examples=40, deadline=None)
@given(kept=weights, broken=weights)
def test_the_bound_leaves_five_percent_below_it(kept, broken):
    """Against the definition: the Beta density summed on a fine grid."""
    bound = lower_bound(kept, broken)

    x = (numpy.arange(200_000) + 0.5) / 200_000
    log = (7 + kept) * numpy.log(x) + (1 + broken) * numpy.log1p(-x)
    density = numpy.exp(log - log.max())
    below = density[x < bound].sum() / density.sum()
    assert 0 < bound < 1
    assert below == pytest.approx(0.05, abs=2e-3)


@pytest.mark.no_db
@given(kept=weights, broken=weights, more=st.floats(0.1, 10))
def test_keeping_ones_word_raises_it_and_breaking_it_lowers_it(kept, broken, more):
    assert lower_bound(kept + more, broken) > lower_bound(kept, broken)
    assert lower_bound(kept, broken + more) < lower_bound(kept, broken)


@pytest.mark.no_db
def test_an_event_counts_half_after_thirty_days():
    assert faded(3, 0) == 3
    assert faded(3, 30) == pytest.approx(1.5)
    assert faded(3, 60) == pytest.approx(0.75)


def test_an_hour_is_counted_once_however_often_it_is_reported():
    event = hour_of(uuid4(), uuid4(), met=False, leases_kept=5, leases_broken=1)

    reliability.note_hours([event])
    reliability.note_hours([event])

    noted = sorted(ReliabilityEvent.objects.values_list("kind", "ok", "count"))
    assert noted == [("hour", False, 1), ("lease", False, 1), ("lease", True, 5)]


def test_weighing_follows_the_formula_and_reaches_the_offers():
    miner, provider, now = uuid4(), uuid4(), timezone.now()
    offer = an_offer(miner_id=miner, provider_id=provider)
    month_ago = now - timedelta(days=30)
    reliability.note(miner_id=miner, provider_id=provider, kind="no_show", ok=False, ref="b1", at=month_ago)
    reliability.note_hours([hour_of(miner, provider, met=True, leases_kept=4, at=now)])

    assert reliability.weigh(now=now) == 1

    row = Reliability.objects.get(pk=miner)
    assert row.failed == pytest.approx(1.5)
    assert row.ok == pytest.approx(4.05, rel=1e-3)
    assert row.r == pytest.approx(lower_bound(row.ok, row.failed))
    assert MarketplaceOffer.objects.get(pk=offer.pk).reliability == pytest.approx(row.r)
    assert selectors.score_of(miner) == row.r


def test_a_newcomer_has_what_the_prior_says():
    assert selectors.score_of(uuid4()) == pytest.approx(lower_bound(0, 0))
    assert selectors.score_of(None) == pytest.approx(lower_bound(0, 0))


def hour_of(miner, provider, *, met, at=None, **leases):
    hour = (at or timezone.now()).isoformat()
    return MinerHourJudged(miner_id=str(miner), owner_id=str(provider), hour=hour, met=met, **leases)

"""Facts of cards reach the offers over them, older ones change nothing, and sweeps keep offers true."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from aitbc.core.db import atomic
from aitbc.core.invariants import run as audit
from aitbc.core.messaging import emit
from apps.gpu.models import Outbox as GpuOutbox
from apps.marketplace.logic import offer_scoring
from apps.marketplace.models import BookingSlice, MarketplaceOffer, RegisteredGPU, Reliability
from apps.marketplace.services import gpus, offer_refresh
from apps.marketplace.tasks import refresh_offers, sweep_offers
from tests.marketplace.conftest import OFFERS
from tests.marketplace.factories import a_booking
from tests.marketplace.gpus import RTX_4090, fact, registered_gpu


def state_of(offer):
    return MarketplaceOffer.objects.get(pk=offer["id"])


def repeated(offer, owner_id, **changes):
    row = state_of(offer)
    return fact(owner_id, gpu_id=row.slots[0], miner_id=row.miner_id, **changes)


def test_a_fact_of_gpu_arrives_and_is_remembered(drain, miner_api):
    event = fact(miner_api.owner_id)
    with atomic(GpuOutbox):
        emit(event, by="gpu")
    drain()

    row = RegisteredGPU.objects.get(pk=event.gpu_id)
    assert (row.state, row.seq, str(row.miner_id), row.facts["model"]) == (
        "available", event.seq, event.miner_id, "GeForce RTX 4090",
    )  # fmt: skip


def test_news_of_a_card_change_its_offers_and_their_score(miner_api, offered):
    made, other = offered(), offered()

    gpus.take([repeated(made, miner_api.owner_id, state="offline", verified=False, memory_mb=8192)])

    row = state_of(made)
    assert (row.rentable, row.verified, row.memory_mb) == (False, False, 8192)
    assert row.score < made["score"]
    assert state_of(other).rentable
    gpus.take([repeated(made, miner_api.owner_id, state="busy")])
    assert state_of(made).rentable


def test_an_older_fact_changes_nothing(miner_api, offered):
    made = offered()
    previous = repeated(made, miner_api.owner_id, state="offline")
    new = repeated(made, miner_api.owner_id, state="available", memory_mb=16384)

    assert gpus.take([new]) == [UUID(new.gpu_id)]
    assert gpus.take([previous]) == []
    assert gpus.take([new]) == []

    assert (state_of(made).rentable, state_of(made).memory_mb) == (True, 16384)
    assert RegisteredGPU.objects.get(pk=new.gpu_id).seq == new.seq


def test_a_card_that_went_to_another_owner_is_not_rentable_any_more(miner_api, offered):
    made = offered()

    gpus.take([repeated(made, uuid4())])

    assert not state_of(made).rentable
    assert not any(audit(["M7"]).values())


def test_a_batch_costs_the_same_number_of_statements_however_large(miner_api, django_assert_num_queries):
    miner = uuid4()
    ids = [registered_gpu(miner_api.owner_id, miner_id=miner) for _ in range(12)]
    for one in ids:
        miner_api.json("POST", OFFERS, {"gpu_ids": [one], "price_gpu_hour": "1"}, status=201)
    for count in (1, 12):
        news = [fact(miner_api.owner_id, gpu_id=UUID(one), miner_id=miner, memory_mb=1000 + count) for one in ids]
        with django_assert_num_queries(11, using="marketplace"):  # with savepoints
            gpus.take(news[:count])
        assert MarketplaceOffer.objects.filter(memory_mb=1000 + count).count() == count


def test_reliability_reaches_the_score(miner_api, offered):
    made = offered()
    Reliability.objects.create(miner_id=made["miner_id"], provider_id=miner_api.owner_id, r=0.9, ok=1, failed=0)

    assert refresh_offers() == 1
    assert refresh_offers() == 0

    row = state_of(made)
    assert row.reliability == 0.9
    assert row.score == pytest.approx(made["score"] * (0.9 / offer_scoring.PRIOR_RELIABILITY) ** 2)


def test_a_benchmark_counts_for_thirty_days_then_the_catalogue_does(offered):
    now = timezone.now()
    fresh = offered(gpu={"verified_at": (now - timedelta(days=29)).isoformat(), "score": 200.0})
    stale = offered(gpu={"verified_at": (now - timedelta(days=31)).isoformat(), "score": 200.0})

    catalogue = 80 * ((1008 / 936) * (82.6 / 35.6) * (165 / 142)) ** (1 / 3)
    assert fresh["score"] == pytest.approx(200 / 0.5 * offer_scoring.PRIOR_RELIABILITY**2)
    assert stale["score"] == pytest.approx(catalogue / 0.5 * offer_scoring.PRIOR_RELIABILITY**2)


def test_the_sweep_ends_offers_whose_time_is_over(miner_api, offered):
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    ending, draft, staying = offered(available_until=soon), offered(available_until=soon, draft=True), offered()
    MarketplaceOffer.objects.filter(pk__in=[ending["id"], draft["id"]]).update(
        available_until=timezone.now() - timedelta(seconds=1)
    )

    assert sweep_offers() == 2
    assert sweep_offers() == 0

    assert [state_of(one).state for one in (ending, draft, staying)] == ["expired", "expired", "open"]


def test_the_sweep_books_out_what_is_all_taken_and_opens_it_again(miner_api, offered):
    made, other = offered(), offered()
    now = timezone.now()
    booking = a_booking(state_of(made), since=now - timedelta(hours=1), until=now + timedelta(hours=1), state="active")
    taken = BookingSlice.objects.filter(booking=booking)

    assert sweep_offers() == 0  # the slice is not live
    taken.update(live=True)
    assert sweep_offers() == 1
    assert (state_of(made).state, state_of(other).state) == ("booked_out", "open")
    assert [one["id"] for one in miner_api.json("GET", f"{OFFERS}/search")["items"]] == [other["id"]]
    taken.update(live=False)
    assert sweep_offers() == 1
    assert state_of(made).state == "open"


def test_a_pair_of_cards_is_booked_out_when_both_are_taken(miner_api):
    miner = uuid4()
    ids = [registered_gpu(miner_api.owner_id, miner_id=miner) for _ in range(2)]
    made = miner_api.json("POST", OFFERS, {"gpu_ids": ids, "price_gpu_hour": "1"}, status=201)
    now = timezone.now()
    booking = a_booking(state_of(made), since=now - timedelta(hours=1), until=now + timedelta(hours=1), state="active")
    one, two = BookingSlice.objects.filter(booking=booking)

    BookingSlice.objects.filter(pk=one.pk).update(live=True)
    assert sweep_offers() == 0
    BookingSlice.objects.filter(pk=two.pk).update(live=True)
    assert sweep_offers() == 1


KNOWN = st.none() | st.floats(min_value=0.5, max_value=1e5)
GPUS = st.fixed_dictionaries(
    {
        "memory_mb": st.integers(0, 200_000), "fp16_tflops": KNOWN, "bandwidth_gbps": KNOWN, "score": KNOWN,
        "verified": st.booleans(), "state": st.sampled_from(["available", "busy", "offline", "retired", "quarantined"]),
        "cuda": st.sampled_from(["", "12.4", "11", "x", "535.1.2"]),
        "verified_at": st.sampled_from([None, "2026-11-20T10:00:00+00:00", "2026-10-20T10:00:00Z"]),
    }
)  # fmt: skip


@pytest.mark.no_db
@given(st.lists(GPUS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_least_of_the_cards_never_promises_more_than_any_of_them(drawn, dice: random.Random):
    owner, miner = uuid4(), str(uuid4())
    registered_gpus = [
        {**RTX_4090, **one, "gpu_id": str(n), "miner_id": miner, "owner_id": str(owner)} for n, one in enumerate(drawn)
    ]
    event = offer_scoring.of_gpus(registered_gpus, owner)

    for name, column in (("memory_mb", "memory_mb"), ("fp16_tflops", "fp16_tflops"), ("score", "benchmark")):
        values = [one[name] for one in registered_gpus]
        assert event[column] == (None if None in values else min(values))
    assert event["verified"] is all(one["verified"] for one in registered_gpus)
    assert event["rentable"] is all(one["state"] in offer_scoring.USABLE for one in registered_gpus)
    shuffled = dice.sample(registered_gpus, len(registered_gpus))
    assert offer_scoring.of_gpus(shuffled, owner) == event


def test_refresh_writes_only_what_changed(offered):
    made = offered()
    before = state_of(made).updated_at

    assert offer_refresh.refresh([UUID(made["id"])]) == 0
    assert state_of(made).updated_at == before
    assert datetime.fromisoformat(made["verified_at"]) == datetime(2026, 11, 20, 10, tzinfo=UTC)

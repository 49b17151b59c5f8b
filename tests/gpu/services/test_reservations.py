"""Cards in bookings: set aside in time, lent, freed, and who gets which jobs meanwhile."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.gpu.events import BookingBroken, BookingProvisioned, GpuChanged
from apps.gpu.models import GPURegistry, Lease, Miner, Reservation
from apps.gpu.services import reservations, silent_miners, uuid_disputes
from tests.clients import Api
from tests.gpu.factories import (
    PROCESSOR,
    RTX_4090,
    G,
    M,
    beat,
    closed,
    poll,
    published,
    register,
    registered_gpu,
    reserved,
    started,
    violations,
)

SECOND = {"name": "Tesla T4", "memory_mb": 15360, "uuid": "GPU-2"}


@pytest.fixture(autouse=True)
def books_are_right_afterwards():
    yield
    assert violations() == []


def test_a_booking_that_begins_now_sets_its_gpus_aside(miner_api: Api, listen):
    register(miner_api, gpus=[RTX_4090, SECOND])
    listen(GpuChanged)
    fact = reserved(registered_gpu(uuid="GPU-1"))

    reservations.reserve([fact])

    gpu = registered_gpu(uuid="GPU-1")
    assert (gpu.state, str(gpu.booking_id), str(gpu.renter_id)) == ("reserved", fact.booking_id, fact.renter_id)
    assert registered_gpu(uuid="GPU-2").state == "registered"
    assert [one["state"] for one in published(GpuChanged, gpu_id=str(gpu.pk))] == ["reserved"]


def test_published_twice_it_is_reserved_once_and_may_last_longer(miner_api: Api):
    register(miner_api)
    fact = reserved(registered_gpu())
    reservations.reserve([fact])
    longer = reserved(registered_gpu(), booking_id=fact.booking_id, hours=5)

    reservations.reserve([longer])

    assert Reservation.objects.get().ends_at.isoformat() == longer.ends_at
    assert registered_gpu().version == 1


def test_a_later_booking_waits_for_its_time(miner_api: Api):
    register(miner_api)
    reservations.reserve([reserved(registered_gpu(), starts_in=3600)])
    assert registered_gpu().state == "registered" and reservations.hold_due() == 0
    Reservation.objects.update(starts_at=timezone.now())

    assert reservations.hold_due() == 1

    assert registered_gpu().state == "reserved"


def test_the_next_booking_waits_until_the_one_before_has_closed(miner_api: Api):
    register(miner_api)
    first, second = reserved(registered_gpu()), reserved(registered_gpu())
    reservations.reserve([first])
    reservations.reserve([second])
    assert str(registered_gpu().booking_id) == first.booking_id

    reservations.close([closed(first)])

    assert (registered_gpu().state, str(registered_gpu().booking_id)) == ("reserved", second.booking_id)


def test_the_miner_hears_of_it_and_says_that_it_is_ready(miner_api: Api, listen):
    listen(BookingProvisioned)
    register(miner_api, gpus=[RTX_4090, SECOND])
    assert beat(miner_api)["bookings"] == []
    fact = reserved(registered_gpu(uuid="GPU-2"))
    reservations.reserve([fact])

    (answer,) = beat(miner_api)["bookings"]
    assert (answer["booking_id"], answer["gpu_uuids"], answer["ready"]) == (fact.booking_id, ["GPU-2"], False)
    assert published(BookingProvisioned) == []
    (answer,) = beat(miner_api, bookings_ready=[fact.booking_id, str(uuid4())])["bookings"]
    beat(miner_api, bookings_ready=[fact.booking_id])

    assert answer["ready"] is True
    (provisioned,) = published(BookingProvisioned)
    assert (provisioned["booking_id"], provisioned["miner_id"]) == (fact.booking_id, str(Miner.objects.get().pk))


def test_another_miner_cannot_say_that_it_is_ready(miner_api: Api, other_miner_api: Api, listen):
    listen(BookingProvisioned)
    register(miner_api)
    register(other_miner_api, rig="other", gpus=[])
    fact = reserved(registered_gpu())
    reservations.reserve([fact])

    beat(other_miner_api, rig="other", bookings_ready=[fact.booking_id])

    assert published(BookingProvisioned) == []
    assert miner_api.post(f"{M}/heartbeat", {"bookings_ready": ["x"]}).status_code == 400


def test_a_running_booking_lends_the_gpus_until_it_closes(miner_api: Api, client_api: Api):
    register(miner_api)
    fact = reserved(registered_gpu(), renter_id=str(client_api.owner_id))
    reservations.reserve([fact])

    reservations.start([started(fact)])

    assert registered_gpu().state == "busy"
    seen = client_api.json("GET", f"{G}/{registered_gpu().pk}", status=200)
    assert (seen["state"], seen["status"], seen["booking_id"]) == ("busy", "booked", fact.booking_id)
    assert client_api.put(f"{G}/{registered_gpu().pk}", {"price_per_hour": 1}).status_code == 403
    reservations.close([closed(fact)])
    assert (registered_gpu().state, registered_gpu().booking_id, registered_gpu().renter_id) == (
        "registered",
        None,
        None,
    )
    assert beat(miner_api)["bookings"] == []
    assert client_api.get(f"{G}/{registered_gpu().pk}").status_code == 404


def test_a_booking_that_starts_without_the_miners_word_starts(miner_api: Api):
    register(miner_api)
    fact = reserved(registered_gpu(), starts_in=30)
    reservations.reserve([fact])

    reservations.start([started(fact)])

    assert registered_gpu().state == "busy"


def test_ordinary_jobs_do_not_see_booked_gpus(miner_api: Api, enqueue):
    register(miner_api, gpus=[RTX_4090, SECOND])
    reservations.reserve([reserved(registered_gpu(uuid="GPU-1"))])
    enqueue(gpu="NVIDIA GeForce RTX 4090")
    assert poll(miner_api) is None
    requirement = enqueue(gpu="Tesla T4")

    assert poll(miner_api)["job_id"] == requirement


def test_a_miner_without_a_free_gpu_takes_only_jobs_of_its_bookings(miner_api: Api, enqueue):
    register(miner_api)
    fact = reserved(registered_gpu())
    reservations.reserve([fact])
    ordinary = enqueue()
    assert poll(miner_api) is None
    own = enqueue(booking_id=fact.booking_id, min_vram_mb=20_000)

    job = poll(miner_api)

    assert job["job_id"] == own and job["gpu_uuids"] == ["GPU-1"] and job["booking_id"] == fact.booking_id
    assert poll(miner_api) is None
    reservations.close([closed(fact)])
    assert poll(miner_api)["job_id"] == ordinary


def test_a_bookings_job_sees_just_the_booked_gpus(miner_api: Api, enqueue):
    register(miner_api, gpus=[RTX_4090, SECOND])
    fact = reserved(registered_gpu(uuid="GPU-2"))
    reservations.reserve([fact])
    enqueue(booking_id=fact.booking_id, min_vram_mb=20_000)

    assert poll(miner_api) is None


def test_a_bookings_job_goes_to_nobody_else(miner_api: Api, other_miner_api: Api, enqueue):
    register(miner_api)
    register(other_miner_api, rig="other", gpus=[SECOND])
    fact = reserved(registered_gpu(uuid="GPU-1"))
    reservations.reserve([fact])
    job_id = enqueue(booking_id=fact.booking_id)

    assert poll(other_miner_api, rig="other") is None
    assert poll(miner_api)["job_id"] == job_id


def test_the_jobs_of_a_closed_booking_are_stopped(miner_api: Api, enqueue):
    register(miner_api)
    fact = reserved(registered_gpu())
    reservations.reserve([fact])
    job_id = enqueue(booking_id=fact.booking_id)
    poll(miner_api)

    reservations.close([closed(fact)])

    assert beat(miner_api, jobs=[{"job_id": job_id}])["cancel"] == [job_id]
    assert Lease.objects.get().lease_until < timezone.now() + timedelta(seconds=61)


def test_a_processor_is_booked_like_a_gpu(miner_api: Api, enqueue):
    register(miner_api, gpus=[], cpu=PROCESSOR)
    fact = reserved(registered_gpu())
    enqueue()
    reservations.reserve([fact])
    assert poll(miner_api) is None
    own = enqueue(booking_id=fact.booking_id)

    assert poll(miner_api)["job_id"] == own
    enqueue(booking_id=fact.booking_id, min_vram_mb=1)
    assert poll(miner_api) is None


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda api: register(api, gpus=[]), "offline"),
        (lambda api: uuid_disputes.quarantine([registered_gpu().pk], reason="seen", actor="test"), "quarantined"),
        (lambda api: api.json("DELETE", f"{M}/rig?force=1", status=200), "deregistered"),
    ],
)
def test_the_market_hears_once_that_a_booking_is_broken(miner_api: Api, listen, happens, reason):
    listen(BookingBroken)
    register(miner_api)
    fact = reserved(registered_gpu())
    reservations.reserve([fact])

    happens(miner_api)
    happens(miner_api) if reason == "offline" else None

    (provisioned,) = published(BookingBroken)
    assert (provisioned["booking_id"], provisioned["gpu_id"], provisioned["reason"]) == (
        fact.booking_id,
        str(registered_gpu().pk),
        reason,
    )
    reservations.close([closed(fact)])
    assert registered_gpu().booking_id is None


def test_a_silent_miner_breaks_its_booking_and_gets_it_back_when_heard_in_time(miner_api: Api, listen):
    listen(BookingBroken)
    register(miner_api)
    fact = reserved(registered_gpu())
    reservations.reserve([fact])
    reservations.start([started(fact)])
    for _ in range(2):
        Miner.objects.update(last_heartbeat=timezone.now() - timedelta(minutes=10))
        silent_miners.watch_miners()
    assert registered_gpu().state == "offline" and len(published(BookingBroken, reason="offline")) == 1

    beat(miner_api)

    assert (registered_gpu().state, str(registered_gpu().booking_id)) == ("busy", fact.booking_id)


def test_a_draining_miner_that_falls_silent_breaks_its_booking_and_is_gone(miner_api: Api, listen):
    listen(BookingBroken)
    register(miner_api)
    fact = reserved(registered_gpu())
    reservations.reserve([fact])
    reservations.start([started(fact)])
    miner_api.json("DELETE", f"{M}/rig?drain=1", status=200)
    Miner.objects.update(last_heartbeat=timezone.now() - timedelta(minutes=10))

    assert silent_miners.watch_miners()["deregistered"] == 1

    assert registered_gpu().state == "offline" and len(published(BookingBroken, booking_id=fact.booking_id)) == 1
    register(miner_api)
    assert (registered_gpu().state, str(registered_gpu().booking_id)) == ("busy", fact.booking_id)


def test_gpus_that_are_away_when_the_time_comes_break_the_booking(miner_api: Api, listen):
    listen(BookingBroken)
    register(miner_api)
    fact = reserved(registered_gpu(), starts_in=600)
    reservations.reserve([fact])
    register(miner_api, gpus=[])
    assert published(BookingBroken) == []
    Reservation.objects.update(starts_at=timezone.now())

    reservations.hold_due()

    assert [one["booking_id"] for one in published(BookingBroken)] == [fact.booking_id]


def test_a_miner_with_bookings_leaves_only_by_draining_or_by_force(miner_api: Api):
    register(miner_api, gpus=[RTX_4090, SECOND])
    fact = reserved(registered_gpu(uuid="GPU-1"))
    reservations.reserve([fact])

    assert miner_api.json("DELETE", f"{M}/rig", status=409)["bookings"] == 1
    assert miner_api.json("DELETE", f"{M}/rig?drain=1", status=200)["state"] == "draining"

    assert dict(GPURegistry.objects.values_list("uuid", "state")) == {"GPU-1": "reserved", "GPU-2": "draining"}
    silent_miners.watch_miners()
    assert Miner.objects.get().state == "draining"
    reservations.close([closed(fact)])
    silent_miners.watch_miners()
    assert Miner.objects.get().state == "deregistered"
    assert set(GPURegistry.objects.values_list("state", flat=True)) == {"offline"}


def test_a_booked_gpu_is_not_retired(miner_api: Api):
    register(miner_api)
    reservations.reserve([reserved(registered_gpu(), starts_in=3600)])

    problem = miner_api.json("DELETE", f"{G}/{registered_gpu().pk}", status=409)

    assert problem["code"] == "card_booked" and "until" in problem["detail"]


def test_an_unbacked_booking_concerns_no_gpu(miner_api: Api):
    register(miner_api)
    fact = reserved(registered_gpu())
    nobody = type(fact)(**{**vars(fact), "miner_id": ""})

    reservations.reserve([nobody])

    assert Reservation.objects.count() == 0 and registered_gpu().state == "registered"


def test_what_the_marketplace_does_not_know_is_closed_after_its_time(miner_api: Api):
    register(miner_api)
    reservations.reserve([reserved(registered_gpu())])
    assert reservations.close_forgotten() == 0
    Reservation.objects.update(ends_at=timezone.now() - timedelta(minutes=5))

    assert reservations.close_forgotten() == 1

    assert registered_gpu().state == "registered"


def test_an_extended_booking_keeps_its_gpu_and_does_not_hide_a_forgotten_one(miner_api: Api, monkeypatch):
    register(miner_api, gpus=[RTX_4090, SECOND])
    extended, forgotten = (reserved(registered_gpu(uuid=uuid)) for uuid in ("GPU-1", "GPU-2"))
    reservations.reserve([extended])
    reservations.reserve([forgotten])
    Reservation.objects.update(ends_at=timezone.now() - timedelta(minutes=5))
    Reservation.objects.filter(pk=extended.booking_id).update(ends_at=timezone.now() - timedelta(minutes=6))
    end = timezone.now() + timedelta(hours=1)
    running = SimpleNamespace(state="active", ends_at=end)
    monkeypatch.setattr(reservations, "booking_of", lambda one: running if str(one) == extended.booking_id else None)

    assert [reservations.close_forgotten(limit=1) for _ in range(3)] == [0, 1, 0]

    assert registered_gpu(uuid="GPU-1").state == "reserved" and registered_gpu(uuid="GPU-2").state == "registered"
    assert Reservation.objects.get(pk=extended.booking_id).ends_at == end
    assert [one["ends_at"] for one in beat(miner_api)["bookings"]] == [end.isoformat()]


def test_an_empty_poll_of_a_booked_miner_asks_nothing(miner_api: Api, enqueue, django_assert_num_queries):
    register(miner_api)
    reservations.reserve([reserved(registered_gpu())])
    enqueue()
    answer = beat(miner_api)["attention"]
    poll(miner_api, attention=answer)

    with django_assert_num_queries(0, using="gpu"):
        assert poll(miner_api, attention=answer) is None
    with django_assert_num_queries(1, using="gpu"):
        assert len(beat(miner_api)["bookings"]) == 1


def test_a_poll_ends_early_for_a_miner_that_has_not_heard_of_a_booking(miner_api: Api):
    register(miner_api)
    answer = beat(miner_api)["attention"]
    assert poll(miner_api, attention=answer) is None
    reservations.reserve([reserved(registered_gpu())])

    assert poll(miner_api, attention=answer) == {"job_id": None, "jobs": [], "beat_now": True}
    assert poll(miner_api) is None  # a legacy miner cannot be woken
    assert poll(miner_api, attention=beat(miner_api)["attention"]) is None

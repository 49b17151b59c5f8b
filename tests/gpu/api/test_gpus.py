"""The registry over HTTP: reported, registered by hand, changed, disputed, retired."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from apps.gpu.events import GpuChanged
from apps.gpu.logic.capabilities import Gpu
from apps.gpu.models import GPURegistry, GPUTransition, Miner
from apps.gpu.services import gpus, silent_miners, uuid_disputes
from tests.clients import Api
from tests.gpu.factories import EDGE, PROCESSOR, RTX_4090, G, M, beat, published, register, registered_gpu
from tests.sabotage import sabotage

SECOND = {**RTX_4090, "uuid": "GPU-2"}


def states() -> dict[str, str]:
    return dict(GPURegistry.objects.values_list("uuid", "state"))


def test_a_reported_gpu_is_registered_with_its_model_and_published(miner_api: Api, listen):
    listen(GpuChanged)

    register(miner_api, price="0.5")

    gpu = miner_api.json("GET", G, status=200)["items"][0]
    assert (gpu["model"], gpu["state"], gpu["status"]) == ("GeForce RTX 4090", "registered", "available")
    assert gpu["details"]["pci"]["lanes"] == 16 and gpu["details"]["power"]["max_w"] == 600
    assert gpu["price_per_hour"] == "0.500000" and gpu["verified"] is False
    (fact,) = published(GpuChanged)
    assert (fact["gpu_id"], fact["seq"], fact["state"], fact["device"]) == (gpu["id"], 1, "registered", "gpu")
    assert (fact["model"], fact["memory_mb"], fact["bandwidth_gbps"]) == ("GeForce RTX 4090", 24564, 1008)
    assert (fact["region"], fact["price_per_hour"], fact["verified"]) == ("eu", 500_000, False)


def test_registering_again_changes_nothing_and_tells_nothing(miner_api: Api):
    register(miner_api)
    before = registered_gpu()

    register(miner_api)

    after = registered_gpu()
    assert (after.pk, after.seq, after.version) == (before.pk, before.seq, before.version)


@pytest.mark.parametrize(
    "change",
    [{"price": "2"}, {"gpus": [{**RTX_4090, "driver": "590"}]}, {"gpus": [{**RTX_4090, "memory_mb": 12000}]}],
)
def test_a_changed_fact_is_published_with_a_larger_number(miner_api: Api, change):
    register(miner_api)

    register(miner_api, **change)

    assert registered_gpu().seq == 2


def test_a_heartbeat_tells_the_market_nothing(miner_api: Api):
    register(miner_api)
    before = registered_gpu()

    beat(miner_api, metrics={"gpus": [{"uuid": "GPU-1", "utilization": 50}]})

    assert registered_gpu().seq == before.seq


def test_a_gpu_that_is_no_longer_named_goes_offline_and_comes_back_when_named(miner_api: Api):
    register(miner_api, gpus=[RTX_4090, SECOND])
    register(miner_api, gpus=[SECOND])
    assert states() == {"GPU-1": "offline", "GPU-2": "registered"}

    register(miner_api, gpus=[RTX_4090, SECOND])

    assert states() == {"GPU-1": "registered", "GPU-2": "registered"}


def test_gpus_follow_their_miner(miner_api: Api):
    register(miner_api)
    long_ago = timezone.now() - timedelta(minutes=10)
    Miner.objects.update(last_heartbeat=long_ago)
    silent_miners.watch_miners()
    Miner.objects.update(last_heartbeat=long_ago)
    silent_miners.watch_miners()
    assert (registered_gpu().state, registered_gpu().reason) == ("offline", "its miner is not heard")

    beat(miner_api)

    assert (registered_gpu().state, registered_gpu().reason) == ("registered", "")
    assert registered_gpu().seq == 3


def test_a_miner_that_leaves_takes_its_gpus_with_it(miner_api: Api):
    register(miner_api)

    miner_api.json("DELETE", f"{M}/rig", status=200)

    assert (registered_gpu().state, registered_gpu().reason) == ("offline", "its miner left")
    register(miner_api)
    assert registered_gpu().state == "registered"


def test_a_verified_gpu_that_becomes_another_must_prove_itself_again(miner_api: Api):
    register(miner_api)
    gpu = registered_gpu()
    GPURegistry.objects.update(verified_at=timezone.now(), score=200)
    gpu.refresh_from_db()
    gpu.advance("available", actor="test")

    register(miner_api, gpus=[{**RTX_4090, "memory_mb": 48000}])

    gpu.refresh_from_db()
    assert (gpu.state, gpu.verified_at, gpu.score, gpu.profile) == ("registered", None, None, None)


def test_a_machine_without_a_gpu_offers_its_processor(miner_api: Api):
    register(miner_api, gpus=[], cpu=PROCESSOR)

    gpu = miner_api.json("GET", f"{G}?device=cpu", status=200)["items"][0]
    assert (gpu["name"], gpu["memory_mb"], gpu["device"], gpu["known_model"]) == ("AMD EPYC", 16000, "cpu", False)
    register(miner_api, gpus=[RTX_4090], cpu=PROCESSOR)
    assert states() == {"CPU-1": "offline", "GPU-1": "registered"}


def test_a_processor_that_is_only_described_is_no_device(miner_api: Api):
    register(miner_api, gpus=[], cpu={"model": "AMD EPYC", "cores": 8})

    assert GPURegistry.objects.count() == 0


def test_one_uuid_on_two_miners_quarantines_both(miner_api: Api, other_miner_api: Api):
    register(miner_api)

    register(other_miner_api, rig="other")

    assert list(GPURegistry.objects.values_list("state", "reason")) == 2 * [
        ("quarantined", "two miners name this UUID")
    ]
    register(miner_api)
    register(other_miner_api, rig="other")
    assert set(GPURegistry.objects.values_list("state", flat=True)) == {"quarantined"}


@pytest.mark.transaction
def test_two_miners_that_name_one_gpu_at_the_same_moment_are_both_quarantined(api_for):
    owners = [api_for(f"owner-{n}", "miner") for n in range(6)]
    barrier = threading.Barrier(len(owners))
    gpus = [RTX_4090, SECOND, {**RTX_4090, "uuid": "GPU-3"}]

    def come(n: int) -> None:
        try:
            barrier.wait()
            register(owners[n], rig=f"rig-{n}", gpus=gpus if n % 2 else gpus[::-1])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=come, args=(n,)) for n in range(len(owners))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert GPURegistry.objects.count() == 18
    assert set(GPURegistry.objects.values_list("state", flat=True)) == {"quarantined"}


def test_an_operator_releases_one_claim_and_then_the_other_is_refused(
    miner_api: Api, other_miner_api: Api, operator_api: Api
):
    register(miner_api)
    register(other_miner_api, rig="other")
    one, other = GPURegistry.objects.order_by("created_at")
    assert miner_api.post(f"{G}/{one.pk}/release", {"reason": "mine"}).status_code == 403
    assert operator_api.post(f"{G}/{one.pk}/release", {}).status_code == 400

    released = operator_api.json("POST", f"{G}/{one.pk}/release", {"reason": "seen the invoice"}, status=200)

    assert released["state"] == "registered"
    assert GPUTransition.objects.filter(subject_id=one.pk).order_by("-seq").first().reason == "seen the invoice"
    refused = operator_api.json("POST", f"{G}/{other.pk}/release", {"reason": "this one too"}, status=409)
    assert refused["code"] == "card_disputed"
    other.refresh_from_db()
    assert other.state == "quarantined"


def test_an_owner_may_move_a_gpu_to_another_of_its_miners(miner_api: Api):
    register(miner_api, rig="old")
    register(miner_api, rig="old", gpus=[])

    register(miner_api, rig="new")

    assert dict(GPURegistry.objects.values_list("miner__name", "state")) == {"old": "retired", "new": "registered"}
    register(miner_api, rig="new", gpus=[])
    register(miner_api, rig="old")
    assert dict(GPURegistry.objects.values_list("miner__name", "state")) == {"old": "registered", "new": "retired"}


def test_a_gpu_registered_by_hand_answers_in_legacy_words(miner_api: Api):
    specs = {"model": "RTX 3090", "memory_gb": 24, "cuda_version": "12.4", "region": "eu"}
    body = {"gpu_id": "gpu_1a2b3c4d", "miner_id": "rig", "specs": specs, "registered_by": "me"}

    answer = miner_api.json("POST", f"{G}/register", body, status=200)

    assert (answer["gpu_id"], answer["miner_id"], answer["status"]) == ("gpu_1a2b3c4d", "rig", "registered")
    one = miner_api.json("GET", f"{G}/gpu_1a2b3c4d", status=200)
    assert (one["model"], one["memory_gb"], one["cuda_version"]) == ("GeForce RTX 3090", 24.0, "12.4")
    assert (one["average_rating"], one["total_reviews"]) == (None, 0)
    assert miner_api.json("GET", f"{G}/{one['id']}", status=200)["gpu_id"] == "gpu_1a2b3c4d"
    again = miner_api.json("POST", f"{G}/register", {**body, "price_per_hour": "0.4"}, status=200)
    assert (again["id"], again["price_per_hour"]) == (one["id"], "0.400000")


def test_what_the_miner_reports_takes_the_place_of_what_was_registered_by_hand(miner_api: Api):
    miner_api.json(
        "POST", f"{G}/register", {"gpu_id": "g1", "miner_id": "rig", "specs": RTX_4090 | {"uuid": ""}}, status=200
    )

    register(miner_api)

    assert [(gpu.external_id, gpu.uuid, gpu.position) for gpu in GPURegistry.objects.all()] == [("g1", "GPU-1", 0)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"specs": {}},
        {"specs": "x"},
        {"specs": RTX_4090, "price_per_hour": -5},
        {"specs": RTX_4090, "price_per_hour": 1001},
    ],
)
def test_a_gpu_without_a_name_or_with_a_wrong_price_is_refused(miner_api: Api, body):
    assert miner_api.post(f"{G}/register", body).status_code == 400
    assert GPURegistry.objects.count() == 0


def test_discover_tells_what_the_callers_miner_has(miner_api: Api, other_miner_api: Api):
    assert miner_api.json("GET", f"{G}/discover", status=200) == {"gpus": []}
    register(miner_api)

    found = miner_api.json("GET", f"{G}/discover", status=200)

    assert (found["model"], found["memory_gb"], found["cuda_version"]) == ("GeForce RTX 4090", 23.99, "580.65")
    assert len(found["gpus"]) == 1
    assert other_miner_api.json("GET", f"{G}/discover", status=200) == {"gpus": []}


@pytest.mark.parametrize("details", ["[]", '"x"', "null", '{"a":' * 1_500 + "1" + "}" * 1_500])
def test_discover_takes_its_first_values_from_a_row_that_can_be_shown(miner_api: Api, details: str):
    gpus = [{"name": f"GPU {n}", "memory_mb": 1024 * n, "uuid": f"GPU-{n}"} for n in (1, 2)]
    register(miner_api, gpus=gpus)
    sabotage(GPURegistry, f"UPDATE gpu_gpuregistry SET details = '{details}' WHERE uuid = 'GPU-1'")

    found = miner_api.json("GET", f"{G}/discover", status=200)

    assert (found["model"], found["memory_gb"]) == ("GPU 2", 2.0)
    assert found["gpus"][-1]["uuid"] == "GPU-2"


def test_owners_change_prices_and_switch_gpus_off_and_on(miner_api: Api):
    register(miner_api)
    path = f"{G}/{registered_gpu().pk}"

    priced = miner_api.json("PUT", path, {"price_per_hour": 0.75, "owner_id": "me"}, status=200)
    assert priced["price_per_hour"] == "0.750000"
    assert miner_api.json("PUT", path, {"status": "offline"}, status=200)["state"] == "offline"
    register(miner_api)
    beat(miner_api)
    assert registered_gpu().state == "offline"
    assert miner_api.json("PUT", path, {"status": "available"}, status=200)["state"] == "registered"


@pytest.mark.parametrize(
    "body",
    [
        {"price_per_hour": -5},
        {"price_per_hour": 1001},
        {"price_per_hour": "banana"},
        {"price_per_hour": True},
        {"status": "busy"},
        {},
    ],
)
def test_wrong_changes_change_nothing(miner_api: Api, body):
    register(miner_api)
    before = GPURegistry.objects.values().get()

    assert miner_api.put(f"{G}/{before['id']}", body).status_code == 400
    assert GPURegistry.objects.values().get() == before


def test_a_strangers_gpu_is_not_there(miner_api: Api, other_miner_api: Api, client_api: Api, operator_api: Api):
    register(miner_api)
    path = f"{G}/{registered_gpu().pk}"

    for method, body in (("GET", None), ("PUT", {"price_per_hour": 1}), ("DELETE", None)):
        assert other_miner_api.request(method, path, body).status_code == 404
    assert client_api.get(path).status_code == 404
    assert client_api.get(f"{EDGE}/metrics/{registered_gpu().pk}").status_code == 404
    assert other_miner_api.json("GET", G, status=200)["items"] == []
    assert operator_api.get(path).status_code == 200


def test_a_retired_gpu_stays_so_until_its_owner_registers_it_again(miner_api: Api):
    register(miner_api)
    path = f"{G}/{registered_gpu().pk}"
    assert miner_api.json("DELETE", path, status=200)["state"] == "retired"
    register(miner_api)
    assert registered_gpu().state == "retired"

    miner_api.json("POST", f"{G}/register", {"miner_id": "rig", "specs": RTX_4090}, status=200)

    assert registered_gpu().state == "registered"


def test_the_list_is_filtered_and_paged(miner_api: Api):
    register(miner_api, gpus=[{**RTX_4090, "uuid": f"GPU-{n}"} for n in range(5)])
    register(miner_api, rig="small", gpus=[{"name": "Tesla T4", "memory_mb": 15360, "uuid": "T4-1"}])

    def ids(query: str) -> list[str]:
        return [one["uuid"] for one in miner_api.json("GET", f"{G}?{query}", status=200)["items"]]

    assert ids("miner_id=small") == ids("model=t4") == ["T4-1"]
    assert len(ids("min_memory_gb=20")) == 5 and ids("verified=true") == [] and ids("state=busy") == []
    first = miner_api.json("GET", f"{G}?limit=4", status=200)
    rest = miner_api.json("GET", f"{G}?limit=4&cursor={first['next']}", status=200)
    assert len({one["id"] for one in first["items"] + rest["items"]}) == 6 and rest["next"] is None
    for wrong in ("state=nowhere", "limit=0", "min_memory_gb=x", "banana=1"):
        assert miner_api.get(f"{G}?{wrong}").status_code == 400


def test_history_says_how_a_gpu_came_to_its_state(miner_api: Api):
    register(miner_api)
    register(miner_api, gpus=[])

    transitions = miner_api.json("GET", f"{G}/{registered_gpu().pk}/history", status=200)

    assert [(one["to_state"], one["reason"]) for one in transitions] == [
        ("offline", "its miner no longer names it"),
        ("registered", "reported by its miner"),
    ]


def test_release_by_a_service_needs_a_gpu_in_quarantine(miner_api: Api):
    register(miner_api)

    with pytest.raises(Exception, match="registered"):
        uuid_disputes.release(registered_gpu(), reason="no need", actor="test")


def test_hand_registered_gpus_of_one_miner_stand_side_by_side(miner_api: Api):
    register(miner_api, gpus=[])
    miner = Miner.objects.get()
    for n in range(3):
        gpus.register(miner, Gpu(name="T4", memory_mb=15360), external_id=f"g{n}", actor="test")

    assert sorted(GPURegistry.objects.values_list("position", flat=True)) == [1000, 1001, 1002]
    register(miner_api, gpus=[])
    assert set(GPURegistry.objects.values_list("state", flat=True)) == {"registered"}


@pytest.mark.parametrize("memory", [1e300, 2**53 - 1, "1_000", -5, None])
def test_memory_that_is_not_known_is_null_not_0(miner_api, memory):
    register(miner_api, gpus=[{"name": "Unheard Of", "memory_mb": memory, "uuid": "U-1"}])

    (gpu,) = miner_api.json("GET", G, status=200)["items"]
    (legacy,) = miner_api.json("GET", f"{M}/rig/gpus", status=200)

    assert (gpu["memory_mb"], gpu["memory_gb"], legacy["memory_mb"], legacy["memory_gb"]) == (None,) * 4

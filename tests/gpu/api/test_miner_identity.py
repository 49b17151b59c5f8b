"""Whose miner is meant: every way in which known clients name it, and none that is authority."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.gpu.models import Lease, Miner
from tests.clients import Api

M = "/gpu/v1/miners"


def names(api: Api) -> set[str]:
    return set(Miner.objects.owned_by(api.owner_id).values_list("name", flat=True))


def test_header_query_and_body_name_the_same_miner(miner_api: Api) -> None:
    miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200, x_miner_id="rig")
    miner_api.json("POST", f"{M}/heartbeat?miner_id=rig", status=200)
    miner_api.json("POST", f"{M}/heartbeat", {"miner_id": "rig", "status": "active"}, status=200)

    assert names(miner_api) == {"rig"}


def test_the_key_sent_as_id_means_the_key_s_own_miner_and_is_never_kept(miner_api: Api) -> None:
    response = miner_api.json(
        "POST",
        f"{M}/register",
        {"capabilities": {}, "miner_id": miner_api.secret},
        status=200,
        x_miner_id=miner_api.secret,
    )
    miner_api.json("POST", f"{M}/heartbeat", {}, status=200, x_miner_id=miner_api.secret)

    assert miner_api.secret not in str(response)
    assert names(miner_api) == {response["miner_id"]}
    assert not Miner.objects.filter(name__contains=miner_api.secret[-20:]).exists()


def test_named_once_and_then_no_more(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    miner_api.json(
        "POST",
        f"{M}/register?miner_id=host-7",
        {"capabilities": {"gpu": {"model": "RTX 3060", "memory_gb": 12288}}},
        status=200,
    )

    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["job_id"] == job_id
    miner_api.json("POST", f"{M}/{job_id}/result", {"result": {"output": "x"}}, status=200)

    assert names(miner_api) == {"host-7"}
    assert Lease.objects.get(job_id=job_id).miner_id == Miner.objects.get(name="host-7").pk
    assert miner_api.json("GET", f"{M}/host-7/gpus", status=200)[0]["memory_mb"] == 12288


def test_a_heartbeat_without_a_body_and_without_a_row_makes_the_miner(miner_api: Api) -> None:
    response = miner_api.json("POST", f"{M}/heartbeat", None, status=200)

    assert response["status"] == "ok" and response["heartbeat_seconds"] > 0
    assert len(names(miner_api)) == 1


def test_a_poll_of_a_miner_that_never_registered_works(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()

    assert miner_api.json("POST", f"{M}/poll", {"capabilities": ["inference"]}, status=200)["job_id"] == job_id


@pytest.mark.parametrize("by", ["name", "id"])
def test_somebody_else_s_miner_is_not_there(miner_api: Api, other_miner_api: Api, by: str) -> None:
    response = miner_api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": "rig"}, status=200)
    foreign = "rig" if by == "name" else response["id"]

    assert other_miner_api.post(f"{M}/heartbeat", {}, x_miner_id=foreign).status_code == 404
    assert other_miner_api.post(f"{M}/poll", {}, x_miner_id=foreign).status_code == 404
    assert other_miner_api.get(f"{M}/{foreign}/gpus").status_code == 404
    assert other_miner_api.delete(f"{M}/{foreign}").status_code == 404
    assert other_miner_api.put(f"{M}/{foreign}/capabilities", {"capabilities": {}}).status_code == 404
    assert Miner.objects.get(pk=response["id"]).state == "online"


def test_two_owners_may_use_one_name(miner_api: Api, other_miner_api: Api) -> None:
    for api in (miner_api, other_miner_api):
        api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": "miner_test"}, status=200)
        api.json("POST", f"{M}/heartbeat", {}, status=200, x_miner_id="miner_test")

    assert Miner.objects.filter(name="miner_test").count() == 2


def test_only_miners_may_knock(client_api: Api, anonymous_api: Api) -> None:
    assert client_api.post(f"{M}/poll", {}).status_code == 403
    assert anonymous_api.post(f"{M}/poll", {}).status_code == 401


def test_registering_again_keeps_the_miner_and_its_leases(miner_api: Api, enqueue: Callable[..., str]) -> None:
    first = miner_api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": "rig"}, status=200)
    job_id = enqueue()
    miner_api.json("POST", f"{M}/poll", {}, status=200)

    again = miner_api.json(
        "POST", f"{M}/register", {"capabilities": {"price": "0.5"}, "miner_id": "rig", "concurrency": 2}, status=200
    )

    assert again["id"] == first["id"] and again["concurrency"] == 2
    assert Miner.objects.get().price == 500_000
    miner_api.json("POST", f"{M}/{job_id}/result", {"result": "kept"}, status=200)


@pytest.mark.parametrize("price", [-1, "NaN", "0.0000001", "banana", True, 1e30])
def test_a_price_that_is_no_amount_is_refused(miner_api: Api, price: object) -> None:
    assert miner_api.post(f"{M}/register", {"capabilities": {"price": price}}).status_code == 400
    assert not Miner.objects.exists()


def test_deregistering_with_live_leases_needs_drain(miner_api: Api, enqueue: Callable[..., str]) -> None:
    from apps.gpu.services import silent_miners

    miner_api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": "rig", "concurrency": 2}, status=200)
    job_id = enqueue()
    miner_api.json("POST", f"{M}/poll", {}, status=200)

    assert miner_api.delete(f"{M}/rig").status_code == 409
    assert miner_api.json("DELETE", f"{M}/rig?drain=1", status=200)["state"] == "draining"
    enqueue()
    assert miner_api.post(f"{M}/poll", {}).status_code == 204
    miner_api.json("POST", f"{M}/{job_id}/result", {"result": "done"}, status=200)
    silent_miners.watch_miners()

    assert Miner.objects.get().state == "deregistered"
    assert miner_api.post(f"{M}/heartbeat", {}, x_miner_id="rig").status_code == 404
    assert miner_api.delete(f"{M}/rig").status_code == 404
    assert miner_api.json("POST", f"{M}/register", {"miner_id": "rig"}, status=200)["status"] == "ok"


def test_capabilities_change_what_is_handed_out(miner_api: Api, enqueue: Callable[..., str]) -> None:
    enqueue(models=["llama3"])
    miner_api.json("POST", f"{M}/register", {"capabilities": {"models": ["phi"]}, "miner_id": "rig"}, status=200)
    assert miner_api.post(f"{M}/poll", {}).status_code == 204

    miner_api.json(
        "PUT", f"{M}/rig/capabilities", {"capabilities": {"models": ["llama3"]}, "concurrency": None}, status=200
    )

    assert miner_api.post(f"{M}/poll", {}).status_code == 200
    assert miner_api.json("GET", f"{M}/rig", status=200)["capabilities"] == {"models": ["llama3"]}

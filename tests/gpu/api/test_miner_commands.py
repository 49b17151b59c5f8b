"""Commands to miners: a scan is commanded, answered by the miner, and its caller receives the answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from aitbc.core.long_polling import HOLD, REPLAY
from apps.gpu.models import GPURegistry, Miner, MinerCommand
from apps.gpu.services import miner_commands
from tests.clients import Api
from tests.gpu.factories import EDGE, RTX_4090, M, beat, poll, register

FOUND = {**RTX_4090, "uuid": "GPU-9", "name": "Tesla T4", "memory_mb": 15360}


def scan(api: Api, status: int = 202, rig: str = "rig", query: str = "") -> dict:
    return api.json("POST", f"{EDGE}/scan/{rig}{query}", status=status)


def replay(api: Api, path: str) -> dict:
    """The same request as the dispatcher runs it again once the topic woke."""
    answer = Client().generic("POST", path, headers={"authorization": f"Bearer {api.secret}"}, **{REPLAY: True})
    return {"status": answer.status_code, **answer.json()}


def test_the_command_is_in_the_heartbeat_and_the_answer_changes_the_registry(miner_api: Api):
    register(miner_api)
    requested = scan(miner_api)
    assert requested["state"] == "open" and requested["ask_again"] == f"/gpu/v1/orders/{requested['order_id']}"
    assert requested["discovery_method"] is None and requested["registered"] == 1

    (command,) = beat(miner_api)["orders"]
    assert (command["order_id"], command["kind"]) == (requested["order_id"], "scan")
    body = {"gpus": [RTX_4090, FOUND], "cuda": "12.8", "discovery_method": "nvml"}
    miner_api.json("POST", f"{M}/orders/{command['order_id']}", body, status=200)

    assert beat(miner_api)["orders"] == []
    assert GPURegistry.objects.count() == 2 and Miner.objects.get().offer["tasks"] == ["inference"]
    seen = miner_api.json("GET", requested["ask_again"], status=200)
    assert (seen["state"], seen["answer"]["discovery_method"]) == ("answered", "nvml")


def test_the_waiting_request_run_again_answers_what_was_found(miner_api: Api):
    register(miner_api)
    path = f"{EDGE}/scan/rig?wait=5"
    held = miner_api.post(path)
    assert held.status_code == 202 and '"seconds": 5.0' in held[HOLD]
    command = held.json()["order_id"]
    assert f"order:{command}" in held[HOLD]

    miner_api.json("POST", f"{M}/orders/{command}", {"gpus": [FOUND], "discovery_method": "nvml"}, status=200)

    found = replay(miner_api, path)
    assert (found["status"], found["order_id"], found["discovery_method"]) == (200, command, "nvml")
    assert [gpu["model"] for gpu in found["gpus"] if gpu["state"] == "registered"] == ["T4"]
    assert found["edge_optimized"] == 1
    assert scan(miner_api)["order_id"] != command


def test_two_callers_share_one_open_command(miner_api: Api, operator_api: Api):
    register(miner_api)

    assert scan(miner_api)["order_id"] == scan(operator_api, rig=str(Miner.objects.get().pk))["order_id"]
    assert MinerCommand.objects.count() == 1


def test_a_miner_that_could_not_look_says_why(miner_api: Api):
    register(miner_api)
    command = scan(miner_api)["order_id"]

    miner_api.json("POST", f"{M}/orders/{command}", {"error": "the driver is gone"}, status=200)

    problem = replay(miner_api, f"{EDGE}/scan/rig")
    assert (problem["status"], problem["code"], problem["detail"]) == (409, "scan_failed", "the driver is gone")
    assert miner_api.post(f"{M}/orders/{command}", {"gpus": []}).status_code == 409


def test_a_command_nobody_answers_expires(miner_api: Api):
    register(miner_api)
    command = scan(miner_api)["order_id"]
    assert miner_commands.expire_overdue() == 0
    MinerCommand.objects.update(due_at=timezone.now() - timedelta(seconds=1))

    assert miner_commands.expire_overdue() == 1

    assert replay(miner_api, f"{EDGE}/scan/rig")["status"] == 409
    assert miner_api.post(f"{M}/orders/{command}", {"gpus": []}).status_code == 409
    assert beat(miner_api)["orders"] == []


def test_a_miner_that_is_away_gets_no_command(miner_api: Api):
    register(miner_api)
    Miner.objects.update(state="offline")

    assert scan(miner_api, status=409)["code"] == "miner_away"
    assert MinerCommand.objects.count() == 0


def test_strangers_neither_scan_nor_answer_nor_read(miner_api: Api, other_miner_api: Api, client_api: Api):
    register(miner_api)
    command = scan(miner_api)["order_id"]

    assert other_miner_api.post(f"{EDGE}/scan/rig").status_code == 404
    assert client_api.post(f"{EDGE}/scan/rig").status_code == 403
    assert other_miner_api.post(f"{M}/orders/{command}", {"gpus": []}).status_code == 404
    assert other_miner_api.get(f"/gpu/v1/orders/{command}").status_code == 404
    assert MinerCommand.objects.get().state == "open"


@pytest.mark.parametrize("query", ["?wait=-1", "?wait=x", "?wait=61"])
def test_a_wrong_wait_is_refused(miner_api: Api, query):
    register(miner_api)

    assert miner_api.post(f"{EDGE}/scan/rig{query}").status_code == 400


def test_the_miners_waiting_poll_is_ended_for_a_command(miner_api: Api):
    register(miner_api)
    heard = beat(miner_api)["attention"]

    scan(miner_api)

    assert poll(miner_api, attention=heard)["beat_now"] is True

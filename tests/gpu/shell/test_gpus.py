"""`manage.py gpu`: cards from the shell, through a real socket."""

import json

import pytest
from django.core.management import CommandError

from tests.gpu.factories import RTX_4090, M, beat, register, registered_gpu
from tests.shell import command_runner


@pytest.fixture
def gpu(live_server, miner_api):
    return command_runner("gpu", live_server, miner_api)


@pytest.mark.transaction
def test_gpus_from_the_shell(gpu, miner_api):
    assert "no cards" in gpu("list")
    register(miner_api, gpus=[RTX_4090])
    found = registered_gpu()
    beat(miner_api, metrics={"gpus": [{"uuid": "GPU-1", "utilization": 42}]})

    assert [one["model"] for one in json.loads(gpu("list", "--model", "4090", "--json"))["items"]] == [
        "GeForce RTX 4090"
    ]
    assert "rig" in gpu("list") and "no cards" in gpu("list", "--state", "busy")
    assert "RTX 4090" in gpu("show", str(found.pk)) and "42" in gpu("show", str(found.pk))
    assert "0.450000" in gpu("price", str(found.pk), "0.45")
    assert "offline" in gpu("switch", str(found.pk), "off") and "registered" in gpu("switch", str(found.pk), "on")
    with pytest.raises(CommandError, match="not an amount of AIT"):
        gpu("price", str(found.pk), "banana")
    with pytest.raises(CommandError, match="HTTP 404"):
        gpu("show", "01000000-0000-7000-8000-000000000000")
    assert "retired" in gpu("retire", str(found.pk))


@pytest.mark.transaction
def test_scans_and_models_from_the_shell(gpu, miner_api):
    register(miner_api)

    requested = json.loads(gpu("scan", "rig", "--wait", "0", "--json"))
    assert "not answered yet" in gpu("scan", "rig", "--wait", "0")
    miner_api.json("POST", f"{M}/orders/{requested['order_id']}", {"gpus": [RTX_4090]}, status=200)

    assert len(json.loads(gpu("models", "--architecture", "ada_lovelace", "--min-memory-gb", "24", "--json"))) == 7
    assert "no such model" in gpu("models", "--q", "banana")
    with pytest.raises(CommandError, match="(?s)turing.*HTTP 400"):
        gpu("models", "--architecture", "banana")

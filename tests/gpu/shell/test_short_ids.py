"""`manage.py gpu` and `miner` with the short ids of their tables; what a miner could not send is shown."""

from __future__ import annotations

import json

import pytest

from aitbc.core.cli.errors import Failure, UsageError
from tests.gpu.factories import RTX_4090, beat, register, registered_gpu
from tests.gpu.probes import model_server
from tests.shell import command_runner

pytestmark = pytest.mark.transaction


@pytest.fixture
def gpu(live_server, miner_api):
    return command_runner("gpu", live_server, miner_api)


@pytest.fixture
def miner(live_server, miner_api):
    return command_runner("miner", live_server, miner_api)


def test_cards_and_miners_by_the_beginning_of_their_ids(gpu, miner, miner_api):
    register(miner_api, gpus=[RTX_4090])
    found = registered_gpu()
    beginning, rig = str(found.pk)[:8], str(found.miner_id)[:8]

    assert json.loads(gpu("show", beginning, "--json"))["id"] == str(found.pk)
    assert json.loads(gpu("price", beginning, "0.45", "--json"))["price_per_hour"] == "0.450000"
    assert json.loads(gpu("benchmark", beginning, "--json"))["gpu"] == str(found.pk)
    assert json.loads(gpu("benchmarks", beginning, "--json"))["items"]
    assert [one["id"] for one in json.loads(gpu("list", "--miner-id", rig, "--json"))["items"]] == [str(found.pk)]
    assert json.loads(miner("status", "--miner-id", rig, "--json"))["miner_id"] == "rig"
    with pytest.raises(Failure, match="No card that you can list begins with deadbeef"):
        gpu("retire", "deadbeef")


def test_the_beginning_of_an_id_is_eight_characters_at_least_but_a_name_may_be_short(miner, miner_api):
    register(miner_api, rig="fade")

    assert json.loads(miner("status", "--miner-id", "fade", "--json"))["miner_id"] == "fade"
    for run in (lambda: miner("status", "--miner-id", "01a2"), lambda: miner("gpus", "--miner-id", "01A2")):
        with pytest.raises(UsageError, match="give at least 8 characters of the id"):
            run()


def test_a_model_server_by_the_beginning_of_its_id(miner, operator_api):
    key = operator_api.secret
    added = json.loads(miner("backend", "add", f"{model_server()}/8/", "--json", key=key))

    assert json.loads(miner("backend", "remove", added["id"][:8], "--json", key=key)) == {"removed": added["id"]}


def test_status_shows_how_many_outcomes_a_miner_could_not_send(miner, miner_api):
    register(miner_api)
    assert json.loads(miner("status", "--json"))["items"][0]["parked_results"] is None

    beat(miner_api, metrics={"parked_results": 3})

    assert json.loads(miner("status", "--json"))["items"][0]["parked_results"] == 3
    assert "parked_results" in miner("status")
    assert "parked_results" in miner("status", "--miner-id", "rig")
    beat(miner_api, metrics={"parked_results": "many"})
    assert json.loads(miner("status", "--json"))["items"][0]["parked_results"] is None

"""`manage.py miner`: the owner's side from the shell, through a real socket."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError

from tests.gpu.probes import model_server
from tests.shell import command_runner

pytestmark = pytest.mark.transaction


@pytest.fixture
def miner(live_server, miner_api):
    return command_runner("miner", live_server, miner_api)


def test_a_miner_is_registered_shown_and_retired(miner):
    offered = '{"tasks": ["echo"], "price": "0.75"}'
    assert "rig" in miner("register", "--miner-id", "rig", "--capabilities", offered)
    shown = miner("status")
    assert "rig" in shown and "0.750000" in shown and "price_per_hour (AIT/h)" in shown
    assert json.loads(miner("status", "--json"))["items"][0]["miner_id"] == "rig"
    assert miner("gpus").strip() == "GPUs: none"
    assert miner("jobs", "--type", "echo", "--min-reward", "1").strip() == "Jobs of rig: none"

    assert "deregistered" in miner("deregister")
    with pytest.raises(CommandError, match="You have no miner yet"):
        miner("earnings")


def test_a_model_server_is_added_listed_and_removed(miner, operator_api):
    key = operator_api.secret
    added = json.loads(miner("backend", "add", f"{model_server()}/7/", "--price", "0.20", "--json", key=key))
    assert (added["healthy"], added["models"]) == (True, ["model of 7"])
    assert added["url"] in miner("backend", "list", key=key)

    assert added["id"] in miner("backend", "remove", added["id"], key=key)
    assert miner("backend", "list", key=key).strip() == "Model servers: none"

"""`manage.py market search|offers`: through a real socket, in tables and JSON."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from tests.marketplace.gpus import registered_gpu
from tests.shell import command_runner


@pytest.fixture
def market(live_server, miner_api):
    return command_runner("market", live_server, miner_api)


@pytest.mark.transaction
def test_an_offers_life_from_the_shell(market, miner_api, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    gpu = registered_gpu(miner_api.owner_id)
    assert "You have no offers here yet" in market("offers", "list")
    words = ("--gpu", gpu, "--price", "0.42", "--max-hours", "48", "--title", "quiet", "--request-key", "k")
    made = json.loads(market("offers", "create", *words, "--json"))
    assert json.loads(market("offers", "create", *words, "--json"))["id"] == made["id"]
    assert (made["price_gpu_hour"], made["max_duration_s"]) == ("0.420000", 172_800)

    found = market("search", "gpu_ram>=8 dph<1", "--model", "Llama-3.1-8B", "--order", "tokens_per_credit-")
    assert made["id"] in found and "tokens/AIT" in found and "0.42" in found
    edited = market("offers", "edit", made["id"], "--price", "0.39", "--revision", "1", "--reason", "sale")
    assert "0.390000 AIT per GPU and hour" in edited
    with pytest.raises(CommandError, match="(?s)revision 2, not 1.*HTTP 412"):
        market("offers", "edit", made["id"], "--price", "0.38", "--revision", "1")
    assert "paused" in market("offers", "pause", made["id"], "--reason", "fans")
    assert "open" in market("offers", "resume", made["id"])
    assert "is in 1 other offer too" in market("offers", "clone", made["id"])
    output = market("offers", "history", made["id"])
    assert "price_gpu_hour: 0.420000 → 0.390000" in output and "sale" in output and "0 bookings" in output
    assert "withdrawn" in market("offers", "withdraw", made["id"])
    assert made["id"] in market("offers", "list", "--state", "withdrawn")


@pytest.mark.transaction
def test_a_search_that_finds_nothing_says_what_is_in_the_way(market, miner_api, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    specs = '{"gpu_model": "RTX 3090", "memory_mb": 24576}'
    market("offers", "create", "--specs", specs, "--price", "0.5")

    assert "Add --explain" in market("search", "gpu_ram>=48")
    output = market("search", "gpu_ram>=48", "--explain")
    assert "0 of 1 listed offers match" in output and "gpu_ram >= 24  instead of  gpu_ram >= 48" in output
    assert "fails 2 terms" in market("search", "gpu_ram>=48 dph<0.1", "--explain")
    assert "bandwidth" in market("search", "--fields")
    with pytest.raises(CommandError, match="(?s)nearest is 'gpu_ram'.*HTTP 400"):
        market("search", "gpu_rum>=8")
    with pytest.raises(CommandError, match="--price"):
        market("offers", "create", "--specs", specs)


@pytest.mark.no_db
@pytest.mark.parametrize("words", [("search",), ("offers",), ("offers", "create")])
def test_help_shows_examples(words, capsys):
    with pytest.raises(SystemExit):
        call_command("market", *words, "--help")

    assert "manage.py market " in capsys.readouterr().out

"""Auctions and orders from the shell: `manage.py market demand|bid|award…`, `manage.py gpu offer|bid|match…`."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from aitbc.core.messaging.relay import drain
from tests.clients import Api
from tests.marketplace.bidding import offer_of, provider, renter
from tests.marketplace.renting import sound


@pytest.fixture
def shell(live_server, monkeypatch):
    """Run a command with a caller's key, on a wide terminal; returns what it printed."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(command, *words, by: Api):
        out = io.StringIO()
        call_command(command, *words, "--url", live_server.url, "--key", by.secret, stdout=out)
        drain()
        return out.getvalue()

    return run


def offline(*words):
    out = io.StringIO()
    call_command("market", *words, stdout=out)
    return out.getvalue()


@pytest.mark.transaction
def test_an_auction_from_the_shell(shell, tmp_path):
    ann, bob = renter(), provider()
    offer = offer_of(bob)
    assert "none" in shell("market", "demands", by=ann)
    options = ("--budget", "2", "--hours", "1", "--gpu", "RTX 4090", "--weights", "10000,0,0", "--json")
    made = json.loads(shell("market", "demand", *options, by=ann))
    assert made["id"] in shell("market", "demands", by=ann)

    with pytest.raises(CommandError, match="(?s)budget.*HTTP 400"):
        shell("market", "bid", made["id"], "--offer", str(offer.pk), "--price", "3", by=bob)
    first = json.loads(shell("market", "bid", made["id"], "--offer", str(offer.pk), "--price", "1.5", "--json", by=bob))
    assert "withdrawn" in shell("market", "bid", "--withdraw", first["id"], by=bob)
    bid = json.loads(shell("market", "bid", made["id"], "--offer", str(offer.pk), "--price", "1.2", "--json", by=bob))
    assert "1.200000" in shell("market", "bids", made["id"], by=bob)
    assert bid["id"] in shell("market", "bids", by=bob)

    text = shell("market", "award", made["id"], "--bid", bid["id"], "--json", by=ann)
    award, keys = tmp_path / "award.json", tmp_path / "keys.json"
    award.write_text(text)
    keys.write_text(json.dumps(Api().json("GET", "/.well-known/aitbc-keys.json", status=200)))
    assert "signed by key" in offline("verify-award", str(award), "--keys", str(keys))
    assert "not checked" in offline("verify-award", str(award))
    award.write_text(text.replace("1.200000", "1.100000"))
    with pytest.raises(SystemExit):
        offline("verify-award", str(award))
    assert "1.200000" in shell("market", "award", made["id"], by=bob)
    sound()


@pytest.mark.transaction
def test_drafts_are_published_and_cancelled_from_the_shell(shell):
    ann = renter()
    made = json.loads(shell("market", "demand", "--budget", "2", "--hours", "1", "--draft", "--json", by=ann))

    assert "open" in shell("market", "demand", "--publish", made["id"], by=ann)
    assert "cancelled" in shell("market", "demand", "--cancel", made["id"], by=ann)
    assert "cancelled" in shell("market", "demands", "--mine", by=ann)
    with pytest.raises(CommandError, match="--budget"):
        shell("market", "demand", by=ann)
    with pytest.raises(CommandError, match="three whole numbers"):
        shell("market", "demand", "--budget", "2", "--hours", "1", "--weights", "most", by=ann)


@pytest.mark.transaction
def test_offers_and_bids_meet_from_the_shell(shell):
    ann, bob = renter(), provider()
    specs = '{"model": "RTX 4090", "memory_gb": 24}'
    shell("gpu", "offer", "2", "0.60", "24", "--specs", specs, "--id", "dear", by=bob)
    shell("gpu", "offer", "2", "0.50", "24", "--specs", specs, "--id", "cheap", by=bob)
    shell("gpu", "bid", "2", "0.70", "24", "--specs", '{"model": "RTX 4090"}', "--id", "wanted", by=ann)

    assert "0.500000" in shell("gpu", "providers", by=ann)
    assert "wanted" in shell("gpu", "orders", "--status", "active", by=ann)
    matched = json.loads(shell("gpu", "match", "--json", by=ann))
    assert [(one["offer_id"], one["total_price"]) for one in matched["matched"]] == [("cheap", "24.000000")]
    assert "matched" in shell("gpu", "status", "wanted", by=ann)
    assert "cancelled" in shell("gpu", "cancel", "dear", by=bob)

    shell("gpu", "bid", "2", "0.70", "24", "--id", "second", by=ann)
    shell("gpu", "offer", "2", "0.65", "24", "--id", "third", by=bob)
    assert "matched" in shell("gpu", "accept", "second", by=bob)
    with pytest.raises(CommandError, match="no order nothing"):
        shell("gpu", "status", "nothing", by=ann)
    with pytest.raises(SystemExit, match="2"):
        shell("gpu", "offer", "1", "1", "1", "--specs", "{", by=bob)
    sound()


@pytest.mark.no_db
@pytest.mark.parametrize(("command", "verb"), [("market", "verify-award"), ("market", "demand"), ("gpu", "match")])
def test_help_shows_examples(command, verb, capsys):
    with pytest.raises(SystemExit):
        call_command(command, verb, "--help")

    assert f"manage.py {command} {verb}" in capsys.readouterr().out

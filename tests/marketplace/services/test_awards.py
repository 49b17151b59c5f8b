"""Awards: anybody computes them again, a bent proof is rejected, the log and the audit have them."""

from __future__ import annotations

import copy
import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from aitbc.core import signing
from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.messaging.relay import drain
from apps.marketplace.events import DemandAwarded
from apps.marketplace.logic import award_proof
from apps.marketplace.models import Award
from apps.marketplace.selectors import clock
from apps.trading.models import LogEntry
from apps.trading.services import log
from tests.clients import Api
from tests.marketplace.bidding import (
    award_of,
    bid,
    closed,
    demand,
    offer_of,
    provider,
    renter,
)
from tests.marketplace.renting import reported, sound
from tests.sabotage import sabotage


@pytest.fixture(autouse=True)
def books_are_sound(request):
    yield
    if "broken" not in request.node.name:
        sound()


@pytest.fixture
def award():
    bob, eve = provider(), provider("eve")
    requested = demand(renter(), auction="second_score")
    bid(bob, requested, offer_of(bob), "1"), bid(eve, requested, offer_of(eve), "1.7")
    closed(requested)
    return award_of(requested)


def test_anybody_computes_the_award_again_from_the_public_answer(award, tmp_path):
    keys, proof = tmp_path / "keys.json", tmp_path / "award.json"
    keys.write_text(json.dumps(Api().json("GET", "/.well-known/aitbc-keys.json", status=200)))
    proof.write_text(json.dumps(award))
    out = io.StringIO()

    call_command("market", "verify-award", str(proof), "--keys", str(keys), stdout=out)

    assert "computed again" in out.getvalue() and "signed by key" in out.getvalue()


BENT = {
    "a price": lambda doc: doc["proof"]["inputs"]["bids"][0].update(price="0.500000"),
    "a verdict": lambda doc: doc["proof"]["inputs"]["bids"][0].update(refused="no"),
    "the winner": lambda doc: doc["proof"]["outcome"].update(winner=doc["proof"]["inputs"]["bids"][1]["id"]),
    "the weights": lambda doc: doc["proof"]["inputs"]["weights"].update(price=5000, quality=5000, reliability=0),
    "a bid less": lambda doc: doc["proof"]["inputs"]["bids"].pop(),
    "the format": lambda doc: doc["proof"]["inputs"].update(format="pay_as_bid"),
    "nonsense": lambda doc: doc["proof"].update(inputs=[]),
    "no bids": lambda doc: doc["proof"]["inputs"].update(bids=None),
}


@pytest.mark.parametrize("bent", BENT)
@pytest.mark.parametrize("redone", [False, True], ids=["digest kept", "digest made again"])
def test_a_bent_proof_is_rejected(award, bent, redone, tmp_path):
    document = copy.deepcopy(award)
    BENT[bent](document)
    if redone:
        document["digest"] = award_proof.digest_of(document["proof"])

    with pytest.raises(award_proof.Rejected):
        list(award_proof.verify(document, signing.published_keys()))
    path = tmp_path / "award.json"
    path.write_text(json.dumps(document))
    if not redone:
        with pytest.raises((CommandError, SystemExit)):
            call_command("market", "verify-award", str(path), stdout=io.StringIO())


def test_a_proof_signed_by_a_strange_key_is_rejected(award):
    stranger = signing.Key.new(clock.now() - timedelta(days=1))
    document = {**award, "signature": stranger.sign(award_proof.TAG, award["proof"])}

    with pytest.raises(award_proof.Rejected, match="not published"):
        list(award_proof.verify(document, signing.published_keys()))


def test_the_award_is_a_leaf_of_the_public_log(award):
    log.seal()

    entry = Api().json("GET", f"/trading/transactions/{award['leaf']}", status=200)

    assert (entry["kind"], entry["status"]) == ("market.award", "sealed")
    assert entry["raw"]["digest"] == award["digest"]
    assert entry["raw"]["proof"] == award["proof"]


def test_a_fact_emitted_twice_is_one_leaf(award):
    row = Award.objects.get(pk=award["id"])
    with atomic(Award):
        emit(
            DemandAwarded(demand_id=str(row.demand_id), award_id=str(row.pk), digest=row.digest, proof=row.proof),
            by="marketplace",
        )
    drain()

    assert LogEntry.objects.filter(leaf_hash=award["leaf"]).count() == 1


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("M4", "UPDATE marketplace_award SET price_hour = 999999"),
        ("M4", "UPDATE marketplace_award SET price_hour = 2000001"),
        ("M4", "UPDATE marketplace_marketplacebid SET state = 'lost' WHERE state = 'won'"),
        ("M4", "DELETE FROM marketplace_award"),
        ("M8", "UPDATE marketplace_award SET proof = jsonb_set(proof, '{outcome,price}', '\"1.900000\"')"),
        ("M8", "UPDATE marketplace_award SET price_hour = 1500000"),
        ("M8", "UPDATE marketplace_award SET digest = repeat('0', 64)"),
        ("M8", "UPDATE marketplace_award SET signature = jsonb_set(signature, '{key_id}', '\"x\"')"),
        ("M8", "UPDATE marketplace_marketplacedemand SET weights = '{\"price\": 10000}'"),
        ("M8", "UPDATE marketplace_marketplacedemand SET budget_hour = budget_hour + 1"),
    ],
)  # fmt: skip
def test_the_audit_sees_a_broken_award(award, name, statement):
    assert reported(name) == []

    sabotage(Award, statement)

    assert reported(name)

"""Entries of the log over HTTP."""

from __future__ import annotations

import pytest

from apps.trading.models import Receipt
from apps.trading.services import log
from tests.trading.factories import logged

UNSEALED = "f" * 64


@pytest.mark.parametrize("path", [f"/trading/{mount}transactions/" for mount in ("", "explorer/", "v1/")])
def test_a_transaction_moves_from_submitted_to_sealed(api, chain, path):
    (waiting,) = logged(1)
    before = api.json("GET", path + waiting, status=200)
    log.seal()
    after = api.json("GET", path + waiting.upper(), status=200)
    log.seal(heartbeat=True)
    later = api.json("GET", f"{path}{waiting}?chain_id=ait-devnet", status=200)

    assert (before["status"], before["block"], before["confirmations"]) == ("submitted", None, 0)
    assert (after["status"], after["block"], after["confirmations"], after["index"]) == ("sealed", 3, 1, 9)
    assert (later["confirmations"], later["tx_hash"]) == (2, waiting)
    assert api.json("GET", path + UNSEALED, status=404)["code"] == "not_found"
    assert api.json("GET", path + "0x" + "a" * 62, status=400)["code"] == "hash_invalid"
    assert api.json("GET", path + "abc", status=400)["error"] == "hash_invalid"


def test_a_receipts_transaction_shows_who_paid_whom(api, chain):
    (receipt,) = Receipt.objects.all()
    shown = api.json("GET", f"/trading/transactions/{receipt.leaf}", status=200)

    assert (shown["from"], shown["to"]) == (receipt.body["client"], receipt.body["provider"])
    assert (shown["amount"], shown["fee"], shown["kind"]) == ("0.500000", "0.015000", "receipt.job")

"""Blocks over HTTP: by height, hash and cursor, and what each seals."""

from __future__ import annotations

import pytest

from apps.trading.services import log

UNSEALED = "f" * 64


@pytest.mark.parametrize("prefix", ["/trading/blocks/", "/trading/v1/blocks/"])
def test_a_block_is_found_by_height_hash_and_latest(api, chain, prefix):
    names = ("2", chain[2].hash, chain[2].hash.upper(), "latest")
    answers = [api.json("GET", prefix + name, status=200) for name in names]

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["header"] == chain[2].header and answers[0]["header"]["prev"] == chain[1].hash
    assert api.json("GET", prefix + "3", status=404)["code"] == "not_found"
    assert api.json("GET", prefix + "9" * 15, status=404)["code"] == "not_found"
    assert api.json("GET", prefix + UNSEALED, status=404)["error"] == "not_found"
    for name in ("nonsense", "-1", "0" * 63, "%00", "1.0", "9" * 30):
        assert api.json("GET", prefix + name, status=400)["code"] == "invalid"


def test_blocks_by_cursor_and_before(api, chain):
    first = api.json("GET", "/trading/v1/blocks?limit=2", status=200)
    second = api.json("GET", f"/trading/v1/blocks?limit=2&cursor={first['next']}", status=200)
    before = api.json("GET", "/trading/v1/blocks?before=1", status=200)

    assert [row["height"] for row in first["items"] + second["items"]] == [2, 1, 0]
    assert second["next"] is None
    assert [row["height"] for row in before["items"]] == [0]


def test_entries_of_a_block_hash_to_what_they_are_called(api, chain):
    page = api.json("GET", "/trading/v1/blocks/1/entries", status=200)

    assert [row["index"] for row in page["items"]] == [2, 3, 4]
    assert [log.leaf_hash(row["kind"], row["body"]) for row in page["items"]] == [row["hash"] for row in page["items"]]

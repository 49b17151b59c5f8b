"""The list of blocks by offset, as legacy clients read it."""

from __future__ import annotations

import pytest

BLOCK_LISTS = ("/trading/blocks", "/trading/v1/explorer/blocks", "/trading/api/v1/blocks")


@pytest.mark.parametrize("path", BLOCK_LISTS)
def test_lists_of_blocks_serve_both_envelopes(api, chain, path):
    page = api.json("GET", f"{path}?limit=2", status=200)
    rest = api.json("GET", f"{path}?limit=2&offset={page['next_offset']}", status=200)

    assert page["blocks"] == page["items"]
    assert [row["height"] for row in page["blocks"] + rest["blocks"]] == [2, 1, 0]
    assert (page["limit"], page["total"], page["next_offset"], rest["next_offset"]) == (2, 3, 2, None)
    assert page["chain_id"] == chain[0].header["chain"]
    assert {"height", "hash", "timestamp", "txCount", "proposer"} <= set(page["items"][0])
    assert api.json("GET", f"{path}?chain_id=ait-devnet")["total"] == 3
    assert api.json("GET", f"{path}?chain_id=another")["blocks"] == []
    assert api.json("GET", f"{path}?offset=99")["items"] == []

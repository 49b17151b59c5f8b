"""Queries and methods that the explorer refuses, on all of its routes."""

from __future__ import annotations

import pytest

BLOCK_LISTS = ("/trading/blocks", "/trading/v1/explorer/blocks", "/trading/api/v1/blocks")


RECEIPT_LISTS = ("/trading/receipts", "/trading/v1/explorer/receipts")


@pytest.mark.parametrize("path", [*BLOCK_LISTS, *RECEIPT_LISTS, "/trading/v1/blocks", "/trading/v1/receipts"])
@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=%00", "limit=-1"])
def test_page_sizes_are_never_cut_silently(api, path, query):
    assert api.json("GET", f"{path}?{query}", status=400)["code"] in ("invalid", "limit_invalid")


@pytest.mark.parametrize(
    "path",
    [
        "/trading/blocks?offset=-1", "/trading/blocks?offset=x",
        "/trading/receipts?job_id=abc", "/trading/v1/receipts?job=1",
        "/trading/v1/blocks?before=x", "/trading/v1/blocks?before=-1", "/trading/v1/receipts?from=yesterday",
        "/trading/v1/receipts?nonsense=1", "/trading/receipts?job_id=%00", "/trading/v1/blocks?cursor=abc",
    ],
)  # fmt: skip
def test_wrong_filters_are_400(api, path):
    answer = api.json("GET", path, status=400)

    assert answer["detail"] and answer["error"]


def test_writing_is_405(api, chain):
    for path in ("/trading/blocks", "/trading/receipts", "/trading/blocks/0", "/trading/v1/log/checkpoint"):
        assert api.post(path, {}).status_code == 405

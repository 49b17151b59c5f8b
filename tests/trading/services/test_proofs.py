"""Proofs of the log hold at every size; tiles of every level are stored."""

from __future__ import annotations

import pytest

from apps.trading.errors import NotSealed, SizeInvalid
from apps.trading.logic import merkle
from apps.trading.models import Block, LogTile
from apps.trading.selectors import proofs
from apps.trading.services import log
from apps.trading.services.merkle_store import TreeReader
from tests.trading.factories import logged
from tests.trading.inspection import broken, leaf_hashes


@pytest.mark.parametrize("sizes", [(1, 254, 1, 1, 255, 256, 3), (700, 80), (255, 257)])
def test_proofs_hold_between_any_signed_sizes(sizes):
    for count in sizes:
        logged(count)
        log.seal()
    hashes = leaf_hashes()
    heads = {block.tree_size: bytes.fromhex(block.header["tree_root"]) for block in Block.objects.all()}

    for size, root in heads.items():
        assert merkle.root(hashes[:size]) == root
        for index in {0, size // 2, size - 1, 255, 256, 511} & set(range(size)):
            proof = proofs.inclusion(size=size, index=index)
            assert proof == proofs.inclusion(size=size, leaf_hash=hashes[index].hex())
            assert merkle.verify_inclusion(index, size, hashes[index], [bytes.fromhex(h) for h in proof.proof], root)
        for other in filter(lambda n: n <= size, heads):
            proof = proofs.consistency(first=other, second=size)
            assert merkle.verify_consistency(other, size, [bytes.fromhex(h) for h in proof.proof], heads[other], root)


def test_tiles_of_every_level_are_kept(monkeypatch):
    """With tiles of four instead of 256 a small log has five levels of them."""
    from apps.trading.services import merkle_store

    monkeypatch.setattr(merkle_store, "HEIGHT", 2)
    monkeypatch.setattr(merkle_store, "WIDTH", 4)
    sizes = (1, 2, 3, 5, 90, 4, 200)
    for count in sizes:
        logged(count)
        log.seal()
    hashes, node = leaf_hashes(), TreeReader()

    kept = {(level, LogTile.objects.filter(level=level).count()) for level in range(5)}

    assert kept == {(0, 76), (1, 19), (2, 4), (3, 1), (4, 0)}
    for size in range(1, sum(sizes) + 1):
        assert merkle.tree_root(size, node) == merkle.root(hashes[:size])
    assert broken() == set()


def test_what_is_not_sealed_cannot_be_proven_yet():
    logged(2)
    log.seal()
    (waiting,) = logged(1)

    with pytest.raises(NotSealed) as error:
        proofs.inclusion(size=None, leaf_hash=waiting)
    with pytest.raises(SizeInvalid) as larger:
        proofs.consistency(first=1, second=3)

    assert error.value.status == 409 and error.value.retry_after == 10
    assert larger.value.members == {"current": 2}

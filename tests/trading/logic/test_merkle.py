"""The Merkle tree against RFC 9162's definitions, written as naively as they stand there."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.trading.logic import merkle

pytestmark = pytest.mark.no_db

FIVE = [merkle.leaf_hash(letter) for letter in (b"a", b"b", b"c", b"d", b"e")]
SIZES = st.integers(min_value=1, max_value=70)


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(str(n).encode()) for n in range(count)]


def oracle_root(hashes: list[bytes]) -> bytes:
    """MTH of §2.1.1, by its own recursion."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = oracle_split(len(hashes))
    return hashlib.sha256(b"\x01" + oracle_root(hashes[:k]) + oracle_root(hashes[k:])).digest()


def oracle_split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def oracle_path(m: int, hashes: list[bytes]) -> list[bytes]:
    """PATH of §2.1.3.1."""
    if len(hashes) == 1:
        return []
    k = oracle_split(len(hashes))
    if m < k:
        return [*oracle_path(m, hashes[:k]), oracle_root(hashes[k:])]
    return [*oracle_path(m - k, hashes[k:]), oracle_root(hashes[:k])]


def oracle_subproof(m: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of §2.1.4.1."""
    if m == len(hashes):
        return [] if whole else [oracle_root(hashes)]
    k = oracle_split(len(hashes))
    if m <= k:
        return [*oracle_subproof(m, hashes[:k], whole), oracle_root(hashes[k:])]
    return [*oracle_subproof(m - k, hashes[k:], False), oracle_root(hashes[:k])]


def test_vectors_of_the_specification():
    node = merkle.nodes_of(FIVE)

    inclusion = [value.hex()[:16] for value in merkle.inclusion_proof(2, 5, node)]
    consistency = [value.hex()[:16] for value in merkle.consistency_proof(2, 5, node)]

    assert merkle.root(FIVE).hex() == "fe14a5426fbd70c0fa73f52342afed0da0bd23c4838662ccf6b88a3070ead97b"
    assert inclusion == ["d070dc5b8da9aea7", "b137985ff484fb60", "2824a7ccda2caa72"]
    assert consistency == ["dbbd68c325614a73", "2824a7ccda2caa72"]


def test_an_empty_tree_has_the_hash_of_nothing():
    assert merkle.root([]) == merkle.tree_root(0, merkle.nodes_of([])) == hashlib.sha256().digest()


def test_every_proof_up_to_forty_is_that_of_the_rfc_and_verifies():
    for size in range(1, 41):
        hashes, node = leaves(size), merkle.nodes_of(leaves(size))
        root = oracle_root(hashes)
        assert merkle.root(hashes) == merkle.tree_root(size, node) == root
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, node)
            assert proof == oracle_path(index, hashes)
            assert merkle.verify_inclusion(index, size, hashes[index], proof, root)
        for first in range(1, size + 1):
            proof = merkle.consistency_proof(first, size, node)
            assert proof == oracle_subproof(first, hashes, True)
            assert merkle.verify_consistency(first, size, proof, oracle_root(hashes[:first]), root)


@given(size=st.integers(min_value=0, max_value=600))
def test_a_frontier_knows_the_root_at_every_size(size):
    hashes = leaves(size)
    frontier = merkle.Frontier()
    for value in hashes:
        frontier.push(value)

    resumed = merkle.Frontier.at(size, merkle.nodes_of(hashes))

    assert frontier.root() == resumed.root() == merkle.root(hashes)
    assert frontier.peaks == resumed.peaks


@given(size=SIZES, data=st.data())
def test_inclusion_fails_for_another_leaf_place_size_root_or_path(size, data):
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    root = merkle.root(hashes)
    proof = merkle.inclusion_proof(index, size, merkle.nodes_of(hashes))
    other = data.draw(st.integers(0, size + 1).filter(lambda n: n != index))
    step = data.draw(st.integers(0, max(len(proof) - 1, 0)))
    bent = [flip(value, data) if n == step else value for n, value in enumerate(proof)]

    assert not merkle.verify_inclusion(index, size, flip(hashes[index], data), proof, root)
    assert not merkle.verify_inclusion(index, size, hashes[index], proof, flip(root, data))
    assert not merkle.verify_inclusion(other, size, hashes[index], proof, root)
    assert not merkle.verify_inclusion(index, size, hashes[index], [*proof, root], root)
    assert not proof or not merkle.verify_inclusion(index, size, hashes[index], bent, root)
    assert not proof or not merkle.verify_inclusion(index, size, hashes[index], proof[:-1], root)


@given(second=SIZES, data=st.data())
def test_consistency_fails_for_any_other_history(second, data):
    first = data.draw(st.integers(1, second))
    hashes = leaves(second)
    first_root, second_root = merkle.root(hashes[:first]), merkle.root(hashes)
    proof = merkle.consistency_proof(first, second, merkle.nodes_of(hashes))
    step = data.draw(st.integers(0, max(len(proof) - 1, 0)))
    bent = [flip(value, data) if n == step else value for n, value in enumerate(proof)]

    assert not merkle.verify_consistency(first, second, proof, flip(first_root, data), second_root)
    assert not merkle.verify_consistency(first, second, proof, first_root, flip(second_root, data))
    assert not merkle.verify_consistency(first, second, [*proof, second_root], first_root, second_root)
    assert not proof or not merkle.verify_consistency(first, second, bent, first_root, second_root)
    assert not proof or not merkle.verify_consistency(first, second, proof[:-1], first_root, second_root)
    assert not merkle.verify_consistency(second + 1, second, proof, first_root, second_root)


def test_nothing_is_a_prefix_of_everything():
    root = merkle.root(FIVE)

    assert merkle.consistency_proof(0, 5, merkle.nodes_of(FIVE)) == []
    assert merkle.verify_consistency(0, 5, [], merkle.EMPTY, root)
    assert not merkle.verify_consistency(0, 5, [], root, root)
    assert not merkle.verify_consistency(0, 5, [root], merkle.EMPTY, root)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_for_a_place_that_is_not_there(index, size):
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion_proof(index, size, merkle.nodes_of(leaves(3)))


def flip(value: bytes, data: st.DataObject) -> bytes:
    bit = data.draw(st.integers(0, 255))
    return (int.from_bytes(value) ^ (1 << bit)).to_bytes(32)

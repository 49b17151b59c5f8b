"""The Merkle tree of RFC 9162 §2: roots, inclusion and consistency proofs, and their verification.

A log of n leaves is cut into complete subtrees; one is named (level, index): 2^level leaves from index·2^level on.
Proofs read the hashes of complete subtrees only, through a `Node`; these never change once they exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

Node = Callable[[int, int], bytes]
Range = tuple[int, int]
EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return H(0x00 ‖ leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return H(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over these leaf hashes (§2.1.1): paired level by level, an odd last one carried up unchanged."""
    row = list(hashes)
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)] + odd
    return row[0] if row else EMPTY


def complete(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the complete subtrees (level, index), largest first, that make up the leaves start…end−1.

    `start` is aligned as in a proof: a multiple of the largest subtree's size.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def range_root(start: int, end: int, node: Node) -> bytes:
    """Return the root over the leaves start…end−1, from the hashes of complete subtrees."""
    *rest, last = [node(level, index) for level, index in complete(start, end)] or [EMPTY]
    for left in reversed(rest):
        last = node_hash(left, last)
    return last


def tree_root(size: int, node: Node) -> bytes:
    """Return the root of the log when it had this many leaves."""
    return range_root(0, size, node)


def split(start: int, end: int) -> int:
    """Return where RFC 9162 §2.1.1 divides a range: after the largest power of two below its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the sibling ranges on the path from a leaf up to the root, lowest first (§2.1.3.1)."""
    start, end, siblings = 0, size, []
    while end - start > 1:
        middle = split(start, end)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return siblings[::-1]


def consistency_ranges(first: int, second: int) -> list[Range]:
    """Return the subtrees from which the roots at `first` and at `second` can both be computed (§2.1.4.1)."""
    if first in (0, second):
        return []
    start, end, siblings = 0, second, []
    while first != end:
        middle = split(start, end)
        if first <= middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    if start:
        siblings.append((start, end))
    return siblings[::-1]


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the hashes that prove that leaf `index` is in the tree of `size` leaves. Raises ValueError outside it."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in a tree of this size")
    return [range_root(*part, node) for part in inclusion_ranges(index, size)]


def consistency_proof(first: int, second: int, node: Node) -> list[bytes]:
    """Return the hashes that prove the tree of `first` leaves to be a prefix of that of `second`. Raises ValueError."""
    if not 0 <= first <= second:
        raise ValueError("the first size may not exceed the second")
    return [range_root(*part, node) for part in consistency_ranges(first, second)]


def nodes_of(hashes: Sequence[bytes]) -> Node:
    """Return a `Node` over leaf hashes held in memory."""
    return lambda level, index: root(hashes[index << level : (index + 1) << level])


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], tree: bytes) -> bool:
    """Return whether this path leads from the leaf's hash to the root `tree` (§2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if not last:
            return False
        if position % 2 or position == last:
            value = node_hash(sibling, value)
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and value == tree


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Return whether the tree with root `first_root` is a prefix of that with `second_root` (§2.1.4.2).

    The empty tree is a prefix of every tree.
    """
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof and first_root == EMPTY
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    return _climb(first, second, path) == (first_root, second_root)


def _climb(first: int, second: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The two roots that a consistency path leads to, or None when its length is wrong."""
    position, last = first - 1, second - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    first_root = second_root = path[0]
    for sibling in path[1:]:
        if not last:
            return None
        if position % 2 or position == last:
            first_root, second_root = node_hash(sibling, first_root), node_hash(sibling, second_root)
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:
            second_root = node_hash(second_root, sibling)
        position, last = position >> 1, last >> 1
    return (first_root, second_root) if last == 0 else None


class Frontier:
    """A growing tree, reduced to the roots of its complete subtrees: enough to append and to compute the root."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    @classmethod
    def at(cls, size: int, node: Node) -> Frontier:
        """Return the frontier of the tree at this size."""
        return cls(size, [node(level, index) for level, index in complete(0, size)])

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash; equal peaks merge as in binary addition."""
        carry, value = self.size, leaf
        while carry % 2:
            value = node_hash(self.peaks.pop(), value)
            carry >>= 1
        self.peaks.append(value)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        if not self.peaks:
            return EMPTY
        value = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            value = node_hash(left, value)
        return value

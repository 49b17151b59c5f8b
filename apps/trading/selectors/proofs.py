"""Proofs about the log as it stood at any size that was ever signed or passed through."""

from __future__ import annotations

from dataclasses import dataclass

from apps.trading.errors import SizeInvalid
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry
from apps.trading.selectors.receipts import not_sealed
from apps.trading.services.merkle_store import TreeReader


@dataclass(frozen=True, kw_only=True)
class Inclusion:
    """That an entry is at this place of the tree of this size."""

    index: int
    size: int
    leaf_hash: str
    root: str
    proof: list[str]


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """That the tree of the first size is a prefix of that of the second."""

    first: int
    second: int
    first_root: str
    second_root: str
    proof: list[str]


def current_size() -> int:
    """How many entries the newest block's tree has."""
    return Block.objects.order_by("-height").values_list("tree_size", flat=True).first() or 0


def inclusion(*, size: int | None, leaf_hash: str | None = None, index: int | None = None) -> Inclusion:
    """Prove an entry, named by its hash or its place, in the tree of `size` entries (default: the newest).

    Raises LogEntry.DoesNotExist, NotSealed while no block holds the entry, SizeInvalid when the tree is too small.
    """
    current = current_size()
    wanted = tree_of(size, current)
    if index is not None and index >= wanted:
        raise SizeInvalid("There is no such place in a tree of this size.", current=current)
    named = {"idx": index} if leaf_hash is None else {"leaf_hash": leaf_hash}
    entry = LogEntry.objects.only("idx", "leaf_hash").get(**named)
    if entry.idx is None or entry.idx >= current:
        raise not_sealed()
    if entry.idx >= wanted:
        raise SizeInvalid("The entry came later than this size.", index=entry.idx, current=current)
    node = TreeReader((0, wanted), *merkle.inclusion_ranges(entry.idx, wanted))
    proof = merkle.inclusion_proof(entry.idx, wanted, node)
    return Inclusion(
        index=entry.idx, size=wanted, leaf_hash=entry.leaf_hash,
        root=merkle.tree_root(wanted, node).hex(), proof=[value.hex() for value in proof],
    )  # fmt: skip


def consistency(*, first: int, second: int | None) -> Consistency:
    """Prove that nothing before `first` changed up to `second` (default: the newest); raises SizeInvalid."""
    current = current_size()
    later = tree_of(second, current)
    if first > later:
        raise SizeInvalid("The first size is larger than the second.", current=current)
    node = TreeReader((0, first), (0, later), *merkle.consistency_ranges(first, later))
    return Consistency(
        first=first, second=later,
        first_root=merkle.tree_root(first, node).hex(), second_root=merkle.tree_root(later, node).hex(),
        proof=[value.hex() for value in merkle.consistency_proof(first, later, node)],
    )  # fmt: skip


def tree_of(size: int | None, current: int) -> int:
    """The size asked for, or the newest; raises SizeInvalid, with the newest, for a tree that is still to come."""
    if size is not None and size > current:
        raise SizeInvalid(f"The log has {current} entries.", current=current)
    return current if size is None else size

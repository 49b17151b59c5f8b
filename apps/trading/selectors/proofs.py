"""Inclusion and consistency proofs of the log at any size it has had (RFC 9162 §2.1.3, §2.1.4)."""

from __future__ import annotations

from dataclasses import dataclass

from apps.trading.errors import SizeInvalid
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry
from apps.trading.selectors.receipts import not_sealed
from apps.trading.services.merkle_store import TreeReader


@dataclass(frozen=True, kw_only=True)
class Inclusion:
    """A proof that an entry has this index in the tree of this size; hashes in hex."""

    index: int
    size: int
    leaf_hash: str
    root: str
    proof: list[str]


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """A proof that the tree of the first size is a prefix of that of the second; hashes in hex."""

    first: int
    second: int
    first_root: str
    second_root: str
    proof: list[str]


def current_size() -> int:
    """Return the tree size of the newest block; 0 before the first."""
    return Block.objects.order_by("-height").values_list("tree_size", flat=True).first() or 0


def inclusion(*, size: int | None, leaf_hash: str | None = None, index: int | None = None) -> Inclusion:
    """Prove an entry, named by its hash or its index, in the tree of `size` entries (default: the newest).

    Raises LogEntry.DoesNotExist, NotSealed while no block holds the entry, SizeInvalid when the tree is too small.
    """
    current = current_size()
    target = tree_of(size, current)
    if index is not None and index >= target:
        raise SizeInvalid("There is no such index in a tree of this size.", current=current)
    criterion = {"idx": index} if leaf_hash is None else {"leaf_hash": leaf_hash}
    entry = LogEntry.objects.only("idx", "leaf_hash").get(**criterion)
    if entry.idx is None or entry.idx >= current:
        raise not_sealed()
    if entry.idx >= target:
        raise SizeInvalid("The entry came later than this size.", index=entry.idx, current=current)
    node = TreeReader((0, target), *merkle.inclusion_ranges(entry.idx, target))
    proof = merkle.inclusion_proof(entry.idx, target, node)
    return Inclusion(
        index=entry.idx, size=target, leaf_hash=entry.leaf_hash,
        root=merkle.tree_root(target, node).hex(), proof=[value.hex() for value in proof],
    )  # fmt: skip


def consistency(*, first: int, second: int | None) -> Consistency:
    """Prove that the first `first` entries are unchanged in the tree of `second` (default: the newest).

    Raises SizeInvalid.
    """
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
    """Return the requested size, or the newest one. Raises SizeInvalid, with the newest size, for a larger one."""
    if size is not None and size > current:
        raise SizeInvalid(f"The log has {current} entries.", current=current)
    return current if size is None else size

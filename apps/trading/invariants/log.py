"""Invariants of the log at every instant (docs/receipts.md): I26 and I27.

I27 is the log's fsck: it computes every root from the bytes of the entries.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from aitbc.core import canonical, signing
from aitbc.core.invariants import each_chunk, invariant
from apps.trading.logic import merkle
from apps.trading.models import Block, LogEntry
from apps.trading.services import blocks
from apps.trading.services.merkle_store import TreeReader

CHUNK = 2000
ROOTS = ("header__batch_root", "header__tree_root")
HASH = re.compile("[0-9a-f]{64}")


@invariant("I26", db="trading")
def heads_are_consistent() -> Iterable[str]:
    """Each signed head contains the previous one; sizes and times never fall; one size has one root."""
    node = TreeReader()
    yield from each_chunk(Block.objects.all(), lambda found: inconsistent(found, node))


def inconsistent(found: list[Block], node: TreeReader) -> Iterator[str]:
    for block, previous in with_previous(found):
        if previous is not None:
            yield from not_containing(block, previous, node)


def with_previous(found: list[Block]) -> list[tuple[Block, Block | None]]:
    """Return each of these blocks with the one below it; None: there is none."""
    below = Block.objects.defer("ledger").in_bulk([block.height - 1 for block in found])
    return [(block, below.get(block.height - 1)) for block in found]


def not_containing(later: Block, earlier: Block, node: TreeReader) -> Iterator[str]:
    """Yield why a block does not contain the one before it, if it does not."""
    if later.tree_size < earlier.tree_size or later.sealed_at < earlier.sealed_at:
        yield f"block {later.height} is smaller or older than block {earlier.height}"
        return
    try:
        proof = merkle.consistency_proof(earlier.tree_size, later.tree_size, node)
    except (IndexError, ValueError) as error:
        yield f"blocks {earlier.height} and {later.height} cannot be proven consistent: {error}"
        return
    roots = [bytes.fromhex(block.header["tree_root"]) for block in (earlier, later)]
    if not merkle.verify_consistency(earlier.tree_size, later.tree_size, proof, *roots):
        yield f"block {later.height} does not contain block {earlier.height}"


@invariant("I27", db="trading")
def roots_follow_from_the_entries() -> Iterable[str]:
    """Every root follows from the raw entries, and the blocks form one signed chain without gaps."""
    yield from each_chunk(Block.objects.defer("ledger"), not_in_the_chain)
    yield from each_chunk(Block.objects.all(), with_wrong_totals)
    yield from wrong_roots()


def wrong_roots() -> Iterator[str]:
    """Entries that were changed, and blocks whose roots they do not make. What follows a missing one has no root."""
    frontier, batch = merkle.Frontier(), []
    entries = raw_entries()
    heads = Block.objects.order_by("height").values_list("height", "tree_size", *ROOTS)
    for height, tree_size, *roots in heads.iterator(CHUNK):
        while frontier.size < tree_size:
            idx, made, stored = next(entries, (None, b"", ""))
            if idx != frontier.size or made.hex() != stored:
                yield f"the entry at index {frontier.size} is missing or was changed"
            if idx != frontier.size:
                return
            kept = bytes.fromhex(stored) if HASH.fullmatch(stored) else made
            batch.append(kept)
            frontier.push(kept)
        if roots != [merkle.root(batch).hex(), frontier.root().hex()]:
            yield f"the roots of block {height} do not follow from the entries"
        batch = []
    if next(entries, None):
        yield "there are entries with an index that no block seals"


def raw_entries() -> Iterator[tuple[int | None, bytes, str]]:
    """Yield the index of each entry, the hash of its bytes and the hash that is stored with it."""
    placed = LogEntry.objects.exclude(idx=None).order_by("idx")
    for idx, leaf, stored in placed.values_list("idx", "leaf", "leaf_hash").iterator(CHUNK):
        yield idx, merkle.leaf_hash(bytes(leaf)), stored


def not_in_the_chain(found: list[Block]) -> Iterator[str]:
    for block, previous in with_previous(found):
        yield from unchained(block, previous)


def unchained(block: Block, previous: Block | None) -> Iterator[str]:
    """Violations of one block as a link of the chain."""
    header = block.header
    height, prev, first = (0, blocks.GENESIS, 0)
    if previous:
        height, prev, first = previous.height + 1, previous.hash, previous.tree_size
    if (header["height"], header["prev"], header["first"]) != (height, prev, first) or block.height != height:
        yield f"block {block.height} does not follow on the one before it"
    if hashlib.sha256(canonical.encode(header)).hexdigest() != block.hash:
        yield f"the hash of block {block.height} is not that of its header"
    if (header["tree_size"], header["count"], first + block.count) != (block.tree_size, block.count, block.tree_size):
        yield f"block {block.height} does not count its entries right"
    key = signing.find(block.signature["key_id"])
    if not signing.verify(blocks.TAG, header, block.signature, at=block.sealed_at):
        yield f"block {block.height} is not signed by a key of ours"
    elif key and block.checkpoint != blocks.note(header, key):
        yield f"the checkpoint of block {block.height} does not match its header"


def with_wrong_totals(found: list[Block]) -> Iterator[str]:
    for block in found:
        yield from wrong_totals(block)


def wrong_totals(block: Block) -> Iterator[str]:
    """Violations of the totals of the ledger that a block carries: its header has their hash, and they sum to zero."""
    if block.header["state"]["ledger_hash"] != canonical.digest(block.ledger):
        yield f"the ledger_hash of block {block.height} is not that of the totals shown with it"
    if sum(Decimal(totals["balance"]) for totals in block.ledger.values()):
        yield f"the totals shown with block {block.height} are out of balance"

"""The exchange's side of a challenge: Merkle trees over digests, questions, and the check of the answers. Pure.

What is checked: the requested rows and pages belong to the roots committed to before the request was drawn;
the rows are rows of A · B (Freivalds, *Probabilistic machines can use less running time*, 1977: for eight random ±1
vectors r, A(Br) = Cr; exact, since every sum stays below 2⁵³); each page follows from its two parents. A miner that did
a share p of the products passes with probability about p^rows.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.gpu.logic import challenge
from apps.gpu.logic.challenge import NUMPY, Task

VECTORS = 8
DIGEST = 16  # bytes
EMPTY = b"\0" * 32


class Tree:
    """A SHA-256 Merkle tree over tables of digests, hashed as RFC 9162 does; filled up to a power of two."""

    def __init__(self, tables: Sequence[bytes]) -> None:
        leaves = [hashlib.sha256(b"\0" + table).digest() for table in tables]
        size = 1 << max(len(leaves) - 1, 0).bit_length()
        self.levels = [leaves + [EMPTY] * (size - len(leaves))]
        while len(below := self.levels[-1]) > 1:
            self.levels.append([_node(below[n], below[n + 1]) for n in range(0, len(below), 2)])

    @property
    def root(self) -> str:
        """The root over all tables, in hex."""
        return self.levels[-1][0].hex()

    def path(self, leaf: int) -> list[str]:
        """Return the sibling hashes (hex) from a leaf, by its index, up to the root."""
        return [level[(leaf >> depth) ^ 1].hex() for depth, level in enumerate(self.levels[:-1])]


def root_of(table: bytes, leaf: int, path: Sequence[str]) -> str:
    """Return the root (hex) that a table at this leaf, with this path, belongs to."""
    found = hashlib.sha256(b"\0" + table).digest()
    for depth, other in enumerate(path):
        beside = bytes.fromhex(other)
        found = _node(beside, found) if (leaf >> depth) & 1 else _node(found, beside)
    return found.hex()


def draw(task: Task) -> dict[str, Any]:
    """Return the question: which `rows` of the product and which [block, page] pairs in `pages` must be opened.

    Drawn by the exchange's own randomness after the commitment, so that nobody can know it before.
    """
    random = secrets.SystemRandom()
    rows = random.sample(range(task.rows), min(task.rows_asked, task.rows))
    pages = [[random.randrange(1, task.blocks), random.randrange(task.pages)] for _ in range(task.pages_asked)]
    return {"rows": sorted(rows), "pages": pages}


def opening(data: Any, table: bytes, path: Sequence[str]) -> dict[str, Any]:
    """Return one row or page as it is sent: its words (int32), the table its digest lies in, the table's path."""
    return {"data": packed(data.astype("<i4").tobytes()), "table": packed(table), "path": list(path)}


def packed(data: bytes) -> str:
    """Return bytes compressed (zlib) and encoded (base64)."""
    return base64.b64encode(zlib.compress(data, 1)).decode()


def check(task: Task, commitment: Mapping[str, Any], question: Mapping[str, Any], answer: Any) -> list[str]:
    """Return what is wrong with an answer, one text a fault; an empty list when it is right. Never raises."""
    try:
        return [
            *_check_rows(task, str(commitment["product"]), question["rows"], answer["rows"]),
            *_check_pages(task, str(commitment["memory"]), question["pages"], answer["pages"]),
        ]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, zlib.error) as error:
        return [f"the answer cannot be read: {type(error).__name__}: {error}"[:200]]


@dataclass(frozen=True)
class Bound:
    """What a miner bound itself to: the root of a tree over so many digests."""

    task: Task
    root: str
    total: int

    def opened(self, place: int, opened: Mapping[str, Any]) -> Any:
        """Return the words (int32) of an opened row or page, or None when it does not lie under the root at this index.

        Raises KeyError, ValueError or zlib.error for an opening that cannot be read; `check` reports those.
        """
        import numpy

        size = self.task.table * DIGEST
        table = _unpacked(opened["table"], size)
        words = numpy.frombuffer(_unpacked(opened["data"], self.task.words * challenge.WORD), "<i4")
        at, leaf = place % self.task.table * DIGEST, place // self.task.table
        depth = (-(-self.total // self.task.table) - 1).bit_length()
        if words.size != self.task.words or len(opened["path"]) != depth:
            return None
        digest = challenge.digests(NUMPY, words.reshape(1, -1)).astype("<i4").tobytes()
        belongs = table[at : at + DIGEST] == digest and root_of(table, leaf, opened["path"]) == self.root
        return words if belongs else None


def _check_rows(task: Task, root: str, requested: Sequence[int], opened: Sequence[Mapping[str, Any]]) -> list[str]:
    import numpy

    if len(opened) != len(requested):
        return [f"{len(requested)} rows were asked, {len(opened)} came"]
    bound = Bound(task, root, task.rows)
    rows = [bound.opened(row, one) for row, one in zip(requested, opened, strict=True)]
    if strays := [row for row, found in zip(requested, rows, strict=True) if found is None]:
        return [f"row {row} is not the one committed to" for row in strays[:3]]
    wrong = _not_products(task, requested, numpy.stack(rows))
    return [f"row {row} is not a row of the product" for row in wrong[:3]]


def _not_products(task: Task, requested: Sequence[int], rows: Any) -> list[int]:
    """Freivalds' check of rows of the product; returns those that fail."""
    import numpy

    n = task.words
    random = numpy.random.default_rng(secrets.randbits(128))
    vectors = random.integers(0, 2, (n, VECTORS)).astype("float32") * 2 - 1
    right = numpy.concatenate([
        challenge.matrix_rows(NUMPY, task, ("B",), first, min(512, n - first)).astype("float32") @ vectors
        for first in range(0, n, 512)
    ])  # |B·r| ≤ 2n: exact in float32  # fmt: skip
    left = numpy.concatenate([
        challenge.matrix_rows(NUMPY, task, ("A", row // n), row % n, 1) for row in requested
    ])  # fmt: skip
    same = left.astype("float64") @ right.astype("float64") == rows.astype("float64") @ vectors.astype("float64")
    return [row for row, good in zip(requested, same.all(axis=1), strict=True) if not good]


def _check_pages(
    task: Task, root: str, requested: Sequence[Sequence[int]], opened: Sequence[Mapping[str, Any]]
) -> list[str]:
    if len(opened) != len(requested):
        return [f"{len(requested)} pages were asked, {len(opened)} came"]
    bound = Bound(task, root, task.all_pages)
    faults = [_page_fault(bound, block, page, one) for (block, page), one in zip(requested, opened, strict=True)]
    return [fault for fault in faults if fault][:3]


def _page_fault(bound: Bound, block: int, page: int, opened: Mapping[str, Any]) -> str:
    task = bound.task
    how = challenge.link(task, block)
    places = family(task, block, page)
    found = {name: bound.opened(places[name], opened[name]) for name in places}
    if any(words is None for words in found.values()):
        return f"page {page} of block {block}, or a parent of it, is not the one committed to"
    shifted = NUMPY.roll(found["parent"], (how.word_shift,), (0,))
    if not (challenge.joined(shifted, found["reference"], how.key) == found["page"]).all():
        return f"page {page} of block {block} does not follow from its parents"
    return "" if _roots_right(task, places, found) else f"a page of block 0 under block {block} is not the first"


def family(task: Task, block: int, page: int) -> dict[str, int]:
    """Return the indexes, through all blocks, of a page and of its two parents."""
    how = challenge.link(task, block)
    parent = (block - 1) * task.pages + (page - how.page_shift) % task.pages
    return {"page": block * task.pages + page, "parent": parent, "reference": how.reference * task.pages + page}


def _roots_right(task: Task, places: Mapping[str, int], found: Mapping[str, Any]) -> bool:
    """Pages of block 0 are known from the nonce itself."""
    first = [name for name, place in places.items() if place < task.pages]
    return all((challenge.first_block(NUMPY, task, places[name], 1)[0] == found[name]).all() for name in first)


def _unpacked(text: str, most: int) -> bytes:
    """At most so many bytes, however well they were compressed."""
    return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), most)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()

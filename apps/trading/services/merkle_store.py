"""The log's Merkle tree in the database: rows of full tiles, and the entries of the last, incomplete ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aitbc.core.db import cursor
from apps.trading.logic import merkle
from apps.trading.logic.merkle import Range
from apps.trading.models import LogEntry, LogTile

HEIGHT = 8
WIDTH = 1 << HEIGHT
DIGEST = 32
Place = tuple[int, int]

# A tile that is not full yet has no row: it is assembled from the level below, entries or roots of tiles.
LOAD = """
SELECT w.level, w.index, coalesce(
  (SELECT t.hashes FROM trading_logtile t WHERE t.level = w.level AND t.index = w.index),
  (SELECT string_agg(t.root, ''::bytea ORDER BY t.index) FROM trading_logtile t
   WHERE t.level = w.level - 1 AND t.index >= w.index * w.width AND t.index < (w.index + 1) * w.width),
  (SELECT decode(string_agg(e.leaf_hash, '' ORDER BY e.idx), 'hex') FROM trading_logentry e
   WHERE w.level = 0 AND e.idx >= w.index * w.width AND e.idx < (w.index + 1) * w.width))
FROM (SELECT *, %s::bigint AS width FROM unnest(%s::int[], %s::bigint[]) AS u(level, index)) w
"""


class TreeReader:
    """A `merkle.Node` on the database: hashes of complete subtrees; the tiles of the ranges are read in one query."""

    def __init__(self, *ranges: Range) -> None:
        self.tiles = load({tile_of(*node) for part in ranges for node in merkle.complete(*part)})

    def __call__(self, level: int, index: int) -> bytes:
        place = tile_of(level, index)
        if place not in self.tiles:
            self.tiles |= load([place])
        within = level % HEIGHT
        offset = (index << within) % WIDTH
        return merkle.root(self.tiles[place][offset : offset + (1 << within)])


def tile_of(level: int, index: int) -> Place:
    """Return the (level, index) of the tile that contains this subtree's nodes."""
    return level // HEIGHT, (index << level % HEIGHT) // WIDTH


def load(places: Iterable[Place]) -> dict[Place, list[bytes]]:
    """Return the hashes in these tiles, by tile; fewer than WIDTH in an incomplete one."""
    requested = list(places)
    if not requested:
        return {}
    with cursor(LogTile) as sql:
        sql.execute(LOAD, [WIDTH, [level for level, _ in requested], [index for _, index in requested]])
        return {(level, index): cut(bytes(hashes or b"")) for level, index, hashes in sql.fetchall()}


def cut(hashes: bytes) -> list[bytes]:
    """Return concatenated digests as a list."""
    return [hashes[i : i + DIGEST] for i in range(0, len(hashes), DIGEST)]


def leaf_hashes(first: int, end: int) -> list[bytes]:
    """Return the leaf hashes of the entries first…end−1."""
    entries = LogEntry.objects.sequenced(first, end)
    return [bytes.fromhex(text) for text in entries.values_list("leaf_hash", flat=True)]


def extend(first: int, leaves: Sequence[bytes]) -> None:
    """Store the tiles that are completed by these leaf hashes, whose first one has the index `first`."""
    level, fresh = 0, list(leaves)
    while fresh:
        tile, head = divmod(first, WIDTH)
        row = load([(level, tile)])[level, tile][:head] + fresh if head else fresh
        full = [row[i : i + WIDTH] for i in range(0, len(row) - WIDTH + 1, WIDTH)]
        roots = [merkle.root(hashes) for hashes in full]
        LogTile.objects.bulk_create(
            LogTile(level=level, index=tile + n, root=root, hashes=b"".join(hashes))
            for n, (root, hashes) in enumerate(zip(roots, full, strict=True))
        )
        level, first, fresh = level + 1, tile, roots

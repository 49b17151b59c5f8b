"""The log's Merkle tree as the database keeps it: full tiles, and the entries of the last, unfinished ones."""

from __future__ import annotations

from collections.abc import Sequence

from apps.trading import merkle
from apps.trading.models import LogEntry, LogTile

HEIGHT = 8
WIDTH = 1 << HEIGHT
DIGEST = 32


class TreeReader:
    """Answers what complete subtrees hash to, reading each tile at most once. Make one per question."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        tile_level, within = divmod(level, HEIGHT)
        tile, offset = divmod(index << within, WIDTH)
        return merkle.root(self.tile(tile_level, tile)[offset : offset + (1 << within)])

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile, as many as there are."""
        if (level, index) not in self.tiles:
            full = LogTile.objects.filter(level=level, index=index).values_list("hashes", flat=True).first()
            self.tiles[level, index] = cut(full) if full else unfinished(level, index)
        return self.tiles[level, index]


def cut(hashes: bytes) -> list[bytes]:
    data = bytes(hashes)
    return [data[i : i + DIGEST] for i in range(0, len(data), DIGEST)]


def unfinished(level: int, index: int) -> list[bytes]:
    """The hashes that a tile will begin with: of entries on level 0, of the tiles below on higher levels."""
    first, end = index * WIDTH, (index + 1) * WIDTH
    if level == 0:
        return leaf_hashes(first, end)
    below = LogTile.objects.filter(level=level - 1, index__gte=first, index__lt=end).order_by("index")
    return [bytes(root) for root in below.values_list("root", flat=True)]


def leaf_hashes(first: int, end: int) -> list[bytes]:
    entries = LogEntry.objects.sequenced(first, end)
    return [bytes.fromhex(text) for text in entries.values_list("leaf_hash", flat=True)]


def extend(first: int, leaves: Sequence[bytes]) -> None:
    """Keep the tiles that these leaf hashes, appended at `first`, complete."""
    level, fresh = 0, list(leaves)
    while fresh:
        tile, head = divmod(first, WIDTH)
        row = unfinished(level, tile)[:head] + fresh if head else fresh
        full = [row[i : i + WIDTH] for i in range(0, len(row) - WIDTH + 1, WIDTH)]
        tiles = [
            LogTile(level=level, index=tile + n, root=merkle.root(hashes), hashes=b"".join(hashes))
            for n, hashes in enumerate(full)
        ]
        LogTile.objects.bulk_create(tiles)
        level, first, fresh = level + 1, tile, [tile.root for tile in tiles]

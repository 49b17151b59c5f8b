"""What a benchmark makes a card compute and keep: arithmetic that miner and exchange share. Pure: no Django.

*Product.* B is an n×n matrix and A_k, k = 1 … rounds, are n×n matrices of whole numbers −2 … 2, all made from the nonce
by a counter through a 32-bit mixer. The miner multiplies every A_k · B (exact in float32: |sum| ≤ 4n < 2²⁴) and digests
each row.
*Memory.* Blocks V_0 … V_N of 32-bit words: V_0 from the nonce, V_i = mix(shifted V_{i−1} ⊕ (rotated V_{ref(i)} + key)),
where shift, ref(i) < i and key come from the nonce. To know one page one needs two earlier pages, for those four, and
so on: in the end nearly all. Pages are digested. (After the Merkle tree proof of Biryukov and Khovratovich,
*Egalitarian Computing*, 2016, with a graph fixed in advance.)
Digests lie in tables, a table is a leaf of a SHA-256 Merkle tree, and two roots are what a miner commits to.

Arrays are int32 of numpy, torch or cupy: their sums and products wrap around, so that one text serves all three.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

SUITE = "2026.11"
WORD = 4  # bytes
KEYS = (0x61707865, 0x3320646E, 0x79622D32, 0x6B206574)  # "expand 32-byte k", as in ChaCha


class Arrays(Protocol):
    """The few functions that differ from one array library to the next."""

    def counter(self, start: int, count: int) -> Any:
        """start, start + 1, … as int32 (wrapping)."""

    def octets(self, words: Any) -> Any:
        """The bytes of each word, lowest first, as small integers: the last axis becomes four times as long."""

    def roll(self, array: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any: ...


@dataclass(frozen=True)
class Task:
    """One challenge. `words` is both the matrices' size and the words of a page; it is a power of four."""

    nonce: str
    device: str  # gpu | cpu
    words: int
    rounds: int
    blocks: int
    pages: int  # in a block
    table: int  # digests in a leaf
    rows_asked: int = 32
    pages_asked: int = 8
    suite: str = SUITE

    @cached_property
    def bytes(self) -> int:
        """Bytes of memory that must be filled."""
        return self.blocks * self.pages * self.words * WORD

    @cached_property
    def flop(self) -> float:
        """Floating-point operations of all products."""
        return 2.0 * self.words**3 * self.rounds

    @property
    def rows(self) -> int:
        """Rows of all products together."""
        return self.rounds * self.words

    @property
    def all_pages(self) -> int:
        """Pages of all blocks together."""
        return self.blocks * self.pages

    def to_json(self) -> dict[str, Any]:
        """Return the task as JSON; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Task:
        """Return the task that `to_json` wrote. Raises KeyError when a member is absent."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Link:
    """How block i ≥ 1 follows from the one before it and from an earlier one."""

    page_shift: int
    word_shift: int
    reference: int
    key: int


def gpu_task(nonce: str, *, memory_mb: int, fp32_tflops: float) -> Task:
    """Return a task that fills at least 90 % of the claimed memory and takes about 1.5 s at the claimed fp32 rate."""
    rounds = max(round(1.5 * fp32_tflops * 1e12 / (2 * 4096**3)), 8)
    blocks = max(-(-(memory_mb * 2**20 * 9 // 10) // (16 * 2**20)), 2)
    return Task(nonce, "gpu", words=4096, rounds=min(rounds, 4000), blocks=blocks, pages=1024, table=256)


def cpu_task(nonce: str, *, memory_mb: int) -> Task:
    """Return a small task: an eighth of the memory offered, at most 64 MiB, and a second or two on two cores."""
    blocks = max(min(memory_mb // 8, 64) * 4, 2)
    return Task(nonce, "cpu", words=1024, rounds=16, blocks=blocks, pages=64, table=64)


def seed(nonce: str, *name: object) -> int:
    """Return a signed 32-bit number drawn from the nonce for a purpose."""
    text = "/".join([nonce, *map(str, name)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little", signed=True)


def link(task: Task, block: int) -> Link:
    """Return the parameters of a memory block, drawn from the nonce."""
    drawn = hashlib.sha256(f"{task.nonce}/memory/{block}".encode()).digest()
    number = [int.from_bytes(drawn[at : at + 4], "little") for at in (0, 4, 8)]
    key = int.from_bytes(drawn[12:16], "little", signed=True)
    return Link(number[0] % task.pages, number[1] % task.words, number[2] % block, key)


def shifted_right(x: Any, bits: int) -> Any:
    """Return int32 words shifted right without their sign."""
    return (x >> bits) & ((1 << (32 - bits)) - 1)


def rotated(x: Any, bits: int) -> Any:
    """Return 32-bit words rotated to the left."""
    return (x << bits) | shifted_right(x, 32 - bits)


def mix(x: Any) -> Any:
    """Return words permuted so that every output bit depends on every input bit (Wellons' lowbias32)."""
    x = x ^ shifted_right(x, 16)
    x = x * 0x21F0AAAD
    x = x ^ shifted_right(x, 15)
    x = x * -0x2CA5D269  # 0xd35a2d97
    return x ^ shifted_right(x, 15)


def stream(xp: Arrays, nonce: str, name: tuple[object, ...], start: int, count: int) -> Any:
    """Return words `start` … `start + count` of the named stream: a counter, mixed twice."""
    return mix(mix(xp.counter(start + seed(nonce, *name, 0), count)) + seed(nonce, *name, 1))


def matrix_rows(xp: Arrays, task: Task, name: tuple[object, ...], first: int, count: int) -> Any:
    """Return rows of a matrix of −2 … 2, shape (count, words): each octet of the stream · 5 / 256, minus 2."""
    quarter = task.words // 4
    words = stream(xp, task.nonce, name, first * quarter, count * quarter).reshape(count, quarter)
    return ((xp.octets(words) * 5) >> 8) - 2


def first_block(xp: Arrays, task: Task, first_page: int, count: int) -> Any:
    """Return pages of memory block 0, shape (count, words)."""
    words = stream(xp, task.nonce, ("memory",), first_page * task.words, count * task.words)
    return words.reshape(count, task.words)


def next_block(xp: Arrays, before: Any, reference: Any, how: Link) -> Any:
    """Return a whole memory block, shape (pages, words), from the one before and the referenced one."""
    return joined(xp.roll(before, (how.page_shift, how.word_shift), (0, 1)), reference, how.key)


def joined(shifted: Any, reference: Any, key: int) -> Any:
    """Return words of a block, each from its two parents."""
    return mix(shifted ^ (rotated(reference, 11) + key))


def digests(xp: Arrays, pages: Any) -> Any:
    """Return 128 bits of each page: a tree that turns 16 words into 4 by one double round of ChaCha with feed-forward.

    Not a standard hash. A product's row needs no more (its true digest is the only one that passes); a page's must
    withstand forgery for the seconds that an answer may take.
    """
    count, width = pages.shape
    while width > 4:
        width //= 16
        pages = _fold(xp, pages.reshape(count, 4, 4, width)).reshape(count, 4 * width)
        width *= 4
    return pages


def _fold(xp: Arrays, x: Any) -> Any:
    words = [x[:, n] for n in range(4)]
    rows = _quarter_round(*(row + key for row, key in zip(words, KEYS, strict=True)))
    turned = [rows[0], *(xp.roll(rows[n], (-n,), (1,)) for n in (1, 2, 3))]
    a, b, c, d = (new + previous for new, previous in zip(_quarter_round(*turned), words, strict=True))
    return (a ^ c) + (b ^ d)


def _quarter_round(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Any, Any, Any]:
    a = a + b
    d = rotated(d ^ a, 16)
    c = c + d
    b = rotated(b ^ c, 12)
    a = a + b
    d = rotated(d ^ a, 8)
    c = c + d
    b = rotated(b ^ c, 7)
    return a, b, c, d


class Numpy:
    """numpy's way."""

    def counter(self, start: int, count: int) -> Any:
        import numpy

        wrapped = numpy.arange(start & 0xFFFFFFFF, (start & 0xFFFFFFFF) + count, dtype="int64")
        return wrapped.astype("uint32").view("int32")

    def octets(self, words: Any) -> Any:
        return words.view("uint8").astype("int16")

    def roll(self, array: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
        import numpy

        return numpy.roll(array, shift, axis)


NUMPY = Numpy()

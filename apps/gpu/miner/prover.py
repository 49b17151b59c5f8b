"""The miner's side of a challenge (logic/challenge.py): compute the product, fill the memory, commit, answer."""

import time
from collections.abc import Callable
from typing import Any

import numpy

from apps.gpu.logic import challenge
from apps.gpu.logic.challenge import NUMPY, Task
from apps.gpu.logic.challenge_check import DIGEST, Tree, family, opening
from apps.gpu.miner.devices import Device

BATCH_WORDS = {True: 16 * 2**20, False: 2**18}  # words digested at once, on a GPU and in a processor's cache


class Prover:
    """One challenge in progress. The memory stays filled until the challenge is answered."""

    def __init__(self, task: Task, device: Device, progress: Callable[[float, str], None] = lambda share, note: None):
        self.task, self.device, self._progress = task, device, progress
        self.seconds: dict[str, float] = {}
        self._batch = max(BATCH_WORDS[device.gpu] // task.words, 1)

    def commit(self) -> dict[str, Any]:
        """Compute the product and fill the memory; return the two Merkle roots and the seconds of each part."""
        self._rows, self._products = self._timed("product", self._multiply)
        self.device.free()
        self._pages, self._memory = self._timed("memory", self._fill)
        return {"product": self._products.root, "memory": self._memory.root, "seconds": self.seconds}

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the rows and pages that the question names, each with its path to the root."""
        rows = [self._row(row) for row in question["rows"]]
        families = [family(self.task, block, page) for block, page in question["pages"]]
        return {"rows": rows, "pages": [{name: self._page(place) for name, place in one.items()} for one in families]}

    def _timed(self, name: str, work: Callable[[], list[bytes]]) -> tuple[list[bytes], Tree]:
        self.device.wait()
        started = time.perf_counter()
        tables = work()
        tree = Tree(tables)
        self.seconds[name] = round(time.perf_counter() - started, 4)
        return tables, tree

    def _multiply(self) -> list[bytes]:
        task, device, n = self.task, self.device, self.task.words
        right = device.real(challenge.matrix_rows(device, task, ("B",), 0, n))
        at_once = max(min(self._batch // n, 4), 1)
        digested = []
        for first in range(0, task.rounds, at_once):
            numbers = range(first, min(first + at_once, task.rounds))
            products = device.empty(len(numbers) * n, n)
            for place, number in enumerate(numbers):
                left = device.real(challenge.matrix_rows(device, task, ("A", number), 0, n))
                products[place * n : (place + 1) * n] = device.whole(left @ right)
            digested.append(self._digested(products))
            self._progress(0.5 * first / task.rounds, "matrix products")
        return self._tables(digested)

    def _fill(self) -> list[bytes]:
        task, device = self.task, self.device
        self.memory = device.empty(task.blocks, task.pages, task.words)
        self.memory[0] = challenge.first_block(device, task, 0, task.pages)
        for block in range(1, task.blocks):
            link = challenge.link(task, block)
            self.memory[block] = challenge.next_block(device, self.memory[block - 1], self.memory[link.reference], link)
            if block % 64 == 0:
                self._progress(0.5 + 0.25 * block / task.blocks, "filling memory")
        flat = self.memory.reshape(task.all_pages, task.words)
        return self._tables([self._digested(flat)])

    def _digested(self, pages: Any) -> bytes:
        parts = [
            self.device.host(challenge.digests(self.device, pages[first : first + self._batch]))
            for first in range(0, len(pages), self._batch)
        ]
        return numpy.concatenate(parts).astype("<i4").tobytes()

    def _tables(self, digests: list[bytes]) -> list[bytes]:
        whole, size = b"".join(digests), self.task.table * DIGEST
        return [whole[at : at + size] for at in range(0, len(whole), size)]

    def _row(self, row: int) -> dict[str, Any]:
        """Compute the row again: all rows together would take more memory than the GPU has."""
        n = self.task.words
        if not hasattr(self, "_right"):
            self._right = challenge.matrix_rows(NUMPY, self.task, ("B",), 0, n).astype("float32")
        left = challenge.matrix_rows(NUMPY, self.task, ("A", row // n), row % n, 1).astype("float32")
        leaf = row // self.task.table
        return opening((left @ self._right)[0], self._rows[leaf], self._products.path(leaf))

    def _page(self, place: int) -> dict[str, Any]:
        block, page = divmod(place, self.task.pages)
        leaf = place // self.task.table
        return opening(self.device.host(self.memory[block][page]), self._pages[leaf], self._memory.path(leaf))

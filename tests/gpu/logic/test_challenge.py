"""The arithmetic of a challenge: what passes, and what does not."""

from __future__ import annotations

import copy
import hashlib
from functools import cache

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.logic import benchmark_scoring, challenge, challenge_check
from apps.gpu.logic.challenge import NUMPY, Task
from apps.gpu.logic.challenge_check import Tree, check, root_of
from tests.gpu.factories import measurements, proof, small

pytestmark = pytest.mark.no_db
TASK = small(challenge.gpu_task("5eed", memory_mb=1024, fp32_tflops=1.0))


@pytest.fixture(scope="module")
def proven():
    return proof(TASK)


def test_an_honest_answer_passes(proven):
    assert check(TASK, *proven) == []


def test_rows_are_the_product_by_brute_force():
    n = TASK.words
    right = challenge.matrix_rows(NUMPY, TASK, ("B",), 0, n).astype(int)
    left = challenge.matrix_rows(NUMPY, TASK, ("A", 2), 0, n).astype(int)
    commitment, question, answer = proof(TASK)
    requested = [row for row in question["rows"] if row // n == 2]

    assert {*left.flatten()} == {-2, -1, 0, 1, 2}
    for row in requested:
        response = answer["rows"][question["rows"].index(row)]
        words = numpy.frombuffer(challenge_check._unpacked(response["data"], n * 4), "<i4")
        assert (words == left[row % n] @ right).all()


def flipped(opening: dict, by: int) -> dict:
    words = bytearray(challenge_check._unpacked(opening["data"], 10**6))
    words[by % len(words)] ^= 1
    return {**opening, "data": challenge_check.packed(bytes(words))}


@cache
def one_proof():
    return proof(TASK)


@given(st.data())
def test_any_changed_bit_of_an_answer_is_refused(data):
    commitment, question, answer = copy.deepcopy(one_proof())
    kind = data.draw(st.sampled_from(["row", "page", "parent", "reference", "path", "swap"]))
    place = data.draw(st.integers(0, 5))
    if kind == "row":
        answer["rows"][place] = flipped(answer["rows"][place], data.draw(st.integers(0, 255)))
    elif kind == "path":
        path = answer["rows"][place]["path"]
        path[0] = hashlib.sha256(path[0].encode()).hexdigest()
    elif kind == "swap":
        answer["rows"][place], answer["rows"][place + 1] = answer["rows"][place + 1], answer["rows"][place]
    else:
        family = answer["pages"][place]
        family[kind] = flipped(family[kind], data.draw(st.integers(0, 255)))

    assert check(TASK, commitment, question, answer)


@pytest.mark.parametrize(
    "nonsense",
    [None, [], {}, {"rows": 1, "pages": 2}, {"rows": [None] * 16, "pages": [{}] * 6}, {"rows": [{}] * 16, "pages": []},
     {"rows": [{"data": "!", "table": "", "path": []}] * 16, "pages": []}],
)  # fmt: skip
def test_nonsense_is_a_fault_and_never_an_error(proven, nonsense):
    commitment, question, _ = proven

    assert check(TASK, commitment, question, nonsense)


def test_whoever_multiplied_only_half_is_found_out():
    """A miner that computes half the rows and makes the others up, consistently committed to, fails on one of 16."""
    from apps.gpu.miner.devices import Cpu
    from apps.gpu.miner.prover import Prover

    class Lazy(Prover):
        def _row(self, row):
            if row % 2:
                return super()._row(row)
            made_up = numpy.zeros(self.task.words, "int32")
            leaf = row // self.task.table
            return challenge_check.opening(made_up, self._rows[leaf], self._products.path(leaf))

        def _digested(self, pages):
            if len(pages) % self.task.words == 0 and not hasattr(self, "_products"):
                pages = pages.copy()
                pages[::2] = 0
            return super()._digested(pages)

    lazy = Lazy(TASK, Cpu())
    commitment = lazy.commit()
    question = challenge_check.draw(TASK) | {"rows": list(range(16))}

    assert "not a row of the product" in check(TASK, commitment, question, lazy.answer(question))[0]


def test_a_forgotten_page_cannot_be_replaced_by_another(proven):
    commitment, question, answer = copy.deepcopy(proven)
    answer["pages"][0]["page"] = answer["pages"][1]["page"]
    if question["pages"][0] == question["pages"][1]:
        pytest.skip("the same page was drawn twice")

    assert check(TASK, commitment, question, answer)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=33))
def test_every_leaf_of_a_tree_leads_to_its_root_and_to_no_other_place(tables):
    tree = Tree(tables)

    for leaf, table in enumerate(tables):
        assert root_of(table, leaf, tree.path(leaf)) == tree.root
        assert root_of(table + b"x", leaf, tree.path(leaf)) != tree.root


def test_a_digest_depends_on_every_word_and_its_place():
    page = numpy.arange(64, dtype="int32").reshape(1, 64)
    seen = {challenge.digests(NUMPY, page).tobytes()}
    for word in range(64):
        other = page.copy()
        other[0, word] ^= 1 << (word % 31)
        seen.add(challenge.digests(NUMPY, other).tobytes())
    seen.add(challenge.digests(NUMPY, page[:, ::-1].copy()).tobytes())

    assert len(seen) == 66


@given(memory_mb=st.integers(256, 200_000), fp32=st.floats(0.1, 200))
def test_a_task_fills_nine_tenths_of_the_memory_claimed_and_not_much_more(memory_mb, fp32):
    task = challenge.gpu_task("n", memory_mb=memory_mb, fp32_tflops=fp32)

    assert 0.9 * memory_mb * 2**20 <= task.bytes <= 0.9 * memory_mb * 2**20 + 32 * 2**20
    assert Task.from_json(task.to_json()) == task


def test_a_processor_s_task_is_small():
    task = challenge.cpu_task("n", memory_mb=16_000)

    assert task.bytes == 64 * 2**20 and task.flop < 50e9


@given(claim=st.floats(0.1, 100), more=st.floats(1.01, 10))
def test_who_claims_more_is_allowed_less_time(claim, more):
    slow = benchmark_scoring.allowed_seconds(TASK, {"fp32_tflops": claim, "bandwidth_gbps": 100.0})
    fast = benchmark_scoring.allowed_seconds(TASK, {"fp32_tflops": claim * more, "bandwidth_gbps": 100.0 * more})

    assert fast < slow


def test_an_rtx_3090_scores_a_hundred_and_the_score_is_the_geometric_mean():
    measured = {"bandwidth_gbps": 936.0, "fp32_tflops": 35.6, "fp16_tflops": 142.0}

    assert benchmark_scoring.score(measured) == pytest.approx(100)
    assert benchmark_scoring.score(measured | {"bandwidth_gbps": 8 * 936.0}) == pytest.approx(200)


def test_a_geforce_that_accumulates_in_fp32_is_held_to_half_its_fp16_rate():
    response = measurements(860, 33, 65)
    reference = {"bandwidth_gbps": 936.0, "fp32_tflops": 35.6, "fp16_tflops": 142.0}

    def state(**how):
        return benchmark_scoring.judge(
            TASK, response, reference, elapsed=0.1, faults=[], fp16=benchmark_scoring.Fp16Mode(**how)
        )["state"]

    assert state(accumulate="fp32", consumer=True) == "passed"
    assert state(accumulate="fp16", consumer=True) == "mismatch"
    assert state(accumulate="fp32", consumer=False) == "mismatch"

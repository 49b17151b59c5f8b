"""Random questions to a search, as text: for the tests and the benchmark."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from apps.marketplace.search import terms
from apps.marketplace.search.fields import TABLE, Field, Kind, Workload
from apps.marketplace.search.statements import Search

#: A small model at a common setting, as apps.gpu.interface.decode_model would describe it.
EIGHT_B = SimpleNamespace(
    bytes_per_step=5.4e9, flops_per_step=1.6e10, overhead_s=3e-4, need_mb=7200.0, usable_share=0.92,
    efficiency_bandwidth=0.8, efficiency_compute=0.6, batch=1,
)  # fmt: skip
TEXTS = {
    "gpu_model": [
        "RTX_4090",
        '"NVIDIA GeForce RTX 3090"',
        "'a100 80gb'",
        "x",
        "H100_SXM",
        '"rx 7900 xtx"',
        "tesla_k80_x",
    ],
    "vendor": ["nvidia", "AMD", '""'],
    "architecture": ["ampere", "ada_lovelace", '"Ada Lovelace"'],
    "region": ["EU-DE", "eu_west", '"us-east"', "nowhere"],
    "device": ["gpu", "cpu"],
}
NUMBERS = {
    "gpu_count": [1, 2, 4, 8], "gpu_ram": [8, 12, 24, 80], "gpu_total_ram": [24, 48, 320], "gpu_ram_mb": [12288, 24564],
    "bandwidth": [360, 936.0, 240.5], "fp32_tflops": [12.7, 35.6], "fp16_tflops": [51, 142, 989], "tdp_w": [170, 350],
    "compute_cap": [8.6, 8.9], "cuda": [11.8, 12.4], "up_mbps": [100, 500], "down_mbps": [100, 500],
    "benchmark": [50, 100.5], "reliability": [0.5, 0.5708645, 0.9], "rating": [3.5, 4, 4.75], "reviews": [0, 2],
    "score": [0, 10, 400], "min_duration_s": [60, 3600], "max_duration_s": [3600, 86400],
    "tflops_per_credit": [50, 300], "bw_per_credit": [500, 2e3], "benchmark_per_credit": [100, 400],
    "tokens_s": [50, 150.5], "tokens_per_credit": [1e5, 1e6],
}  # fmt: skip
AMOUNTS = ["0.25", "0.5", "1", "2.75", "0.000001", "0.123457"]
WORDS = ["rtx", "cheap", "100%", "a_b", "quiet", "b7", "zzz", "\\"]


def random_search(dice: random.Random) -> Search:
    """Terms written as text and read back, an order, and sometimes words."""
    text = dice.choice([" ", " AND "]).join(_term(dice) for _ in range(dice.choice([0, 1, 1, 2, 2, 3, 4])))
    workload = Workload(storage_gb=dice.choice([0, 0, 100]), model=EIGHT_B)
    words = tuple(dice.sample(WORDS, dice.choice([0, 0, 0, 1, 2])))
    order = ",".join(dice.choice(["", "-"]) + dice.choice(TABLE).name for _ in range(dice.choice([0, 1, 2])))
    parsed = terms.read(text, workload=workload)
    return Search(terms.with_implied(parsed), terms.read_order(order, workload), workload, words)


def _term(dice: random.Random) -> str:
    field = dice.choice(TABLE)
    name = dice.choice([field.name, *field.aliases])
    if field.kind is Kind.FLAG:
        return f"{name}{dice.choice(['==', '!=', '='])}{dice.choice(['true', 'false'])}"
    op = dice.choice(
        ["==", "!=", "in", "notin"] if field.kind is Kind.TEXT else ["==", "!=", "<", "<=", ">", ">=", "in", "notin"]
    )
    if op in ("in", "notin"):
        return f"{name} {op} [{', '.join(str(_value(dice, field)) for _ in range(dice.randrange(1, 4)))}]"
    return f"{name} {op} {_value(dice, field)}"


def _value(dice: random.Random, field: Field) -> Any:
    if field.kind is Kind.AMOUNT:
        return dice.choice(AMOUNTS)
    return dice.choice(TEXTS[field.name] if field.kind is Kind.TEXT else NUMBERS[field.name])

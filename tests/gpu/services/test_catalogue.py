"""The catalogue: its file, its table, and the recognition of models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.logic.model_matching import Model, best_match, normalise
from apps.gpu.models import ConsumerGPUProfile
from apps.gpu.services import catalogue

ROWS = list(catalogue.rows())
MODELS = [Model(row["model"], row["memory_gb"], row["model"], row["vendor"] == "Apple") for row in ROWS]


@pytest.mark.no_db
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_each_row_is_plausible(row):
    assert row["memory_gb"] > 0 and row["bandwidth_gbps"] > 0
    assert row["tdp_w"] is None or 5 <= row["tdp_w"] <= 1500
    assert row["fp32_tflops"] is None or 0.5 <= row["fp32_tflops"] <= 300
    assert row["fp16_tflops"] is None or row["fp32_tflops"] is None or row["fp16_tflops"] >= row["fp32_tflops"]
    assert 2016 <= row["year"] <= 2026
    assert 40 <= row["bandwidth_gbps"] <= 10_000
    # No memory is faster than a few times its size per hundredth of a second, none so slow that it takes seconds.
    assert 0.5 <= row["bandwidth_gbps"] / row["memory_gb"] <= 100
    assert bool(row["compute_capability"]) == (row["vendor"] == "NVIDIA")


@pytest.mark.no_db
def test_there_are_all_rows_and_each_model_once():
    assert len(ROWS) == 131 == len({row["model"] for row in ROWS})


@pytest.mark.no_db
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_each_model_is_found_by_its_own_name(row):
    match = best_match(f"{row['vendor']} {row['model']}", int(row["memory_gb"] * 1024), MODELS)

    assert match is not None and match.row == row["model"] and match.likeness == 100


@pytest.mark.no_db
@pytest.mark.parametrize(
    ("name", "memory_mb", "model"),
    [
        ("NVIDIA GeForce RTX 4090", 24564, "GeForce RTX 4090"),
        ("rtx4090", 24564, "GeForce RTX 4090"),
        ("RTX 4070Ti", 12282, "GeForce RTX 4070 Ti"),
        ("NVIDIA A100-SXM4-80GB", 81920, "A100 SXM4 80GB"),
        ("NVIDIA A100 80GB PCIe", 81920, "A100 PCIe 80GB"),
        ("NVIDIA H100 80GB HBM3", 81559, "H100 SXM5 80GB"),
        ("NVIDIA H100 PCIe", 81559, "H100 PCIe 80GB"),
        ("NVIDIA H200", 143771, "H200 SXM 141GB"),
        ("Tesla T4", 15360, "T4"),
        ("NVIDIA GeForce RTX 3080", 10240, "GeForce RTX 3080 10GB"),
        ("NVIDIA GeForce RTX 3080", 12288, "GeForce RTX 3080 12GB"),
        ("NVIDIA RTX 6000 Ada Generation", 49140, "RTX 6000 Ada Generation"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 97887, "RTX PRO 6000 Blackwell"),
        ("AMD Radeon RX 7900 XTX", 24560, "Radeon RX 7900 XTX"),
        ("AMD Instinct MI300X", 196288, "Instinct MI300X"),
        ("Apple M3 Max", 65536, "M3 Max (40-core GPU)"),
        ("Intel(R) Arc(TM) A770 Graphics", 16000, "Arc A770 16GB"),
        ("NVIDIA GB10", 124610, "GB10 (DGX Spark)"),  # the machine's memory, less what the firmware keeps
    ],
)
def test_what_drivers_say_is_recognised(name, memory_mb, model):
    match = best_match(name, memory_mb, MODELS)

    assert match is not None and match.row == model and match.likeness >= 90


@pytest.mark.no_db
@pytest.mark.parametrize(
    ("name", "memory_mb"),
    [
        ("NVIDIA GeForce RTX 4090", 12288),  # half the memory: whatever it is, it is not that
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16376),
        ("NVIDIA GeForce RTX 2060 SUPER", 8192),  # like 2070 SUPER to 93 of 100
        ("NVIDIA GeForce GTX 1650 SUPER", 4096),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", 9856),
        ("NVIDIA A100-SXM4-80GB MIG 7g.80gb", 80896),  # seven of eight slices of the memory's bandwidth
        ("NVIDIA A100-SXM4-80GB MIG", 0),
        ("NVIDIA H100 80GB HBM3 MIG 7g.80gb", 81050),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 4g.96gb", 97887),
        ("banana", 24564),
        ("", 24564),
        ("NVIDIA", 24564),
    ],
)
def test_another_gpu_is_not_taken_for_a_known_one(name, memory_mb):
    assert best_match(name, memory_mb, MODELS) is None


@pytest.mark.no_db
@given(st.text(max_size=60), st.integers(0, 10**6))
def test_no_name_breaks_recognition_and_none_matches_below_the_limit(name, memory_mb):
    match = best_match(name, memory_mb, MODELS)

    assert match is None or (match.likeness >= 90 and normalise(name))


@pytest.mark.transaction
def test_the_catalogue_comes_back_after_a_flush_and_loading_twice_changes_nothing():
    ConsumerGPUProfile.objects.all().delete()

    catalogue.ensure()
    catalogue.load()

    assert ConsumerGPUProfile.objects.count() == 131


def test_an_operators_own_row_wins_over_the_file():
    catalogue.ensure()
    ConsumerGPUProfile.objects.filter(model="T4").update(source="local", tdp_w=55)

    catalogue.load()

    assert ConsumerGPUProfile.objects.get(model="T4").tdp_w == 55
    assert catalogue.recognise("Tesla T4", 15360).row.tdp_w == 55

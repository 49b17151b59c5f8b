"""The catalogue over HTTP."""

from __future__ import annotations

import pytest

from tests.clients import Api
from tests.gpu.factories import EDGE


def profiles(api: Api, query: str = "") -> list[dict]:
    return api.json("GET", f"{EDGE}/profiles{query}", status=200)


def test_everybody_may_read_the_profiles(anonymous_api: Api):
    found = profiles(anonymous_api)

    assert len(found) == 131
    gpu = next(one for one in found if one["model"] == "GeForce RTX 4090")
    assert gpu["gpu_model"] == gpu["model"] and gpu["architecture"] == "ada_lovelace"
    assert (gpu["memory_bandwidth_gbps"], gpu["thermal_design_power_w"]) == (gpu["bandwidth_gbps"], gpu["tdp_w"])


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("?architecture=ada_lovelace", lambda row: row["architecture"] == "ada_lovelace"),
        ("?architecture=Ada%20Lovelace", lambda row: row["architecture"] == "ada_lovelace"),
        ("?architecture=unknown", lambda row: False),
        ("?edge_optimized=true", lambda row: row["tdp_w"] is not None and row["tdp_w"] <= 170),
        ("?consumer_grade=false", lambda row: not row["consumer_grade"]),
        ("?min_memory_gb=80", lambda row: row["memory_gb"] >= 80),
        ("?min_vram=80&consumer_grade=true", lambda row: row["memory_gb"] >= 80 and row["consumer_grade"]),
        ("?q=rtx%204090", lambda row: "rtx 4090" in row["model"].lower()),
        ("?vendor=amd", lambda row: row["vendor"] == "AMD"),
    ],
)
def test_filters_leave_just_what_fits(anonymous_api: Api, query, holds):
    every, found = profiles(anonymous_api), profiles(anonymous_api, query)

    assert [row["model"] for row in found] == [row["model"] for row in every if holds(row)]


@pytest.mark.parametrize("query", ["?architecture=banana", "?min_memory_gb=-1", "?min_vram=x", "?edge_optimized=maybe"])
def test_wrong_values_are_refused_and_the_known_ones_named(anonymous_api: Api, query):
    problem = anonymous_api.json("GET", f"{EDGE}/profiles{query}", status=400)

    assert problem["errors"][0]["field"] in query
    if "architecture" in query:
        assert "ada_lovelace" in problem["detail"] and "turing" in problem["detail"]

"""The terms that other domains search by: the same numbers in Python, in SQL, and in the advice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitbc.core.db import cursor
from apps.gpu.interface import decode_model
from apps.gpu.logic import llm, roofline
from apps.gpu.models import GPURegistry

IN_SQL = """WITH t AS (
  SELECT %(usable_share)s::float8 AS usable, %(need_mb)s::float8 AS need, %(batch)s::float8 AS batch,
  %(bytes_per_step)s::float8 / (%(efficiency_bandwidth)s::float8 * %(bandwidth)s::float8 * 1e9) AS memory_s,
  %(flops_per_step)s::float8 / (%(efficiency_compute)s::float8 * %(compute)s::float8 * 1e12) AS compute_s)
SELECT CASE WHEN usable * %(memory)s::float8 >= need
  THEN batch / (greatest(memory_s, compute_s) + %(overhead_s)s::float8) END FROM t"""
GPU = {"memory": 24576.0, "bandwidth": 936.0, "compute": 142.0}


@pytest.mark.parametrize("name", sorted(llm.models()))
@pytest.mark.parametrize("quantisation", ["fp16", "q4_k_m"])
def test_postgresql_computes_what_the_roofline_says(name, quantisation):
    terms = decode_model(name, quantisation=quantisation, ctx=2048, batch=4)
    with cursor(GPURegistry) as sql:
        sql.execute(IN_SQL, {**vars(terms), **GPU})
        found = sql.fetchone()[0]

    memory = GPU["memory"] * 2**20
    device = roofline.Device(memory, roofline.usable_bytes(memory), 936e9, 142e12)
    load = roofline.Load(llm.find(name), llm.quant_of(quantisation), ctx=2048, batch=4)
    own = terms.tokens_per_second(memory_mb=24576, bandwidth_gbps=936, fp16_tflops=142)
    if not roofline.fits(device, load):
        assert found is None and own is None
        return
    assert found == pytest.approx(4 / roofline.decode_step(device, load).seconds) == pytest.approx(own)


@pytest.mark.no_db
@given(st.sampled_from(sorted(llm.models())))
def test_names_are_found_however_they_are_spelled(name):
    for spelled in (name, name.lower(), f"org/{name}-Instruct", name.replace("-", ":"), f"{name}-GGUF"):
        assert decode_model(spelled).model == name


@pytest.mark.no_db
@pytest.mark.parametrize("name", ["", "gpt-7", "lama", "\x00", "x" * 500])
def test_an_unknown_name_is_refused_with_the_nearest(name):
    with pytest.raises(llm.UnknownModel) as refused:
        decode_model(name)

    assert refused.value.nearest
    with pytest.raises(ValueError):
        decode_model("Llama-3.1-8B", quantisation="q1")

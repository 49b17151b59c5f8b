"""The roofline: measured anchors, brute force, and what must hold for every card and model (U1 to U4)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.logic import llm, optimizer, power, roofline
from apps.gpu.logic.optimizer import OptimizeRequest, Subject
from apps.gpu.logic.optimizer_report import advise
from apps.gpu.logic.roofline import Device, Efficiency, Load

pytestmark = pytest.mark.no_db

MODELS = st.sampled_from(sorted(llm.models()))
QUANTS = st.sampled_from(llm.QUANTS)
DEVICES = st.builds(
    lambda memory, bandwidth, compute: Device(
        memory * 1e9, roofline.usable_bytes(memory * 1e9), bandwidth * 1e9, compute * 1e12
    ),
    st.floats(4, 200), st.floats(50, 8000), st.floats(1, 2000),
)  # fmt: skip
LOADS = st.builds(
    lambda name, quant, ctx, batch: Load(llm.find(name), quant, ctx=ctx, batch=batch),
    MODELS, QUANTS, st.integers(1, 32768), st.integers(1, 64),
)  # fmt: skip
GPUS = st.builds(
    lambda tdp, low, high: power.PowerLimits(tdp, round(low * tdp), round(high * tdp)),
    st.floats(40, 1000), st.floats(0.2, 0.6), st.floats(0.7, 1.3),
)  # fmt: skip
REQUESTS = st.builds(
    OptimizeRequest, st.builds(llm.find, MODELS),
    objective=st.sampled_from(power.MODES), task=st.sampled_from(optimizer.TASKS),
    ctx=st.integers(16, 16384), batch=st.none() | st.integers(1, 32), target_tps=st.none() | st.floats(0.5, 200),
    gpus=st.integers(1, 8), parallelism=st.sampled_from(["tp", "pp"]), power_price=st.floats(0, 5),
)  # fmt: skip


def subject(device: Device, gpu: power.PowerLimits | None = None, **more) -> Subject:
    return Subject("card", "NVIDIA", "gpu", device, gpu, **more)


def rtx(memory: float, bandwidth: float, compute: float, tdp: float) -> Subject:
    device = Device(memory * 2**30, roofline.usable_bytes(memory * 2**30), bandwidth * 1e9, compute * 1e12)
    return subject(device, power.PowerLimits(tdp, 100, tdp))


def test_an_rtx_5060_ti_decodes_a_7b_model_as_measured():
    """81.2 tok/s of Qwen2.5-Coder-7B Q4_K_M, 4.68 GB over 448 GB/s: 85 % of the bound (inventivehq.com)."""
    gpu = rtx(16, 448, 94.8, 180)
    request = OptimizeRequest(
        llm.find("Qwen2.5-7B"), quant=llm.quant_of("q4_k_m"), ctx=128, objective="max_throughput", batch=1
    )
    load = optimizer.base(request, request.quant)

    assert roofline.weights(load.model, load.quant) / 1e9 == pytest.approx(4.68, rel=0.02)
    assert 81.2 / roofline.bound(gpu.device, load) == pytest.approx(0.85, abs=0.03)
    predicted = advise(gpu, request)["predicted"]["tok_s"]
    assert predicted["p10"] <= 81.2 <= predicted["p90"]


@pytest.mark.parametrize(
    ("watts", "tok_s"), [(150, 42), (175, 64), (200, 83), (225, 91), (250, 97), (280, 99), (300, 101), (350, 103)]
)
def test_the_default_curve_is_the_measured_one_of_an_rtx_3090(watts, tok_s):
    assert power.default_curve(0.0)(watts / 350) == pytest.approx(tok_s / 103, abs=0.02)


@pytest.mark.parametrize(("watts", "share"), [(350, 1.0), (300, 0.94), (250, 0.85), (200, 0.60), (150, 0.26)])
def test_prefill_falls_as_measured(watts, share):
    assert power.default_curve(1.0)(watts / 350) == pytest.approx(share, abs=0.02)


def test_balanced_and_efficiency_save_what_the_design_says():
    gpu, curve = power.PowerLimits(350, 100, 350), power.default_curve(0.0)
    saved = {}
    for mode in ("balanced", "efficiency"):
        chosen = power.choose(gpu, curve, mode)
        saved[mode] = (chosen.watts / 350, chosen.speed, chosen.watts / chosen.speed / 350)

    assert saved["balanced"] == pytest.approx((0.75, 0.95, 0.79), abs=0.01)
    assert saved["efficiency"] == pytest.approx((0.57, 0.81, 0.70), abs=0.02)


@given(DEVICES, GPUS, REQUESTS)
def test_u1_what_is_recommended_fits(device, gpu, request):
    response = advise(subject(device, gpu), request)

    if response["fits"]:
        assert response["recommended"]["need_gb"] * 1e9 <= device.usable + 1e6


@given(DEVICES, GPUS, REQUESTS)
def test_u2_no_prediction_beats_the_hardware(device, gpu, request):
    found = optimizer.plan(subject(device, gpu), request)
    if found is None:
        return

    assert found.total <= found.bound * (1 + 1e-9)
    response = advise(subject(device, gpu), request)["predicted"]["tok_s"]
    assert response["p10"] <= response["p50"] <= response["p90"] + 1e-3
    assert response["p90"] <= found.bound + 1e-3


@given(DEVICES, LOADS)
def test_u2_the_median_stays_below_both_bounds_by_brute_force(device, load):
    """Bytes and operations counted one layer and one user at a time."""
    model, tokens = load.model, 0.0
    bytes_read = model.touched_params(load.batch) * load.quant.bits / 8
    for _user in range(load.batch):
        tokens += 1
        for _layer in range(model.layers):
            bytes_read += 2 * model.kv_heads * model.head_dim * load.kv_bytes * load.ctx
    seconds = max(bytes_read / device.bandwidth, tokens * 2 * model.active_params / device.compute)

    assert roofline.bound(device, load) == pytest.approx(tokens / seconds)
    if roofline.fits(device, load):
        assert load.batch / roofline.decode_step(device, load).seconds <= tokens / seconds


@given(GPUS, st.sampled_from(power.MODES), st.floats(0, 1), st.floats(0, 5), st.floats(0, 5))
def test_u3_power_stays_within_the_limits_reported(gpu, mode, share, price, rent):
    chosen = power.choose(gpu, power.default_curve(share), mode, price=price, rent=rent)

    assert gpu.low <= chosen.watts <= gpu.high
    assert 0 < chosen.speed <= 1


@given(DEVICES, LOADS, st.floats(1, 4), st.sampled_from(["bandwidth", "compute", "link"]))
def test_u4_a_better_gpu_is_never_slower(device, load, factor, what):
    better = replace(device, **{what: getattr(device, what) * factor})

    assert roofline.decode_step(better, load).seconds <= roofline.decode_step(device, load).seconds * (1 + 1e-12)


@given(LOADS)
def test_u4_a_smaller_format_never_needs_more(load):
    needs = [roofline.need(replace(load, quant=quant)) for quant in llm.QUANTS]

    assert needs == sorted(needs, reverse=True)


@given(DEVICES, LOADS, st.integers(2, 8))
def test_u4_more_gpus_need_less_each(device, load, n):
    assert roofline.need(replace(load, gpus=n)) <= roofline.need(load)


@given(DEVICES, LOADS)
def test_the_largest_batch_and_context_are_the_largest_by_brute_force(device, load):
    batch, ctx = roofline.largest_batch(device, load), roofline.largest_ctx(device, load)

    assert batch == 0 or roofline.fits(device, replace(load, batch=batch))
    assert not roofline.fits(device, replace(load, batch=batch + 1))
    assert ctx == 0 or roofline.fits(device, replace(load, ctx=ctx))
    assert ctx == load.model.max_ctx or not roofline.fits(device, replace(load, ctx=ctx + 1))


@given(DEVICES, QUANTS)
def test_the_largest_model_just_fits(device, quant):
    params = roofline.largest_params(device, quant)
    held = params * quant.bits / 8

    assert params == 0 or held + roofline.reserve(held) == pytest.approx(device.usable, rel=1e-6)


@given(DEVICES, GPUS, MODELS, st.floats(1, 100))
def test_the_batch_chosen_is_the_largest_that_keeps_the_target(device, gpu, name, target):
    request = OptimizeRequest(llm.find(name), target_tps=target, ctx=1024)
    found = optimizer.plan(subject(device, gpu), request)
    if found is None or not found.meets or found.load.batch >= optimizer.MOST_USERS:
        return

    bigger = replace(found.load, batch=found.load.batch + 1)
    slower = 1 / roofline.decode_step(device, bigger).seconds
    assert found.each >= target * (1 - 1e-9)
    assert slower < target or not roofline.fits(device, bigger)


@given(DEVICES, GPUS, MODELS)
def test_quality_is_never_lowered_silently(device, gpu, name):
    response = advise(subject(device, gpu), OptimizeRequest(llm.find(name), quality="visible"))
    if not response["fits"]:
        return

    loss = response["recommended"]["quality_loss"]
    assert any("costs quality" in text for text in response["warnings"]) == (loss in ("small", "visible"))


@given(st.lists(st.floats(0, 2), max_size=30), st.floats(0.1, 1))
def test_efficiency_is_shrunk_between_its_default_and_the_measurements(ratios, default):
    learned = roofline.shrunk(default, ratios)

    assert min([default, *ratios]) - 1e-9 <= learned <= min(max([default, *ratios]), 1) + 1e-9


def test_mixture_of_experts_reads_what_its_tokens_touch():
    mixtral = llm.find("Mixtral-8x7B")

    assert mixtral.touched_params(1) == pytest.approx(mixtral.active_params)
    assert mixtral.touched_params(1) < mixtral.touched_params(4) < mixtral.touched_params(256) <= mixtral.params
    expected = sum(1 for _ in range(8)) * (1 - (1 - 2 / 8) ** 4) / 8
    assert mixtral.touched_params(4) == pytest.approx(
        mixtral.params - mixtral.expert_params + mixtral.expert_params * expected
    )


def test_gpus_models_and_objectives_answer_differently():
    small, large = rtx(16, 448, 94.8, 180), rtx(24, 936, 142, 350)
    answers = set()
    for gpu in (small, large):
        for name in ("Qwen2.5-7B", "Llama-3.1-8B"):
            for objective in power.MODES:
                request = OptimizeRequest(llm.find(name), objective=objective, task="mixed", power_price=0.3)
                response = advise(replace(gpu, rent=0.2), request)
                answers.add((response["predicted"]["watts"], response["predicted"]["tok_s"]["p50"]))

    assert len(answers) == 2 * 2 * len(power.MODES)


def test_what_does_not_fit_names_what_would():
    response = advise(rtx(24, 936, 142, 350), OptimizeRequest(llm.find("Llama-3.1-70B")))

    assert response["fits"] is False and response["bottleneck"] == "capacity" and response["recommended"] is None
    other = response["alternatives"]
    assert other["gpus"]["count"] == 3 and 0 < other["offload"]["tok_s"] < 2
    assert other["largest_model_b"]["q4_k_m"] > other["largest_model_b"]["fp16"]


def test_a_shorter_context_is_offered_when_that_helps():
    request = OptimizeRequest(llm.find("Llama-2-13B"), quant=llm.quant_of("q8_0"), ctx=4096, batch=8)
    response = advise(rtx(16, 448, 94.8, 180), request)

    assert response["fits"] is False
    assert 0 < response["alternatives"]["shorter_ctx"]["ctx_max"] <= 4096


def test_a_gpu_whose_power_nobody_can_set_says_why():
    device = rtx(24, 936, 142, 350).device
    for vendor, kind in (("AMD", "gpu"), ("Apple", "gpu"), ("", "cpu")):
        response = advise(
            Subject("x", vendor, kind, device, power.PowerLimits(300)), OptimizeRequest(llm.find("Qwen2.5-7B"))
        )
        assert response["recommended"]["power_limit_w"] is None and response["recommended"]["power_limit_reason"]


@given(st.lists(st.tuples(st.floats(0.3, 1), st.floats(10, 1000)), min_size=0, max_size=12))
def test_a_gpu_s_own_curve_never_falls(points):
    curve = power.own_curve(points)
    if curve is None:
        assert len({round(ratio, 2) for ratio, _ in points}) < power.OWN_POINTS
        return
    values = [curve(0.25 + n / 100) for n in range(80)]

    assert all(later >= earlier - 1e-9 for earlier, later in zip(values, values[1:], strict=False))
    assert max(values) <= 1 + 1e-9


def test_learned_efficiency_moves_the_prediction():
    slow = rtx(24, 936, 142, 350)
    fast = replace(slow, efficiency=Efficiency(decode=0.9, n=5))
    request = OptimizeRequest(llm.find("Qwen2.5-7B"))

    assert optimizer.plan(fast, request).total > optimizer.plan(slow, request).total

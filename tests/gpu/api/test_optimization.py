"""Advice through its doors: old and new words, bad input, applying and taking back, earnings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitbc.core import signing
from apps.gpu.logic import challenge, earnings
from apps.gpu.models import GPUBenchmark, GPURegistry, MinerCommand
from apps.gpu.services import calibration, power_limits
from tests.clients import Api
from tests.gpu.factories import HonestMiner, M, make_cpu, make_gpu, measurements, small

EDGE = "/gpu/v1/marketplace/edge-gpu"
QWEN = {"workload": {"model": "qwen2.5:7b"}}
MEASURED = {"bandwidth_gbps": 860.0, "fp32_tflops": 29.0, "fp16_tflops": 110.0}


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = challenge.gpu_task
    monkeypatch.setattr(challenge, "gpu_task", lambda nonce, **sizes: small(real(nonce, **sizes)))
    yield


def ask(api: Api, gpu: GPURegistry, body: dict, status: int = 200) -> dict:
    return api.json("POST", f"{EDGE}/{gpu.pk}/optimize", body, status=status)


def test_anyone_with_a_key_is_told_how_to_run_a_model_on_a_card(miner_api: Api, client_api: Api) -> None:
    gpu = make_gpu(miner_api)

    told = ask(client_api, gpu, QWEN)

    assert told["fits"] is True and told["model"] == "Qwen2.5-7B" and told["gpu_id"] == str(gpu.pk)
    assert 100 <= told["recommended"]["power_limit_w"] <= 350
    assert told["predicted"]["tok_s"]["p10"] < told["predicted"]["tok_s"]["p50"] <= told["predicted"]["tok_s"]["p90"]
    assert told["commands"][-1] == f"nvidia-smi -i 0 -pl {told['recommended']['power_limit_w']:.0f}"
    assert told["rollback"][-1] == "nvidia-smi -i 0 -pl 350"
    assert told["confidence"] == "catalogue" and any("not benchmarked" in text for text in told["warnings"])
    assert len(told["fits_table"]) == 8


@pytest.mark.parametrize("where", ["query", "body"])
def test_the_old_route_answers_the_old_fields_with_real_numbers(client_api: Api, miner_api: Api, where: str) -> None:
    gpu = make_gpu(miner_api)
    path = f"{EDGE}/optimize/inference/{gpu.pk}"
    body = {"request_data": {"ctx": 1024, "whatever": 1}, "unknown": True}
    if where == "query":
        path += "?model_name=Llama-3.1-8B"
    else:
        body["model_name"] = "Llama-3.1-8B"

    told = client_api.json("POST", path, body, status=200)

    assert told["model_name"] == "Llama-3.1-8B" and told["optimized"] is True
    assert told["recommended"]["ctx"] == 1024
    quick = client_api.json("POST", path, {**body, "objective": "max_throughput"}, status=200)
    assert -1 < told["latency_reduction"] < 1 and told["latency_reduction"] != quick["latency_reduction"]


def test_the_answers_depend_on_card_model_and_objective(miner_api: Api, other_miner_api: Api) -> None:
    large, small_card = make_gpu(miner_api), make_gpu(other_miner_api, "RTX 5060 Ti", uuid="GPU-2", memory_mb=16384)
    answers = {
        (gpu.pk, model, objective): ask(miner_api, gpu, {"workload": {"model": model}, "objective": objective})
        for gpu in (large, small_card)
        for model in ("Qwen2.5-7B", "Llama-3.2-3B")
        for objective in ("max_throughput", "balanced", "efficiency", "quiet")
    }

    told = {(one["predicted"]["tok_s"]["p50"], one["predicted"]["watts"]) for one in answers.values()}
    assert len(told) == 16
    for model in ("Qwen2.5-7B", "Llama-3.2-3B"):
        fast = answers[large.pk, model, "max_throughput"]["predicted"]["tok_s"]["p50"]
        assert fast > answers[small_card.pk, model, "max_throughput"]["predicted"]["tok_s"]["p50"]


def test_a_model_too_large_is_an_answer_and_not_an_error(miner_api: Api) -> None:
    told = ask(miner_api, make_gpu(miner_api), {"workload": {"model": "Llama-3.1-70B"}})

    assert told["fits"] is False and told["optimized"] is False and told["bottleneck"] == "capacity"
    assert told["alternatives"]["gpus"]["count"] == 2 or told["alternatives"]["gpus"]["count"] == 3
    assert told["alternatives"]["offload"]["tok_s"] > 0 and told["commands"] == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"workload": {"model": "lama3"}}, "Llama"),
        ({"workload": {}}, "Name a model"),
        ({"workload": {"model": "Qwen2.5-7B", "params_b": 7}}, "one of them"),
        ({"workload": {"params_b": -1}}, "params_b"),
        ({"workload": {"model": "Qwen2.5-7B", "ctx": 0}}, "ctx"),
        ({"workload": {"model": "Qwen2.5-7B", "batch": -4}}, "batch"),
        ({"workload": {"model": "Qwen2.5-7B", "contxt": 4}}, "contxt"),
        ({"workload": {"model": "Qwen2.5-7B", "quantisation": "q1"}}, "quantisation"),
        ({"workload": {"model": "Qwen2.5-7B", "target_tps": "NaN"}}, "target_tps"),
        ({"workload": {"model": "Qwen2.5-7B"}, "objective": "speed"}, "objective"),
        ({"workload": {"model": "Qwen2.5-7B", "power_price": "-1"}}, "power_price"),
    ],
)
def test_bad_wishes_are_refused_in_words(miner_api: Api, body: dict, says: str) -> None:
    answer = miner_api.post(f"{EDGE}/{make_gpu(miner_api).pk}/optimize", body)

    assert answer.status_code == 400 and says in answer.content.decode()


def test_unknown_cards_are_absent_and_unknown_figures_a_conflict(miner_api: Api) -> None:
    assert miner_api.post(f"{EDGE}/gpu_1/optimize", QWEN).status_code == 404
    assert "request a benchmark first" in ask(miner_api, make_cpu(miner_api), QWEN, status=409)["detail"]


def test_a_processor_is_flagged_and_its_power_is_not_touched(miner_api: Api) -> None:
    gpu = make_cpu(miner_api, memory_mb=16_000)
    GPURegistry.objects.filter(pk=gpu.pk).update(measured={"bandwidth_gbps": 20.0, "fp32_tflops": 0.1})

    told = ask(miner_api, gpu, {"workload": {"model": "Qwen2.5-0.5B"}})

    assert told["current"]["device"] == "cpu" and any("device: cpu" in text for text in told["warnings"])
    assert told["recommended"]["power_limit_w"] is None and told["recommended"]["power_limit_reason"]


def test_a_size_alone_is_enough(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    small_model, large = (ask(miner_api, gpu, {"workload": {"params_b": size}}) for size in (3, 13))

    assert small_model["predicted"]["tok_s"]["p50"] > large["predicted"]["tok_s"]["p50"]


def measured_card(api: Api) -> GPURegistry:
    gpu = make_gpu(api)
    made = api.json("POST", f"/gpu/v1/gpu/{gpu.pk}/benchmarks", {}, status=201)
    HonestMiner(api, made["id"]).prove(
        measurements(*MEASURED.values()), device="cuda", environment={"power_limit_w": 350}
    )
    gpu.refresh_from_db()
    return gpu


def applied(api: Api, gpu: GPURegistry, objective: str = "efficiency") -> MinerCommand:
    """Ask for settings and let the miner say that they are set."""
    told = ask(api, gpu, {**QWEN, "objective": objective, "apply": True})
    order = MinerCommand.objects.get(pk=told["order"]["order_id"])
    api.json("POST", f"{M}/orders/{order.pk}/applied", {"settings": order.body["settings"]}, status=200)
    order.refresh_from_db()
    return order


def prove(api: Api, bandwidth: float, watts: float) -> None:
    benchmark = GPUBenchmark.objects.open().get()
    told = measurements(bandwidth, 29.0, 110.0)
    HonestMiner(api, benchmark.pk).prove(told, device="cuda", environment={"power_limit_w": watts})


def test_an_order_is_signed_and_told_to_the_miner(miner_api: Api) -> None:
    gpu = measured_card(miner_api)
    told = ask(miner_api, gpu, {**QWEN, "objective": "efficiency", "apply": True})

    (order,) = miner_api.json("POST", f"{M}/heartbeat", {"miner_id": "rig"}, status=200)["orders"]

    assert order["order_id"] == told["order"]["order_id"] and order["kind"] == "apply"
    assert order["body"]["settings"] == {"power_limit_w": told["recommended"]["power_limit_w"]}
    assert order["body"]["previous"] == {"power_limit_w": 350.0} and order["body"]["gpu_uuid"] == "GPU-1"
    assert signing.verify("aitbc.order.v1", order["body"], order["signature"])
    assert datetime.fromisoformat(order["body"]["not_after"])


def test_a_change_that_holds_what_it_promised_is_kept_and_teaches(miner_api: Api) -> None:
    gpu = measured_card(miner_api)
    order = applied(miner_api, gpu)
    watts = order.body["settings"]["power_limit_w"]

    prove(miner_api, 860 * 0.83, watts)

    order.refresh_from_db()
    gpu.refresh_from_db()
    assert order.state == "answered" and order.answer["outcome"]["kept"] is True
    assert order.answer["outcome"]["J_per_token"] < order.answer["outcome"]["J_per_token_before"]
    assert gpu.details["power"]["limit_w"] == watts
    assert len(gpu.learned["residuals"]) == 1 and len(gpu.learned["sweep"]) == 2
    assert not MinerCommand.objects.open().exists()


def test_a_change_that_does_worse_than_promised_is_taken_back(miner_api: Api) -> None:
    gpu = measured_card(miner_api)
    order = applied(miner_api, gpu)

    prove(miner_api, 860 * 0.57, order.body["settings"]["power_limit_w"])

    order.refresh_from_db()
    assert order.state == "reverted" and order.answer["outcome"]["kept"] is False
    assert "promised" in order.answer["outcome"]["why"]
    back = MinerCommand.objects.open().get()
    assert back.body["settings"] == {"power_limit_w": 350.0} and back.body["reverts"] == str(order.pk)
    miner_api.json("POST", f"{M}/orders/{back.pk}/applied", {"settings": {"power_limit_w": 350}}, status=200)
    gpu.refresh_from_db()
    assert gpu.details["power"]["limit_w"] == 350 and not GPUBenchmark.objects.open().exists()


def test_a_card_too_slow_at_an_ordered_setting_is_not_accused(miner_api: Api) -> None:
    gpu = measured_card(miner_api)
    order = applied(miner_api, gpu)

    prove(miner_api, 300, order.body["settings"]["power_limit_w"])

    gpu.refresh_from_db()
    order.refresh_from_db()
    assert GPUBenchmark.objects.latest("requested_at").state == "mismatch"
    assert gpu.state == "available" and order.state == "reverted"


def test_a_change_that_could_not_be_measured_is_taken_back(miner_api: Api) -> None:
    gpu = measured_card(miner_api)
    order = applied(miner_api, gpu)

    benchmark = GPUBenchmark.objects.open().get()
    miner_api.json("POST", f"{M}/benchmarks/{benchmark.pk}/fail", {"reason": "no torch"}, status=200)

    order.refresh_from_db()
    assert order.state == "reverted" and "not measured" in order.answer["outcome"]["why"]


def test_what_a_crash_left_unjudged_is_judged_by_the_sweep(miner_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = measured_card(miner_api)
    order = applied(miner_api, gpu)
    with monkeypatch.context() as patch:
        patch.setattr(power_limits, "judge", lambda benchmark: None)
        prove(miner_api, 860 * 0.83, order.body["settings"]["power_limit_w"])

    assert power_limits.judge_ended() == 1 and power_limits.judge_ended() == 0
    order.refresh_from_db()
    assert order.answer["outcome"]["kept"] is True


def test_a_host_that_permits_nothing_fails_the_order_with_its_reason(miner_api: Api) -> None:
    gpu = measured_card(miner_api)
    told = ask(miner_api, gpu, {**QWEN, "objective": "efficiency", "apply": True})

    done = miner_api.json(
        "POST", f"{M}/orders/{told['order']['order_id']}/applied", {"refused": "setting a power limit needs root"},
        status=200,
    )  # fmt: skip

    assert done["state"] == "failed" and "needs root" in MinerCommand.objects.get(pk=done["order_id"]).answer["error"]
    assert not GPUBenchmark.objects.open().exists()


def test_an_order_of_another_kind_or_of_another_s_is_absent(miner_api: Api, other_miner_api: Api) -> None:
    gpu = measured_card(miner_api)
    other = GPUBenchmark.objects.get().command_id
    told = ask(miner_api, gpu, {**QWEN, "objective": "efficiency", "apply": True})

    assert miner_api.post(f"{M}/orders/{other}/applied", {"settings": {}}).status_code == 404
    path = f"{M}/orders/{told['order']['order_id']}/applied"
    assert other_miner_api.post(path, {"settings": {}}).status_code == 404
    assert miner_api.post(path, {}).status_code == 400


def test_only_the_owner_applies_and_never_on_another_s_booking(
    miner_api: Api, other_miner_api: Api, client_api: Api
) -> None:
    gpu = measured_card(miner_api)
    wish = {**QWEN, "objective": "efficiency", "apply": True}

    assert ask(client_api, gpu, wish, status=403)
    assert ask(other_miner_api, gpu, wish, status=403)
    GPURegistry.objects.update(state="busy", booking_id=gpu.pk, renter_id=client_api.owner_id)
    assert ask(miner_api, gpu, wish, status=409)["code"] == "card_booked"
    GPURegistry.objects.update(renter_id=miner_api.owner_id)
    assert ask(miner_api, gpu, wish)["order"]["state"] == "open"
    assert ask(miner_api, gpu, wish, status=409)["code"] == "setting_impossible"


def test_what_cannot_be_applied_says_why(miner_api: Api) -> None:
    wish = {**QWEN, "apply": True}
    gpu = make_gpu(miner_api)
    assert "Request a benchmark first" in ask(miner_api, gpu, wish, status=409)["detail"]
    GPURegistry.objects.update(measured=MEASURED)
    GPURegistry.objects.update(details={})
    assert "does not report" in ask(miner_api, gpu, wish, status=409)["detail"]
    assert "does not fit" in ask(miner_api, gpu, {**wish, "workload": {"model": "Llama-3.1-70B"}}, status=409)["detail"]
    GPURegistry.objects.update(state="offline")
    assert ask(miner_api, gpu, wish, status=409)["code"] == "card_unfit"
    assert not MinerCommand.objects.exists()


def test_measurements_move_the_efficiencies_by_shrinkage(miner_api: Api) -> None:
    gpu = measured_card(miner_api)

    eff = calibration.efficiency(gpu.learned)

    observed = 0.8 * (860 / 936) / calibration.TYPICAL_BANDWIDTH
    assert eff.n == 1 and eff.decode == pytest.approx((observed + 5 * 0.8) / 6, rel=1e-3)
    assert (eff.low, eff.high) == (0.85, 1.10)
    many = {"residuals": [-0.3, -0.1, 0.0, 0.05, 0.1, 0.2]}
    assert calibration.efficiency(many).low == pytest.approx(0.819, abs=0.01)


def test_earnings_name_their_inputs_and_answer_the_question(miner_api: Api) -> None:
    gpu = make_gpu(miner_api, price_per_hour=400_000)
    path = f"/gpu/v1/gpu/{gpu.pk}/earnings-advice"

    told = miner_api.json("GET", f"{path}?power_price=0.30&utilisation=0.5", status=200)

    # 350 W at work, 28 W idle: 189 W on average, 0.0567 AIT; 0.4 · 0.5 less 3 % is 0.194
    assert told["energy_per_hour"] == "0.056700" and told["net_per_hour"] == "0.137300"
    assert told["break_even_price"] == "0.116908" and told["recommended_price"] == "0.146135"
    loss = miner_api.json("GET", f"{path}?power_price=0.30&utilisation=0", status=200)
    assert loss["net_per_hour"].startswith("-") and loss["break_even_price"] is None
    for bad in ("utilisation=1.5", "power_price=-1", "price=NaN", "colour=red", "load_w=abc"):
        assert miner_api.get(f"{path}?{bad}").status_code == 400
    assert miner_api.get("/gpu/v1/gpu/nothing/earnings-advice").status_code == 404


COSTS = st.builds(
    earnings.Costs, st.decimals(0, 1, places=4), st.decimals(0, 100, places=1), st.decimals(100, 1000, places=1),
    st.integers(0, 5_000_000), st.integers(0, 1500),
)  # fmt: skip


@pytest.mark.no_db
@given(COSTS, st.integers(0, 10**8), st.integers(0, 10**8))
def test_a_higher_price_never_earns_less_and_break_even_is_the_least_price_without_loss(costs, price, more):
    assert earnings.net(price + more, costs) >= earnings.net(price, costs)
    least = earnings.break_even(costs)
    if least is None:
        assert costs.utilisation == 0
        return
    assert earnings.net(least, costs) >= 0
    assert least == 0 or earnings.net(least - 1, costs) < 0
    assert earnings.recommended(costs) >= least


@pytest.mark.no_db
@given(COSTS, st.integers(0, 10**8), st.integers(0, 10**6))
def test_dearer_power_never_earns_more(costs, price, dearer):
    other = earnings.Costs(costs.utilisation, costs.idle_w, costs.load_w, costs.power_price + dearer, costs.fee_bp)

    assert earnings.net(price, other) <= earnings.net(price, costs)
    assert isinstance(costs.energy, Decimal)

"""Recommendations over HTTP, and having them applied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from aitbc.core import signing
from apps.gpu.logic import challenge
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


def optimize(api: Api, gpu: GPURegistry, body: dict, status: int = 200) -> dict:
    return api.json("POST", f"{EDGE}/{gpu.pk}/optimize", body, status=status)


def test_anyone_with_a_key_learns_how_to_run_a_model_on_a_gpu(miner_api: Api, client_api: Api) -> None:
    gpu = make_gpu(miner_api)

    response = optimize(client_api, gpu, QWEN)

    assert response["fits"] is True and response["model"] == "Qwen2.5-7B" and response["gpu_id"] == str(gpu.pk)
    assert 100 <= response["recommended"]["power_limit_w"] <= 350
    assert (
        response["predicted"]["tok_s"]["p10"]
        < response["predicted"]["tok_s"]["p50"]
        <= response["predicted"]["tok_s"]["p90"]
    )
    assert response["commands"][-1] == f"nvidia-smi -i 0 -pl {response['recommended']['power_limit_w']:.0f}"
    assert response["rollback"][-1] == "nvidia-smi -i 0 -pl 350"
    assert response["confidence"] == "catalogue" and any("not benchmarked" in text for text in response["warnings"])
    assert len(response["fits_table"]) == 8


@pytest.mark.parametrize("where", ["query", "body"])
def test_the_legacy_route_answers_the_legacy_fields_with_real_numbers(
    client_api: Api, miner_api: Api, where: str
) -> None:
    gpu = make_gpu(miner_api)
    path = f"{EDGE}/optimize/inference/{gpu.pk}"
    body = {"request_data": {"ctx": 1024, "whatever": 1}, "unknown": True}
    if where == "query":
        path += "?model_name=Llama-3.1-8B"
    else:
        body["model_name"] = "Llama-3.1-8B"

    response = client_api.json("POST", path, body, status=200)

    assert response["model_name"] == "Llama-3.1-8B" and response["optimized"] is True
    assert response["recommended"]["ctx"] == 1024
    quick = client_api.json("POST", path, {**body, "objective": "max_throughput"}, status=200)
    assert -1 < response["latency_reduction"] < 1 and response["latency_reduction"] != quick["latency_reduction"]


def test_the_answers_depend_on_gpu_model_and_objective(miner_api: Api, other_miner_api: Api) -> None:
    large, small_gpu = make_gpu(miner_api), make_gpu(other_miner_api, "RTX 5060 Ti", uuid="GPU-2", memory_mb=16384)
    answers = {
        (gpu.pk, model, objective): optimize(miner_api, gpu, {"workload": {"model": model}, "objective": objective})
        for gpu in (large, small_gpu)
        for model in ("Qwen2.5-7B", "Llama-3.2-3B")
        for objective in ("max_throughput", "balanced", "efficiency", "quiet")
    }

    response = {(one["predicted"]["tok_s"]["p50"], one["predicted"]["watts"]) for one in answers.values()}
    assert len(response) == 16
    for model in ("Qwen2.5-7B", "Llama-3.2-3B"):
        fast = answers[large.pk, model, "max_throughput"]["predicted"]["tok_s"]["p50"]
        assert fast > answers[small_gpu.pk, model, "max_throughput"]["predicted"]["tok_s"]["p50"]


def test_a_model_too_large_is_an_answer_and_not_an_error(miner_api: Api) -> None:
    response = optimize(miner_api, make_gpu(miner_api), {"workload": {"model": "Llama-3.1-70B"}})

    assert response["fits"] is False and response["optimized"] is False and response["bottleneck"] == "capacity"
    assert response["alternatives"]["gpus"]["count"] == 2 or response["alternatives"]["gpus"]["count"] == 3
    assert response["alternatives"]["offload"]["tok_s"] > 0 and response["commands"] == []


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
def test_bad_requests_are_refused_in_words(miner_api: Api, body: dict, says: str) -> None:
    answer = miner_api.post(f"{EDGE}/{make_gpu(miner_api).pk}/optimize", body)

    assert answer.status_code == 400 and says in answer.content.decode()


def test_unknown_gpus_are_not_found_and_unknown_measurements_a_conflict(miner_api: Api) -> None:
    assert miner_api.post(f"{EDGE}/gpu_1/optimize", QWEN).status_code == 404
    assert "request a benchmark first" in optimize(miner_api, make_cpu(miner_api), QWEN, status=409)["detail"]


def test_a_processor_is_flagged_and_its_power_is_not_touched(miner_api: Api) -> None:
    gpu = make_cpu(miner_api, memory_mb=16_000)
    GPURegistry.objects.filter(pk=gpu.pk).update(measured={"bandwidth_gbps": 20.0, "fp32_tflops": 0.1})

    response = optimize(miner_api, gpu, {"workload": {"model": "Qwen2.5-0.5B"}})

    assert response["current"]["device"] == "cpu" and any("device: cpu" in text for text in response["warnings"])
    assert response["recommended"]["power_limit_w"] is None and response["recommended"]["power_limit_reason"]


def test_a_size_alone_is_enough(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    small_model, large = (optimize(miner_api, gpu, {"workload": {"params_b": size}}) for size in (3, 13))

    assert small_model["predicted"]["tok_s"]["p50"] > large["predicted"]["tok_s"]["p50"]


def measured_gpu(api: Api) -> GPURegistry:
    gpu = make_gpu(api)
    made = api.json("POST", f"/gpu/v1/gpu/{gpu.pk}/benchmarks", {}, status=201)
    HonestMiner(api, made["id"]).prove(
        measurements(*MEASURED.values()), device="cuda", environment={"power_limit_w": 350}
    )
    gpu.refresh_from_db()
    return gpu


def applied(api: Api, gpu: GPURegistry, objective: str = "efficiency") -> MinerCommand:
    """Ask for settings and let the miner say that they are set."""
    response = optimize(api, gpu, {**QWEN, "objective": objective, "apply": True})
    command = MinerCommand.objects.get(pk=response["order"]["order_id"])
    api.json("POST", f"{M}/orders/{command.pk}/applied", {"settings": command.body["settings"]}, status=200)
    command.refresh_from_db()
    return command


def prove(api: Api, bandwidth: float, watts: float) -> None:
    benchmark = GPUBenchmark.objects.open().get()
    response = measurements(bandwidth, 29.0, 110.0)
    HonestMiner(api, benchmark.pk).prove(response, device="cuda", environment={"power_limit_w": watts})


def test_a_command_is_signed_and_sent_to_the_miner(miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)
    response = optimize(miner_api, gpu, {**QWEN, "objective": "efficiency", "apply": True})

    (command,) = miner_api.json("POST", f"{M}/heartbeat", {"miner_id": "rig"}, status=200)["orders"]

    assert command["order_id"] == response["order"]["order_id"] and command["kind"] == "apply"
    assert command["body"]["settings"] == {"power_limit_w": response["recommended"]["power_limit_w"]}
    assert command["body"]["previous"] == {"power_limit_w": 350.0} and command["body"]["gpu_uuid"] == "GPU-1"
    assert signing.verify("aitbc.order.v1", command["body"], command["signature"])
    assert datetime.fromisoformat(command["body"]["not_after"])


def test_a_change_that_holds_what_it_promised_is_kept_and_teaches(miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)
    command = applied(miner_api, gpu)
    watts = command.body["settings"]["power_limit_w"]

    prove(miner_api, 860 * 0.83, watts)

    command.refresh_from_db()
    gpu.refresh_from_db()
    assert command.state == "answered" and command.answer["outcome"]["kept"] is True
    assert command.answer["outcome"]["J_per_token"] < command.answer["outcome"]["J_per_token_before"]
    assert gpu.details["power"]["limit_w"] == watts
    assert len(gpu.learned["residuals"]) == 1 and len(gpu.learned["sweep"]) == 2
    assert not MinerCommand.objects.open().exists()


def test_a_change_that_does_worse_than_promised_is_taken_back(miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)
    command = applied(miner_api, gpu)

    prove(miner_api, 860 * 0.57, command.body["settings"]["power_limit_w"])

    command.refresh_from_db()
    assert command.state == "reverted" and command.answer["outcome"]["kept"] is False
    assert "promised" in command.answer["outcome"]["why"]
    back = MinerCommand.objects.open().get()
    assert back.body["settings"] == {"power_limit_w": 350.0} and back.body["reverts"] == str(command.pk)
    miner_api.json("POST", f"{M}/orders/{back.pk}/applied", {"settings": {"power_limit_w": 350}}, status=200)
    gpu.refresh_from_db()
    assert gpu.details["power"]["limit_w"] == 350 and not GPUBenchmark.objects.open().exists()


def test_a_gpu_too_slow_at_a_commanded_setting_is_not_accused(miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)
    command = applied(miner_api, gpu)

    prove(miner_api, 300, command.body["settings"]["power_limit_w"])

    gpu.refresh_from_db()
    command.refresh_from_db()
    assert GPUBenchmark.objects.latest("requested_at").state == "mismatch"
    assert gpu.state == "available" and command.state == "reverted"


def test_a_change_that_could_not_be_measured_is_taken_back(miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)
    command = applied(miner_api, gpu)

    benchmark = GPUBenchmark.objects.open().get()
    miner_api.json("POST", f"{M}/benchmarks/{benchmark.pk}/fail", {"reason": "no torch"}, status=200)

    command.refresh_from_db()
    assert command.state == "reverted" and "not measured" in command.answer["outcome"]["why"]


def test_what_a_crash_left_unjudged_is_judged_by_the_sweep(miner_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = measured_gpu(miner_api)
    command = applied(miner_api, gpu)
    with monkeypatch.context() as patch:
        patch.setattr(power_limits, "judge", lambda benchmark: None)
        prove(miner_api, 860 * 0.83, command.body["settings"]["power_limit_w"])

    assert power_limits.judge_ended() == 1 and power_limits.judge_ended() == 0
    command.refresh_from_db()
    assert command.answer["outcome"]["kept"] is True


def test_a_host_that_permits_nothing_fails_the_command_with_its_reason(miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)
    response = optimize(miner_api, gpu, {**QWEN, "objective": "efficiency", "apply": True})

    done = miner_api.json(
        "POST", f"{M}/orders/{response['order']['order_id']}/applied", {"refused": "setting a power limit needs root"},
        status=200,
    )  # fmt: skip

    assert done["state"] == "failed" and "needs root" in MinerCommand.objects.get(pk=done["order_id"]).answer["error"]
    assert not GPUBenchmark.objects.open().exists()


def test_a_command_of_another_kind_or_of_another_s_is_not_found(miner_api: Api, other_miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)
    other = GPUBenchmark.objects.get().command_id
    response = optimize(miner_api, gpu, {**QWEN, "objective": "efficiency", "apply": True})

    assert miner_api.post(f"{M}/orders/{other}/applied", {"settings": {}}).status_code == 404
    path = f"{M}/orders/{response['order']['order_id']}/applied"
    assert other_miner_api.post(path, {"settings": {}}).status_code == 404
    assert miner_api.post(path, {}).status_code == 400


def test_only_the_owner_applies_and_never_on_another_s_booking(
    miner_api: Api, other_miner_api: Api, client_api: Api
) -> None:
    gpu = measured_gpu(miner_api)
    request = {**QWEN, "objective": "efficiency", "apply": True}

    assert optimize(client_api, gpu, request, status=403)
    assert optimize(other_miner_api, gpu, request, status=403)
    GPURegistry.objects.update(state="busy", booking_id=gpu.pk, renter_id=client_api.owner_id)
    assert optimize(miner_api, gpu, request, status=409)["code"] == "card_booked"
    GPURegistry.objects.update(renter_id=miner_api.owner_id)
    assert optimize(miner_api, gpu, request)["order"]["state"] == "open"
    assert optimize(miner_api, gpu, request, status=409)["code"] == "setting_impossible"


def test_what_cannot_be_applied_says_why(miner_api: Api) -> None:
    request = {**QWEN, "apply": True}
    gpu = make_gpu(miner_api)
    assert "Request a benchmark first" in optimize(miner_api, gpu, request, status=409)["detail"]
    GPURegistry.objects.update(measured=MEASURED)
    GPURegistry.objects.update(details={})
    assert "does not report" in optimize(miner_api, gpu, request, status=409)["detail"]
    assert (
        "does not fit"
        in optimize(miner_api, gpu, {**request, "workload": {"model": "Llama-3.1-70B"}}, status=409)["detail"]
    )
    GPURegistry.objects.update(state="offline")
    assert optimize(miner_api, gpu, request, status=409)["code"] == "card_unfit"
    assert not MinerCommand.objects.exists()


def test_measurements_move_the_efficiencies_by_shrinkage(miner_api: Api) -> None:
    gpu = measured_gpu(miner_api)

    eff = calibration.efficiency(gpu.learned)

    observed = 0.8 * (860 / 936) / calibration.TYPICAL_BANDWIDTH
    assert eff.n == 1 and eff.decode == pytest.approx((observed + 5 * 0.8) / 6, rel=1e-3)
    assert (eff.low, eff.high) == (0.85, 1.10)
    many = {"residuals": [-0.3, -0.1, 0.0, 0.05, 0.1, 0.2]}
    assert calibration.efficiency(many).low == pytest.approx(0.819, abs=0.01)

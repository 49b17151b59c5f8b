"""A benchmark from request to verdict, as a miner goes through it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.gpu.logic import challenge
from apps.gpu.models import GPUBenchmark, GPURegistry, GPUTransition, MinerCommand
from apps.gpu.services import benchmark_schedule, uuid_disputes
from tests.clients import Api
from tests.gpu.factories import HonestMiner, M, make_cpu, make_gpu, measurements, register_gpu, small

GOOD = measurements(860, 29, 110)


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same arithmetic on small matrices; sizes are tested by themselves."""
    for name in ("gpu_task", "cpu_task"):
        real = getattr(challenge, name)
        monkeypatch.setattr(challenge, name, lambda nonce, real=real, **sizes: small(real(nonce, **sizes)))
    yield


def requested(api: Api, gpu: GPURegistry) -> str:
    return str(api.json("POST", f"/gpu/v1/gpu/{gpu.pk}/benchmarks", {}, status=201)["id"])


def test_a_gpu_that_proves_itself_is_verified_and_scored(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    benchmark_id = requested(miner_api, gpu)
    gpu.refresh_from_db()
    assert gpu.state == "verifying"

    verdict = HonestMiner(miner_api, benchmark_id).prove(GOOD, device="cuda")

    gpu.refresh_from_db()
    assert verdict["state"] == "passed" and verdict["verdict"]["reasons"] == []
    assert gpu.state == "available" and gpu.verified and gpu.measured["bandwidth_gbps"] == 860
    assert 75 < gpu.score < 95
    week = timedelta(days=7)
    assert week / 2 <= gpu.retest_at - gpu.verified_at <= 1.5 * week


def test_the_miner_hears_of_it_in_its_heartbeat_until_it_begins_and_learns_the_nonce_only_then(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    benchmark_id = requested(miner_api, gpu)

    (command,) = miner_api.json("POST", f"{M}/heartbeat", {"miner_id": "rig"}, status=200)["orders"]

    assert command["kind"] == "benchmark" and command["body"]["benchmark_id"] == benchmark_id
    assert "nonce" not in str(command)
    first = miner_api.json("POST", f"{M}/benchmarks/{benchmark_id}/begin", status=200)
    again = miner_api.json("POST", f"{M}/benchmarks/{benchmark_id}/begin", status=200)
    assert first == again and len(first["task"]["nonce"]) == 64
    assert miner_api.json("POST", f"{M}/heartbeat", {"miner_id": "rig"}, status=200)["orders"] == []


def test_measurements_of_a_lesser_gpu_are_a_mismatch_and_quarantine_it(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)

    verdict = HonestMiner(miner_api, requested(miner_api, gpu)).prove(measurements(360, 12.7, 51), device="cuda")

    gpu.refresh_from_db()
    assert verdict["state"] == "mismatch"
    assert {term["term"]: term["ok"] for term in verdict["verdict"]["terms"]} == dict.fromkeys(
        ("bandwidth_gbps", "fp32_tflops", "fp16_tflops"), False
    )
    assert gpu.state == "quarantined" and not gpu.verified and "bandwidth_gbps is 0.38" in gpu.reason
    move = GPUTransition.objects.filter(subject_id=gpu.pk).last()
    assert move.to_state == "quarantined" and "benchmark" in move.reason


def test_a_gpu_that_failed_is_cleared_by_the_next_benchmark_it_passes(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    HonestMiner(miner_api, requested(miner_api, gpu)).prove(measurements(360, 12.7, 51), device="cuda")

    verdict = HonestMiner(miner_api, requested(miner_api, gpu)).prove(GOOD, device="cuda")

    gpu.refresh_from_db()
    assert (verdict["state"], gpu.state, gpu.reason, gpu.verified) == ("passed", "available", "", True)


def test_a_disputed_gpu_is_an_operators_to_clear(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    uuid_disputes.confine(gpu, reason="two miners name it", actor="operator")

    answer = miner_api.post(f"/gpu/v1/gpu/{gpu.pk}/benchmarks")

    assert answer.status_code == 409


def test_measurements_that_no_such_gpu_can_reach_are_a_mismatch_too(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)

    verdict = HonestMiner(miner_api, requested(miner_api, gpu)).prove(measurements(1900, 35, 140), device="cuda")

    assert verdict["state"] == "mismatch" and "2.03" in verdict["verdict"]["reasons"][0]


def test_whoever_was_slower_than_its_measurements_allow_is_found_out(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    benchmark_id = requested(miner_api, gpu)
    honest = HonestMiner(miner_api, benchmark_id)
    miner_api.json("POST", f"{honest.path}/begin", status=200)
    GPUBenchmark.objects.update(begun_at=timezone.now() - timedelta(minutes=5))

    verdict = honest.prove(GOOD, device="cuda")

    assert verdict["state"] == "mismatch" and "its own measurements allow" in verdict["verdict"]["reasons"][-1]


def test_an_unknown_model_passes_as_unverified_model(miner_api: Api) -> None:
    gpu = make_cpu(miner_api)

    verdict = HonestMiner(miner_api, requested(miner_api, gpu)).prove(measurements(9, 0.08))

    gpu.refresh_from_db()
    assert verdict["state"] == "passed" and verdict["device"] == "cpu"
    assert verdict["verdict"]["model"] == "unverified_model" and verdict["verdict"]["terms"] == []
    assert gpu.verified and gpu.measured["bandwidth_gbps"] == 9


def test_a_wrong_row_is_found_and_quarantines_the_gpu(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    honest = HonestMiner(miner_api, requested(miner_api, gpu))
    task = challenge.Task.from_json(miner_api.json("POST", f"{honest.path}/begin", status=200)["task"])
    from apps.gpu.miner.devices import Cpu
    from apps.gpu.miner.prover import Prover

    prover = Prover(challenge.Task.from_json({**task.to_json(), "nonce": "another"}), Cpu())
    body = prover.commit() | {"figures": GOOD, "device": "cuda"}
    question = miner_api.json("POST", f"{honest.path}/commit", body, status=200)["question"]

    verdict = miner_api.json("POST", f"{honest.path}/answer", prover.answer(question), status=200)

    gpu.refresh_from_db()
    assert verdict["state"] == "failed" and "not a row of the product" in verdict["verdict"]["reasons"][0]
    assert gpu.state == "quarantined"


def test_a_miner_that_cannot_says_why_and_keeps_an_unverified_gpu(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    benchmark_id = requested(miner_api, gpu)

    response = miner_api.json("POST", f"{M}/benchmarks/{benchmark_id}/fail", {"reason": "OUT_OF_MEMORY"}, status=200)

    gpu.refresh_from_db()
    assert response["state"] == "failed" and gpu.state == "registered" and not gpu.verified


@pytest.mark.parametrize(
    "change",
    [
        {"figures": {}},
        {"figures": measurements(860, 29) | {"mem_bandwidth_gbps": {"median": 9999, "runs": [860] * 7}}},
        {"figures": measurements(860, 29) | {"fp32_tflops": {"median": 29, "runs": [29]}}},
        {"figures": measurements(-1, 29)},
        {"product": "xyz"},
        {"device": "cpu"},
        {"device": "abacus"},
        {"score": 100},
    ],
)
def test_impossible_commitments_are_refused_and_change_nothing(miner_api: Api, change: dict) -> None:
    benchmark_id = requested(miner_api, make_gpu(miner_api))
    path = f"{M}/benchmarks/{benchmark_id}"
    miner_api.json("POST", f"{path}/begin", status=200)
    body = {"product": "ab" * 32, "memory": "cd" * 32, "figures": GOOD, "device": "cuda"} | change

    assert miner_api.post(f"{path}/commit", body).status_code == 400
    assert GPUBenchmark.objects.get().state == "requested"


def test_the_steps_have_an_order(miner_api: Api) -> None:
    benchmark_id = requested(miner_api, make_gpu(miner_api))
    path = f"{M}/benchmarks/{benchmark_id}"
    body = {"product": "ab" * 32, "memory": "cd" * 32, "figures": GOOD, "device": "cuda"}

    assert miner_api.post(f"{path}/commit", body).status_code == 409
    assert miner_api.post(f"{path}/answer", {"rows": [], "pages": []}).status_code == 409
    miner_api.json("POST", f"{path}/begin", status=200)
    miner_api.json("POST", f"{path}/commit", body, status=200)
    assert miner_api.post(f"{path}/commit", body).status_code == 409
    response = miner_api.json("POST", f"{path}/answer", {"rows": [], "pages": []}, status=200)
    assert response["state"] == "failed" and "were asked" in response["verdict"]["reasons"][0]
    assert miner_api.post(f"{path}/answer", {"rows": [], "pages": []}).status_code == 409


def test_an_answer_after_its_minute_is_too_late(miner_api: Api) -> None:
    benchmark_id = requested(miner_api, make_gpu(miner_api))
    path = f"{M}/benchmarks/{benchmark_id}"
    miner_api.json("POST", f"{path}/begin", status=200)
    body = {"product": "ab" * 32, "memory": "cd" * 32, "figures": GOOD, "device": "cuda"}
    miner_api.json("POST", f"{path}/commit", body, status=200)
    GPUBenchmark.objects.update(due_at=timezone.now() - timedelta(seconds=1))

    assert miner_api.post(f"{path}/answer", {"rows": [], "pages": []}).status_code == 409
    assert GPUBenchmark.objects.get().state == "expired"


def test_others_may_neither_request_see_nor_answer(miner_api: Api, other_miner_api: Api, client_api: Api) -> None:
    gpu = make_gpu(miner_api)
    benchmark_id = requested(miner_api, gpu)

    assert other_miner_api.post(f"/gpu/v1/gpu/{gpu.pk}/benchmarks", {}).status_code == 404
    assert other_miner_api.get(f"/gpu/v1/gpu/{gpu.pk}/benchmarks").status_code == 404
    assert other_miner_api.get(f"/gpu/v1/benchmarks/{benchmark_id}").status_code == 404
    assert other_miner_api.post(f"{M}/benchmarks/{benchmark_id}/begin").status_code == 404
    assert client_api.post(f"/gpu/v1/gpu/{gpu.pk}/benchmarks", {}).status_code == 403
    assert miner_api.json("GET", f"/gpu/v1/gpu/{gpu.pk}/benchmarks", status=200)["items"][0]["id"] == benchmark_id
    assert miner_api.json("GET", f"/gpu/v1/benchmarks/{benchmark_id}", status=200)["state"] == "requested"


def test_one_benchmark_at_a_time_none_of_a_booked_gpu_and_none_of_an_unreachable_miner(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    requested(miner_api, gpu)
    path = f"/gpu/v1/gpu/{gpu.pk}/benchmarks"

    assert miner_api.json("POST", path, {}, status=409)["code"] == "benchmark_open"
    GPURegistry.objects.update(state="busy", booking_id=gpu.pk)
    assert miner_api.json("POST", path, {}, status=409)["code"] == "card_booked"
    GPURegistry.objects.update(state="registered")
    GPUBenchmark.objects.all().delete()
    MinerCommand.objects.all().delete()
    gpu.miner.__class__.objects.update(state="offline")
    assert miner_api.json("POST", path, {}, status=409)["code"] == "miner_away"


def test_the_sweep_tests_new_gpus_and_those_whose_time_has_come(miner_api: Api) -> None:
    gpu = register_gpu(miner_api)
    assert benchmark_schedule.sweep()["requested"] == 1
    assert benchmark_schedule.sweep()["requested"] == 0
    HonestMiner(miner_api, GPUBenchmark.objects.get().pk).prove(GOOD, device="cuda")

    assert benchmark_schedule.sweep()["requested"] == 0
    GPURegistry.objects.update(retest_at=timezone.now() - timedelta(seconds=1))
    assert benchmark_schedule.sweep()["requested"] == 1
    gpu.refresh_from_db()
    assert gpu.state == "verifying" and gpu.verified


def test_a_gpu_is_tested_again_after_its_miner_drained_and_came_back(miner_api: Api) -> None:
    gpu = register_gpu(miner_api)
    benchmark_schedule.sweep()
    HonestMiner(miner_api, GPUBenchmark.objects.get().pk).prove(GOOD, device="cuda")
    miner_api.json("DELETE", f"{M}/rig", status=200)

    register_gpu(miner_api)

    GPURegistry.objects.filter(pk=gpu.pk, state="offline").update(state="available")
    assert benchmark_schedule.sweep()["requested"] == 1


def test_unanswered_tests_expire_and_cost_the_mark_at_the_third_time(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    HonestMiner(miner_api, requested(miner_api, gpu)).prove(GOOD, device="cuda")
    states = []
    for _ in range(3):
        requested(miner_api, gpu)
        GPUBenchmark.objects.open().update(due_at=timezone.now() - timedelta(seconds=1))
        assert benchmark_schedule.sweep()["expired"] == 1
        gpu.refresh_from_db()
        states.append((gpu.state, gpu.verified))

    assert states == [("available", True), ("available", True), ("registered", False)]
    assert set(GPUBenchmark.objects.values_list("state", flat=True)) == {"passed", "expired"}


def test_a_booking_made_while_a_gpu_is_tested_keeps_it(miner_api: Api) -> None:
    gpu = make_gpu(miner_api)
    honest = HonestMiner(miner_api, requested(miner_api, gpu))
    GPURegistry.objects.update(state="reserved", booking_id=gpu.pk)

    honest.prove(GOOD, device="cuda")

    gpu.refresh_from_db()
    assert gpu.state == "reserved" and gpu.verified

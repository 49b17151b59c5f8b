"""Registering, polling and answering over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from apps.gpu.models import LateResult, Lease, Outbox
from tests.clients import Api
from tests.gpu.conftest import queued

M = "/gpu/v1/miners"


def register(api: Api, **body: object) -> dict:
    return api.json("POST", f"{M}/register", {"capabilities": {"supported_tasks": ["inference"]}, **body}, status=200)


def test_a_registered_miner_gets_a_job_and_answers_it(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    response = register(miner_api, miner_id="rig-1")
    assert (
        response["status"] == "ok"
        and response["miner_id"] == "rig-1"
        and response["session_token"]
        and response["gpu_count"] == 0
    )

    job = miner_api.json("POST", f"{M}/poll", {"max_wait_seconds": 5}, status=200)
    assert (job["job_id"], job["id"], job["attempt"]) == (job_id, job_id, 1)
    assert job["payload"] == {"prompt": "hello"}

    answer = miner_api.json("POST", f"{M}/{job_id}/result", {"result": {"output": "hi"}, "attempt": 1}, status=200)
    assert answer == {"status": "ok", "job_id": job_id, "result": "accepted"}
    assert Lease.objects.get(job_id=job_id).state == "completed"
    assert list(Outbox.objects.filter(consumer="ai").order_by("id").values_list("name", flat=True)) == [
        "gpu.lease.granted.v1",
        "gpu.lease.completed.v1",
    ]


def test_nothing_to_do_is_204_for_post_and_null_for_get(miner_api: Api) -> None:
    register(miner_api)

    assert miner_api.post(f"{M}/poll", {}).status_code == 204
    got = miner_api.get(f"{M}/poll")
    assert (got.status_code, got.content) == (200, b"null")


def test_head_is_refused_where_get_hands_out_work(miner_api: Api, enqueue: Callable[..., str]) -> None:
    """DRF answers HEAD by GET; here that would grant a lease and throw the job away (HEAD is safe, RFC 9110 §9.2.1)."""
    job_id = enqueue()
    register(miner_api)

    refused = miner_api.request("HEAD", f"{M}/poll")

    assert (refused.status_code, refused["Allow"]) == (405, "GET, POST, OPTIONS")
    assert not Lease.objects.exists()
    assert miner_api.json("GET", f"{M}/poll", status=200)["job_id"] == job_id


def test_the_same_result_twice_is_accepted_twice_and_counts_once(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    register(miner_api)
    miner_api.json("POST", f"{M}/poll", {}, status=200)

    first = miner_api.json("POST", f"{M}/{job_id}/result", {"result": "text"}, status=200)
    again = miner_api.json("POST", f"{M}/{job_id}/result", {"result": "text"}, status=200)
    other = miner_api.post(f"{M}/{job_id}/result", {"result": "another text"})

    assert first == again
    assert other.status_code == 409 and other.json()["code"] == "lease_fenced"
    assert Outbox.objects.filter(consumer="ai", name="gpu.lease.completed.v1").count() == 1
    assert LateResult.objects.filter(job_id=job_id).count() == 1


def test_a_late_result_changes_nothing(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    register(miner_api)
    miner_api.json("POST", f"{M}/poll", {}, status=200)
    Lease.objects.filter(job_id=job_id).update(lease_until="2020-01-01T00:00Z")

    late = miner_api.post(f"{M}/{job_id}/result", {"result": "late"})

    assert late.status_code == 409
    assert Lease.objects.get(job_id=job_id).state == "leased"
    assert not Outbox.objects.filter(name="gpu.lease.completed.v1").exists()
    assert LateResult.objects.get(job_id=job_id).reason == "The lease is overdue"


def test_a_wrong_attempt_is_fenced(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue(attempt=1)
    register(miner_api)
    assert miner_api.json("POST", f"{M}/poll", {}, status=200)["attempt"] == 2

    assert miner_api.post(f"{M}/{job_id}/result", {"result": "x", "attempt": 1}).status_code == 409
    assert miner_api.post(f"{M}/{job_id}/result", {"result": "x", "attempt": 2}).status_code == 200


def test_a_failed_result_is_a_failure(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    register(miner_api)
    miner_api.json("POST", f"{M}/poll", {}, status=200)

    answer = miner_api.json(
        "POST", f"{M}/{job_id}/result", {"result": {"status": "failed", "error": "no such model"}}, status=200
    )

    assert answer["error"] == "recorded"
    lease = Lease.objects.get(job_id=job_id)
    assert (lease.state, lease.code, lease.message) == ("failed", "INFERENCE_FAILED", "no such model")
    assert not Outbox.objects.filter(name="gpu.lease.completed.v1").exists()


def test_a_typed_failure_keeps_its_code(miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    register(miner_api)
    miner_api.json("POST", f"{M}/poll", {}, status=200)

    body = {"error_code": "bad_input", "error_message": "no prompt"}
    assert miner_api.json("POST", f"{M}/{job_id}/fail", body, status=200)["error"] == "recorded"
    assert miner_api.json("POST", f"{M}/{job_id}/fail", body, status=200)["code"] == "BAD_INPUT"
    assert Lease.objects.get(job_id=job_id).code == "BAD_INPUT"


def test_another_owner_s_job_is_not_there(miner_api: Api, other_miner_api: Api, enqueue: Callable[..., str]) -> None:
    job_id = enqueue()
    register(miner_api)
    register(other_miner_api)
    miner_api.json("POST", f"{M}/poll", {}, status=200)

    for endpoint in ("result", "fail"):
        assert other_miner_api.post(f"{M}/{job_id}/{endpoint}", {"result": "mine"}).status_code == 404
    assert Lease.objects.get(job_id=job_id).state == "leased"


def test_a_miner_gets_no_more_than_it_can_hold(miner_api: Api, enqueue: Callable[..., str]) -> None:
    for _ in range(5):
        enqueue()
    register(miner_api, concurrency=3)

    many = miner_api.json("POST", f"{M}/poll", {"max_jobs": 2}, status=200)
    assert len(many["jobs"]) == 2 and many["jobs"][0]["job_id"] == many["job_id"]
    assert len(miner_api.json("POST", f"{M}/poll", {"max_jobs": 8}, status=200)["jobs"]) == 1
    assert miner_api.post(f"{M}/poll", {}).status_code == 204


def test_urgent_work_goes_first_and_then_in_order(miner_api: Api, enqueue: Callable[..., str]) -> None:
    ordinary = [enqueue(task_type="inference"), enqueue(task_type="inference")]
    urgent = enqueue(task_type="embedding", priority=10)
    register(miner_api, capabilities={}, concurrency=3)

    command = [miner_api.json("POST", f"{M}/poll", {}, status=200)["job_id"] for _ in range(3)]
    assert command[0] == urgent and sorted(command[1:]) == sorted(ordinary)


def test_work_that_does_not_fit_is_not_handed_out(miner_api: Api, enqueue: Callable[..., str]) -> None:
    enqueue(gpu="NVIDIA H100")
    register(miner_api, capabilities={"gpus": [{"name": "RTX 4090", "memory_mb": 24564}]})

    assert miner_api.post(f"{M}/poll", {}).status_code == 204


def test_an_empty_poll_asks_the_gpu_database_nothing(
    miner_api: Api, enqueue: Callable[..., str], django_assert_num_queries
) -> None:
    enqueue(gpu="NVIDIA H100")
    register(miner_api)
    miner_api.post(f"{M}/poll", {})

    with django_assert_num_queries(0, using="gpu"):
        assert miner_api.post(f"{M}/poll", {}).status_code == 204


def test_a_job_is_enqueued_once(enqueue: Callable[..., str], waiting: Callable[[], int]) -> None:
    from apps.gpu.services import queue

    fact = queued()
    assert queue.enqueue([fact]) == 1
    assert queue.enqueue([fact]) == 0
    assert waiting() == 1

"""Results, failures and inputs of the miner protocol: large ones, bad ones, those of others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.utils import timezone

from aitbc.core import blobs, canonical
from apps.gpu.models import LateResult, Lease, Miner, Outbox
from tests.clients import Api

M = "/gpu/v1/miners"


def test_a_large_result_becomes_a_blob(miner_api: Api, held: str) -> None:
    result = {"output": "x" * 100_000}

    miner_api.json("POST", f"{M}/{held}/result", {"result": result}, status=200)

    lease = Lease.objects.get(job_id=held)
    fact = Outbox.objects.get(name="gpu.lease.completed.v1", consumer="ai").payload
    assert json.loads(blobs.read(lease.result_sha256)) == result
    assert fact["result"] is None and fact["result_sha256"] == lease.result_sha256


@pytest.mark.parametrize(
    "case", ["a random job", "another owner's", "another attempt", "overdue", "withdrawn", "ended"]
)
def test_a_large_result_that_may_not_be_delivered_leaves_nothing_on_disk(
    miner_api: Api, other_miner_api: Api, held: str, case: str
) -> None:
    result = {"output": uuid4().hex * 4000}
    sha256 = hashlib.sha256(canonical.encode(result)).hexdigest()
    api, job = (other_miner_api if case == "another owner's" else miner_api), held
    if case == "a random job":
        job = str(uuid4())
    elif case == "overdue":
        Lease.objects.update(lease_until="2020-01-01T00:00Z")
    elif case == "withdrawn":
        Lease.objects.update(cancel_at=timezone.now())
    elif case == "ended":
        miner_api.json("POST", f"{M}/{held}/fail", {"error_code": "OOM"}, status=200)

    answer = api.post(f"{M}/{job}/result", {"result": result, "attempt": 7 if case == "another attempt" else 1})

    assert answer.status_code == (404 if case in ("a random job", "another owner's") else 409)
    assert not blobs.exists(sha256)
    assert list(LateResult.objects.values_list("sha256", flat=True)) == ([sha256] if answer.status_code == 409 else [])


def test_a_large_result_again_is_accepted_again(miner_api: Api, held: str) -> None:
    result = {"output": "y" * 100_000}
    first = miner_api.json("POST", f"{M}/{held}/result", {"result": result}, status=200)

    assert miner_api.json("POST", f"{M}/{held}/result", {"result": result}, status=200) == first


def test_more_than_sixteen_mebibytes_is_too_much(miner_api: Api, held: str) -> None:
    answer = miner_api.post(f"{M}/{held}/result", {"result": "x" * (17 * 1024 * 1024)})

    assert answer.status_code == 413
    assert Lease.objects.get(job_id=held).state == "leased"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100 + b"]" * 100,
        b'{"result": NaN}',
        b'{"result": "\\u0000"}',
        b'{"result": 1, "result": 2}',
        b"{}",
        b'{"result": 9007199254740993}',
        b'{"result": "x", "attempt": "one"}',
    ],
)
def test_a_malformed_result_changes_nothing(miner_api: Api, held: str, body: bytes) -> None:
    assert miner_api.post(f"{M}/{held}/result", body).status_code == 400
    assert Lease.objects.get(job_id=held).state == "leased"


def test_the_holder_and_nobody_else_downloads_the_input(
    miner_api: Api, other_miner_api: Api, enqueue: Callable[..., str]
) -> None:
    stored = blobs.put([b"a long input"], limit=100)
    job_id = enqueue(payload=None, input_sha256=stored.sha256, input_size=stored.size)
    miner_api.json("POST", f"{M}/register", {"capabilities": {}}, status=200)
    assert miner_api.get(f"{M}/{job_id}/input").status_code == 404

    response = miner_api.json("POST", f"{M}/poll", {}, status=200)["input"]

    assert response["sha256"] == stored.sha256 and response["size"] == 12
    got = miner_api.get(response["url"])
    assert b"".join(got.streaming_content) == b"a long input"
    assert other_miner_api.get(response["url"]).status_code == 404


@pytest.mark.parametrize("jobs", [[None], [[]], ["x"], [{}, None], {}, "x", 1])
def test_running_jobs_that_are_none_are_refused(miner_api, jobs):
    """A null in the list was 500."""
    problem = miner_api.json("POST", "/gpu/v1/miners/heartbeat", {"jobs": jobs}, status=400, x_miner_id="rig")

    assert problem["errors"][0]["field"].startswith("jobs")


def test_a_heartbeat_with_fractions_and_a_list_of_gpus_is_kept(miner_api):
    body = {
        "miner_id": "fractions",
        "gpu_utilization": 0.25,
        "metrics": {"temperature": 61.5, "gpus": [{"index": 0, "power_w": 212.5, "nested": {"x": 1}}]},
    }

    miner_api.json("POST", "/gpu/v1/miners/heartbeat", body, status=200)

    metrics = Miner.objects.get(name="fractions").metrics
    assert metrics["gpu_utilization"] == 0.25
    assert metrics["temperature"] == 61.5
    assert metrics["gpus"] == [{"index": 0, "power_w": 212.5}]

"""Submitting jobs in every form and with every limit, and listing them; a caller sets nothing the server owns."""

import hashlib

import orjson
import pytest

from apps.ai.models import AIJob
from tests.ai.factories import AIT, fund, queued, row, state, submit


def test_an_unpaid_job_is_queued_at_once(client_api):
    job = submit(client_api)

    assert job["job_id"] == job["id"]
    assert job["state"] == job["status"] == "queued"
    assert job["payment_status"] == "none"
    assert (job["attempt"], job["priority"], job["error"]) == (0, 0, None)
    assert job["expires_at"] > job["created_at"]


def test_a_paid_job_waits_for_its_money_and_then_for_a_miner(client_api, drain):
    fund(client_api)

    job = submit(client_api, payment_amount="0.5")
    assert (job["state"], job["payment_status"], job["payment_amount"]) == ("submitted", "pending", "0.500000")

    drain()
    job = client_api.json("GET", f"/ai/jobs/{job['id']}")
    assert (job["state"], job["payment_status"]) == ("queued", "held")


def test_who_cannot_pay_is_refused_at_once(client_api):
    fund(client_api, AIT // 10)

    problem = client_api.json("POST", "/ai/jobs", {"task_type": "echo", "payment_amount": 0.2}, status=402)

    assert (problem["needed"], problem["available"]) == ("0.200000", "0.100000")
    assert not AIJob.objects.exists()


def test_money_spent_meanwhile_refuses_the_job_by_trading(client_api, drain):
    fund(client_api, AIT)
    first, second = (submit(client_api, payment_amount="0.7") for _ in range(2))

    drain()

    assert sorted([state(client_api, first), state(client_api, second)]) == ["queued", "refused"]
    refused = next(job for job in (row(first), row(second)) if job.state == "refused")
    assert (refused.outcome, refused.payment_status) == ("insufficient_funds", "refused")
    result = client_api.json("GET", f"/ai/jobs/{refused.pk}/result", status=200)
    assert result["result"] is None
    assert "0.700000" in result["error"]


@pytest.mark.parametrize(
    ("body", "task_type", "payload"),
    [
        ({"task_type": "a", "payload": {"x": 1.5}}, "a", {"x": 1.5}),
        ({"task_type": "a", "task_data": {"x": 1}}, "a", {"x": 1}),
        ({"job_type": "chat", "prompt": "hi"}, "chat", {"type": "chat", "prompt": "hi"}),
        ({"job_type": "chat", "prompt": "hi", "model": "m"}, "chat", {"type": "chat", "prompt": "hi", "model": "m"}),
        ({"payload": {"type": "ocr", "url": "u"}, "ttl_seconds": 60}, "ocr", {"type": "ocr", "url": "u"}),
        ({"payload": {"model": "m", "prompt": "p"}}, "inference", {"model": "m", "prompt": "p"}),
        ({"task_type": "a"}, "a", {}),
    ],
)
def test_every_form_of_legacy_clients_is_understood(client_api, body, task_type, payload):
    job = client_api.json("POST", "/ai/jobs", body, status=201)

    assert job["task_type"] == task_type
    assert client_api.json("GET", f"/ai/jobs/{job['id']}")["payload"] == payload


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "task_type"),
        ({"payload": {"type": 7}}, "task_type"),
        ({"task_type": " "}, "task_type"),
        ({"task_type": "a", "payload": [1]}, "payload"),
        ({"task_type": "a", "priority": 11}, "priority"),
        ({"task_type": "a", "ttl_seconds": 0}, "ttl_seconds"),
        ({"task_type": "a", "max_attempts": 11}, "max_attempts"),
        ({"task_type": "a", "payment_amount": -1}, "payment_amount"),
        ({"task_type": "a", "payment_amount": "0.0000001"}, "payment_amount"),
        ({"task_type": "a", "payment_amount": "NaN"}, "payment_amount"),
        ({"task_type": "a", "payment_currency": "BTC"}, "payment_currency"),
        ({"task_type": "a", "constraints": {"min_vram_gb": "much"}}, "constraints"),
        ({"task_type": "a", "constraints": {"min_reputation": 2}}, "constraints"),
        ({"task_type": "a", "constraints": {"region": "x" * 5000}}, "constraints"),
        ({"task_type": "a", "input_sha256": "../../etc"}, "input_sha256"),
    ],
)
def test_a_wrong_value_names_its_field(client_api, body, field):
    problem = client_api.json("POST", "/ai/jobs", body, status=400)

    assert any(one["field"].startswith(field) for one in problem["errors"])
    assert not AIJob.objects.exists()


def test_the_caller_cannot_set_what_the_server_owns(client_api, other_client_api):
    job = submit(
        client_api, owner_id=str(other_client_api.owner_id), client_id="x", state="settled", attempt=7,
        receipt_id="r", id="0" * 32, payment_status="settled", unheard_of=1,
    )  # fmt: skip

    assert (job["state"], job["attempt"], job["receipt_id"]) == ("queued", 0, None)
    assert row(job).owner_id == client_api.owner_id


def test_constraints_become_one_canonical_requirement(client_api):
    job = submit(
        client_api,
        constraints={
            "gpu": "RTX 4090", "min_vram_gb": 7.3, "models": ["b", "a", "b"], "max_price": "0.4567",
            "min_reputation": "0.501", "region": "", "cuda": None, "unknown": 1,
        },
    )  # fmt: skip

    assert row(job).requirement == {
        "task_type": "echo", "gpu": "RTX 4090", "gpu_count": 1, "min_vram_mb": 7680, "models": ["a", "b"],
        "region": None, "cuda": None, "max_price": 450_000, "min_reputation": 510, "data_class": None,
        "miner_id": None,
    }  # fmt: skip
    assert job["constraints"]["min_vram_gb"] == 7.3


@pytest.mark.parametrize("cuda", ["1_2.0", "١٢.0", 1e300, "abc", "-1", "9" * 20, "12.4.1.9", "12."])
def test_a_cuda_version_is_digits_and_points(client_api, cuda):
    body = {"task_type": "echo", "constraints": {"cuda": cuda}}

    problem = client_api.json("POST", "/ai/jobs", body, status=400)

    assert [error["field"] for error in problem["errors"]] == ["constraints.cuda"]
    assert submit(client_api, constraints={"cuda": "12.4"})["constraints"]["cuda"] == "12.4"


def test_the_same_request_key_is_one_job(client_api):
    first = client_api.post("/ai/jobs", {"task_type": "echo"}, idempotency_key="k")
    again = client_api.post("/ai/jobs", {"task_type": "echo"}, idempotency_key="k")
    other = client_api.post("/ai/jobs", {"task_type": "other"}, idempotency_key="k")

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.content == again.content
    assert AIJob.objects.count() == 1


def test_a_large_payload_becomes_a_blob_that_its_owner_can_read(client_api):
    payload = {"text": "x" * 70_000}

    job = submit(client_api, payload=payload)

    body = orjson.dumps(payload)
    assert row(job).payload is None
    assert row(job).input_sha256 == hashlib.sha256(body).hexdigest()
    answer = client_api.get(f"/ai/artifacts/{row(job).input_sha256}")
    assert b"".join(answer.streaming_content) == body
    assert client_api.json("GET", "/ai/artifacts")["items"][0]["in_use"]


def test_a_payload_of_more_than_a_megabyte_is_refused(client_api):
    answer = client_api.post("/ai/jobs", {"task_type": "echo", "payload": {"text": "x" * (1 << 20)}})

    assert answer.status_code == 413


def test_an_uploaded_artifact_can_be_the_input(client_api, other_client_api):
    stored = client_api.request("POST", "/ai/artifacts", b"\x00binary", content_type="image/png").json()

    job = submit(client_api, payload={"width": 3}, input_sha256=stored["sha256"])
    foreign = other_client_api.post("/ai/jobs", {"task_type": "echo", "input_sha256": stored["sha256"]})

    assert (row(job).input_is_blob, row(job).payload) == (True, {"width": 3})
    assert foreign.status_code == 400


def test_a_job_reads_the_same_in_the_list_as_alone(client_api):
    fund(client_api)
    submit(client_api, constraints={"max_price": "1.5"}, ttl_seconds=60)
    submit(client_api, payment_amount="0.25")

    for listed in client_api.json("GET", "/ai/jobs", status=200)["jobs"]:
        alone = client_api.json("GET", f"/ai/jobs/{listed['id']}", status=200)
        del alone["payload"]
        assert listed == alone
        assert list(listed) == list(alone)


def test_the_list_narrows_and_pages(client_api, other_client_api):
    ids = [submit(client_api, task_type=kind)["id"] for kind in ("a", "b", "a")]
    submit(other_client_api)

    page = client_api.json("GET", "/ai/jobs?limit=2", status=200)
    rest = client_api.json("GET", f"/ai/jobs?limit=2&cursor={page['next']}", status=200)

    assert [job["id"] for job in page["jobs"] + rest["jobs"]] == ids[::-1]
    assert (page["items"], page["limit"], rest["next"]) == (page["jobs"], 2, None)
    assert len(client_api.json("GET", "/ai/jobs?type=a")["jobs"]) == 2
    assert len(client_api.json("GET", "/ai/jobs?state=QUEUED&task_type=b")["jobs"]) == 1
    assert len(client_api.json("GET", "/ai/jobs?status=pending")["jobs"]) == 3
    assert client_api.json("GET", "/ai/jobs?to_time=2020-01-01T00:00:00")["jobs"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "state=nonsense", "from_time=soon", "cursor=zz"])
def test_a_wrong_filter_is_an_error_not_a_silence(client_api, query):
    assert client_api.get(f"/ai/jobs?{query}").status_code == 400


def test_another_owner_sees_nothing(client_api, other_client_api):
    job = queued(client_api)
    paths = ["", "/result", "/payment", "/receipt", "/events", "/explain", "/stream"]

    for path in paths:
        foreign = other_client_api.get(f"/ai/jobs/{job['id']}{path}")
        absent = other_client_api.get(f"/ai/jobs/{'0' * 8}-0000-7000-8000-{'0' * 12}{path}")
        assert foreign.status_code == absent.status_code == 404
        drop = {"request_id"}
        assert {k: v for k, v in foreign.json().items() if k not in drop} == {
            k: v for k, v in absent.json().items() if k not in drop
        }
    assert other_client_api.post(f"/ai/jobs/{job['id']}/cancel").status_code == 404
    assert state(client_api, job) == "queued"


def test_endpoints_are_closed_to_the_wrong_scope(miner_api, anonymous_api, api_for, client_api):
    job = submit(client_api)

    assert anonymous_api.get("/ai/jobs").status_code == 401
    assert miner_api.post("/ai/jobs", {"task_type": "a"}).status_code == 403
    reader = api_for("client", "read")
    assert reader.get(f"/ai/jobs/{job['id']}").status_code == 200
    assert reader.post(f"/ai/jobs/{job['id']}/cancel").status_code == 403
    assert client_api.get("/ai/admin/jobs").status_code == 403

"""What operators may do: see everything but payloads, prioritize, delete softly; every act with its reason."""

import pytest

from apps.ai.models import OperatorAct
from apps.gpu.models import Work
from tests.ai.factories import publish, queued, row, running, state, states_of


def test_operators_list_everybodys_jobs_without_payloads(operator_api, client_api, other_client_api):
    mine, other = queued(client_api), queued(other_client_api)

    page = operator_api.json("GET", "/ai/admin/jobs?limit=10", status=200)

    assert {job["id"] for job in page["jobs"]} == {mine["id"], other["id"]}
    details = operator_api.json("GET", f"/ai/admin/jobs/{mine['id']}", status=200)
    assert "payload" not in details
    assert details["client_id"] == str(client_api.owner_id)
    assert details["requirement"]["task_type"] == "echo"


def test_a_waiting_job_is_prioritized_in_gpus_queue_with_a_reason(operator_api, client_api, drain):
    job = queued(client_api)

    answer = operator_api.json("POST", f"/ai/admin/jobs/{job['id']}/prioritize", {"reason": "a demo"}, status=200)
    drain()

    assert answer["priority"] == 100
    assert Work.objects.get(job_id=job["id"]).priority == 100
    act = OperatorAct.objects.get()
    assert (act.act, act.reason, act.detail) == ("prioritize", "a demo", {"from": 0, "to": 100})
    assert act.actor == f"operator:{operator_api.prefix}"


def test_prioritizing_needs_a_reason_and_a_waiting_job(operator_api, client_api, miner):
    job = running(client_api, miner)

    assert operator_api.post(f"/ai/admin/jobs/{job['id']}/prioritize", {}).status_code == 400
    problem = operator_api.json("POST", f"/ai/admin/jobs/{job['id']}/prioritize", {"reason": "late"}, status=409)
    assert problem["state"] == "running"


def test_deleting_an_unfinished_job_refunds_all_and_hides_it(operator_api, client_api, miner, drain):
    job = running(client_api, miner, payment_amount="1")

    operator_api.json("DELETE", f"/ai/admin/jobs/{job['id']}", status=200)
    operator_api.json("DELETE", f"/ai/admin/jobs/{job['id']}", status=200)
    drain()

    seen = client_api.json("GET", f"/ai/jobs/{job['id']}", status=200)
    assert (seen["outcome"], seen["refunded"]) == ("deleted_by_operator", "1.000000")
    assert client_api.json("GET", "/ai/jobs")["jobs"] == []
    now = row(job)
    assert (now.outcome, now.payment_status, now.refunded) == ("deleted_by_operator", "refunded", 1_000_000)
    details = operator_api.json("GET", f"/ai/admin/jobs/{job['id']}")
    assert details["deleted_at"]
    assert [act["act"] for act in details["acts"]] == ["delete"]


def test_deleting_a_finished_job_keeps_its_history_and_what_was_paid_for(operator_api, client_api, miner):
    job = running(client_api, miner)
    publish(miner.completes(job, 1))
    before = states_of(job)

    operator_api.json("DELETE", f"/ai/admin/jobs/{job['id']}", status=200)

    assert states_of(job) == before
    assert client_api.json("GET", "/ai/jobs")["jobs"] == []
    for part in ("", "/result", "/events"):
        client_api.json("GET", f"/ai/jobs/{job['id']}{part}", status=200)


@pytest.mark.parametrize("method_path", [("GET", ""), ("DELETE", ""), ("POST", "/prioritize")])
def test_clients_have_no_business_here(client_api, method_path):
    job = queued(client_api)
    method, path = method_path

    assert client_api.request(method, f"/ai/admin/jobs/{job['id']}{path}", {"reason": "x"}).status_code == 403
    assert state(client_api, job) == "queued"

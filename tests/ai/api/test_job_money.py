"""Whatever says what a job costs says it in AIT, as a decimal string."""

import json

from django.urls import reverse

from aitbc.accounts.models import User
from apps.gpu.models import Miner
from tests.ai.factories import publish, queued, running

COSTS = ("rate", "paid", "fee", "refunded", "payment_amount")


def costs_of(details):
    return {name: detail[name] for detail in details for name in COSTS if name in detail}


def test_history_and_stream_of_a_paid_job(client_api, miner):
    job = running(client_api, miner, payment_amount="1")
    publish(miner.completes(job, 1))
    expected = {
        "payment_amount": "1.000000", "rate": "3.600000", "paid": "0.029100", "fee": "0.000900", "refunded": "0.970000",
    }  # fmt: skip

    events = client_api.json("GET", f"/ai/jobs/{job['id']}/events", status=200)["items"]
    stream = client_api.get(f"/ai/jobs/{job['id']}/stream", accept="text/event-stream").content.decode()

    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: {")]
    assert costs_of(one["detail"] for one in events) == expected
    assert costs_of(json.loads(line).get("detail", {}) for line in lines) == expected


def test_the_price_ceiling_of_a_waiting_job(client_api, operator_api, client):
    job = queued(client_api, constraints={"max_price": "0.4567"})

    explained = client_api.json("GET", f"/ai/jobs/{job['id']}/explain", status=200)["constraints"]
    seen = operator_api.json("GET", f"/ai/admin/jobs/{job['id']}", status=200)

    assert [one["value"] for one in explained if one["name"] == "max_price"] == ["0.450000"]
    assert (seen["constraints"]["max_price"], seen["requirement"]["max_price"]) == ("0.4567", "0.450000")
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a long password"))
    for page in (reverse("admin:ai_aijob_change", args=[job["id"]]), reverse("admin:gpu_requirementclass_changelist")):
        html = client.get(page).content.decode()
        assert "0.450000" in html and "450000," not in html.replace("0.450000", "")


def test_the_offer_of_a_miner_in_the_admin(miner_api, client):
    body = {"capabilities": {"price": "0.4567"}, "miner_id": "rig"}
    miner_api.json("POST", "/gpu/v1/miners/register", body, status=200)
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a long password"))

    html = client.get(reverse("admin:gpu_miner_change", args=[Miner.objects.get().pk])).content.decode()

    assert "&quot;price&quot;:&quot;0.456700&quot;" in html and "456700," not in html


def test_a_job_without_a_ceiling_has_none(client_api, operator_api):
    job = queued(client_api)

    assert operator_api.json("GET", f"/ai/admin/jobs/{job['id']}", status=200)["requirement"]["max_price"] is None

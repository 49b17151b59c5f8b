"""Jobs in the admin site: shown without payloads, acted upon through services alone."""

import pytest
from django.urls import reverse

from aitbc.accounts.models import User
from apps.ai.models import OperatorAct
from tests.ai.factories import publish, queued, row, running


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("root", "root@example.org", "a long password"))
    return client


def test_the_admin_shows_jobs_and_acts_through_services(staff, client_api, miner):
    job = running(client_api, miner, payload={"secret": "of the client"})
    listing = reverse("admin:ai_aijob_changelist")

    assert job["id"] in staff.get(listing).content.decode()
    assert job["id"] in staff.get(f"{listing}?q={job['id']}").content.decode()
    shown = staff.get(reverse("admin:ai_aijob_change", args=[job["id"]])).content.decode()
    assert "of the client" not in shown

    chosen = {"action": "cancel_and_hide", "_selected_action": [job["id"]]}
    assert "Reason" in staff.post(listing, chosen).content.decode()
    assert row(job).state == "running"
    staff.post(listing, {**chosen, "apply": "1", "reason": "requested by its owner"})
    assert row(job).state == "cancelling"
    act = OperatorAct.objects.get()
    assert (act.actor, act.reason) == ("operator:root", "requested by its owner")


def test_the_admin_shows_money_in_ait_and_times_with_their_zone(staff, client_api):
    job = queued(client_api, payment_amount="0.5")

    page = staff.get(reverse("admin:ai_aijob_change", args=[job["id"]])).content.decode()
    assert "0.500000" in page and "500000<" not in page.replace("0.500000<", "")
    assert "ayment amount (AIT)" in page
    assert " UTC" in page


@pytest.mark.parametrize("name", ["jobevent", "aijobresult", "deadletter", "artifact"])
def test_every_table_of_the_admin_opens(staff, client_api, miner, name):
    job = running(client_api, miner, max_attempts=1)
    publish(miner.completes(job, 1))

    assert staff.get(reverse(f"admin:ai_{name}_changelist")).status_code == 200

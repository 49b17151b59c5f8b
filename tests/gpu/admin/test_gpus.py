"""Cards in the admin: looked at, judged with a reason, and models of an operator's own."""

from __future__ import annotations

import pytest
from django.test import Client

from aitbc.accounts.services import users
from apps.gpu.models import ConsumerGPUProfile, GPURegistry, GPUTransition
from apps.gpu.services import catalogue
from tests.gpu.factories import beat, register

PAGES = (
    "consumergpuprofile", "gpuregistry", "gputransition", "edgegpumetrics", "reservation", "minercommand",
    "commandtransition", "minerhour",
)  # fmt: skip


@pytest.fixture
def browser(db) -> Client:
    users.register(username="root", password="a long enough pass phrase", is_staff=True, is_superuser=True)
    client = Client()
    client.post("/admin/login/", {"username": "root", "password": "a long enough pass phrase"})
    return client


@pytest.mark.parametrize("page", PAGES)
def test_each_page_shows_its_rows(browser, miner_api, page):
    register(miner_api)
    beat(miner_api, metrics={"gpus": [{"uuid": "GPU-1", "utilization": 42}]})

    assert browser.get(f"/admin/gpu/{page}/").status_code == 200


def act(browser: Client, action: str, **more: str):
    gpus = [str(pk) for pk in GPURegistry.objects.values_list("pk", flat=True)]
    body = {"action": action, "_selected_action": gpus, **more}
    return browser.post("/admin/gpu/gpuregistry/", body, follow=True)


def test_both_claims_are_released_only_one_after_the_other_was_retired(browser, miner_api, other_miner_api):
    register(miner_api)
    register(other_miner_api, rig="other")
    assert "Reason" in act(browser, "release").content.decode()

    page = act(browser, "release", apply="1", reason="looked at both").content.decode()

    assert "Release cards: 1" in page and "Another miner&#x27;s claim" in page
    assert sorted(GPURegistry.objects.values_list("state", flat=True)) == ["quarantined", "registered"]
    assert GPUTransition.objects.filter(reason="looked at both", actor="user:root").count() == 1


def test_a_gpu_is_quarantined_by_hand(browser, miner_api):
    register(miner_api)

    act(browser, "quarantine", apply="1", reason="stolen")

    assert GPURegistry.objects.values_list("state", "reason").get() == ("quarantined", "stolen")


def test_an_operators_measurements_stay(browser):
    catalogue.ensure()
    row = ConsumerGPUProfile.objects.get(model="T4")
    form = {name: getattr(row, name) for name in (
        "vendor", "model", "architecture", "year", "memory_gb", "memory_type", "bandwidth_gbps", "fp32_tflops",
        "fp16_tflops", "compute_capability",
    )}  # fmt: skip

    answer = browser.post(f"/admin/gpu/consumergpuprofile/{row.pk}/change/", {**form, "tdp_w": "60"})

    assert answer.status_code == 302
    catalogue.load()
    row.refresh_from_db()
    assert (row.tdp_w, row.source) == (60, "local")

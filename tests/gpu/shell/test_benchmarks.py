"""`manage.py gpu`: advice, benchmarks and earnings from the shell, through a real socket; and the admin's page."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from apps.gpu.models import GPUBenchmark, GPURegistry
from tests.clients import Api
from tests.gpu.factories import make_gpu

Run = Callable[..., str]


@pytest.fixture
def gpu(live_server, miner_api: Api) -> Run:
    """Run the command with the miner's key; returns what it printed."""

    def run(*words: str) -> str:
        out = io.StringIO()
        call_command("gpu", *words, "--url", live_server.url, "--key", miner_api.secret, stdout=out)
        return out.getvalue()

    return run


@pytest.mark.transaction
def test_advice_benchmarks_and_earnings_from_the_shell(
    gpu: Run, miner_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    one = str(make_gpu(miner_api).pk)

    response = gpu("optimize", one, "llama3.1:8b", "--objective", "efficiency", "--ctx", "2048")
    assert (
        "Llama-3.1-8B" in response
        and "nvidia-smi -i 0 -pl" in response
        and "undo it" in response
        and "q4_k_m" in response
    )
    assert json.loads(gpu("optimize", one, "qwen2.5:7b", "--json"))["fits"] is True
    assert "does not fit" in gpu("optimize", one, "llama3.1:70b")
    with pytest.raises(CommandError, match="(?s)nearest.*HTTP 400"):
        gpu("optimize", one, "lama")
    assert "No benchmark yet" in gpu("benchmarks", one)
    made = json.loads(gpu("benchmark", one, "--json"))
    assert made["state"] == "requested"
    with pytest.raises(CommandError, match="being measured already"):
        gpu("benchmark", one)
    assert "requested" in gpu("benchmarks", one)
    earned = gpu("earnings", one, "--power-price", "0.25", "--utilisation", "0.5")
    assert "break even at" in earned and "50%" in earned
    with pytest.raises(CommandError, match="no such card"):
        gpu("earnings", "nothing")


def test_every_verb_has_help_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("optimize", "benchmark", "earnings"):
        with pytest.raises(SystemExit):
            call_command("gpu", verb, "--help")
        assert "manage.py gpu" in capsys.readouterr().out


def test_staff_request_a_benchmark_in_the_admin(miner_api: Api) -> None:
    one = make_gpu(miner_api)
    miner_api.json("POST", f"/gpu/v1/gpu/{one.pk}/benchmarks", {}, status=201)
    GPUBenchmark.objects.update(state="passed")
    GPURegistry.objects.update(state="available")
    staff = get_user_model().objects.create_superuser("root", "root@example.org", "secret")
    site = Client()
    site.force_login(staff)

    page = site.get("/admin/gpu/gpubenchmark/?q=RTX")
    assert page.status_code == 200 and str(one.memory_mb) in page.content.decode()
    site.post(
        "/admin/gpu/gpubenchmark/",
        {"action": "request_again", "_selected_action": [str(GPUBenchmark.objects.get().pk)]},
    )

    assert GPUBenchmark.objects.open().get().requested_by.startswith("user:")

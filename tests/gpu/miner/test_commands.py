"""What a miner does beside jobs, as a process: a real benchmark on this machine's processor, and signed commands."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.gpu.logic import benchmark_scoring, challenge, challenge_check
from apps.gpu.miner.signatures import COMMAND_TAG

KEY = Ed25519PrivateKey.generate()
TASK = challenge.Task("5eed", "cpu", words=64, rounds=4, blocks=6, pages=8, table=8, rows_asked=16, pages_asked=6)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def command(**changes) -> dict:
    fresh = datetime.now(UTC) + timedelta(minutes=5)
    body = {
        "serial": "s1", "gpu_uuid": "", "settings": {"power_limit_w": 200}, "not_after": fresh.isoformat(),
    } | changes  # fmt: skip
    sig = KEY.sign(COMMAND_TAG.encode() + b"\n" + rfc8785.dumps(body))
    signature = {"alg": "Ed25519", "key_id": "k1", "sig": b64(sig)}
    return {"order_id": "o1", "kind": "apply", "body": body, "signature": signature}


@pytest.fixture
def signing_exchange(exchange):
    exchange.keys = {"keys": [{"key_id": "k1", "public_key": b64(KEY.public_key().public_bytes_raw())}]}
    return exchange


def reported(exchange, ending: str) -> dict:
    return exchange.until(lambda: next((body for path, body in exchange.reports if path.endswith(ending)), None))


def test_a_miner_measures_proves_and_answers_and_takes_no_job_meanwhile(exchange, start):
    question = challenge_check.draw(TASK)
    exchange.command_response = lambda path, body: {
        "begin": {"task": TASK.to_json()}, "commit": {"question": question}, "answer": {"state": "passed"},
    }[path.rsplit("/", 1)[1]]  # fmt: skip
    exchange.commands = [
        {
            "order_id": "o1",
            "kind": "benchmark",
            "body": {"benchmark_id": "b1", "uuid": "", "device": "cpu", "name": "x"},
        }
    ]
    start(exchange, "--engine", "sleeper")

    answer = reported(exchange, "/b1/answer")

    committed = reported(exchange, "/b1/commit")
    assert challenge_check.check(TASK, committed, question, answer) == []
    assert committed["device"] == "cpu" and committed["environment"]["device"] == "cpu"
    measured = benchmark_scoring.plain(committed["figures"])
    assert measured["bandwidth_gbps"] > 0 and measured["fp32_tflops"] > 0 and measured["disk_mbps"] > 0
    assert len(committed["figures"]["mem_bandwidth_gbps"]["runs"]) >= 5
    assert [path.rsplit("/", 1)[1] for path, _ in exchange.reports] == ["begin", "commit", "answer"]


def test_a_miner_without_the_requested_gpu_reports_a_failure(exchange, start):
    exchange.commands = [{"order_id": "o1", "kind": "benchmark", "body": {"benchmark_id": "b1", "device": "gpu"}}]
    start(exchange, "--engine", "sleeper")

    assert "torch" in reported(exchange, "/b1/fail")["reason"]


def test_a_signed_command_fails_with_the_reason_where_there_is_no_driver(signing_exchange, start):
    signing_exchange.commands = [command()]
    start(signing_exchange, "--engine", "sleeper")

    assert "no NVIDIA driver" in reported(signing_exchange, "/o1/applied")["refused"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"settings": {"power_limit_w": 200, "fan": 10}}, "does not change fan"),
        ({"settings": {"power_limit_w": "lots"}}, "number of watts"),
        ({"not_after": "2001-01-01T00:00:00+00:00"}, "out of date"),
        ({"not_after": "soon"}, "out of date"),
    ],
)
def test_what_is_not_allowed_is_refused_however_well_it_is_signed(signing_exchange, start, change, reason):
    signing_exchange.commands = [command(**change)]
    start(signing_exchange, "--engine", "sleeper")

    assert reason in reported(signing_exchange, "/o1/applied")["refused"]


def test_a_command_changed_on_the_way_is_refused(signing_exchange, start):
    changed = command()
    changed["body"]["settings"]["power_limit_w"] = 350
    signing_exchange.commands = [changed]
    start(signing_exchange, "--engine", "sleeper")

    assert "signature" in reported(signing_exchange, "/o1/applied")["refused"]


def test_clients_cannot_request_the_proof_engine(exchange, start):
    exchange.offer("j1", "proof", {"step": "measure"})
    start(exchange, "--once", "1")

    verb, body = exchange.delivery_of("j1")
    assert verb == "fail" and body["error_code"] == "REFUSED"
    assert "proof" not in exchange.registered[0]["capabilities"]["tasks"]

"""What a miner does beside jobs, as a process: a real benchmark on this machine's processor, and signed orders."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.gpu.logic import benchmark_scoring, challenge, challenge_check
from apps.gpu.miner.signatures import ORDER_TAG

KEY = Ed25519PrivateKey.generate()
TASK = challenge.Task("5eed", "cpu", words=64, rounds=4, blocks=6, pages=8, table=8, rows_asked=16, pages_asked=6)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def order(**changes) -> dict:
    fresh = datetime.now(UTC) + timedelta(minutes=5)
    body = {
        "serial": "s1", "gpu_uuid": "", "settings": {"power_limit_w": 200}, "not_after": fresh.isoformat(),
    } | changes  # fmt: skip
    sig = KEY.sign(ORDER_TAG.encode() + b"\n" + rfc8785.dumps(body))
    signature = {"alg": "Ed25519", "key_id": "k1", "sig": b64(sig)}
    return {"order_id": "o1", "kind": "apply", "body": body, "signature": signature}


@pytest.fixture
def signing_exchange(exchange):
    exchange.keys = {"keys": [{"key_id": "k1", "public_key": b64(KEY.public_key().public_bytes_raw())}]}
    return exchange


def answered(exchange, ending: str) -> dict:
    return exchange.until(lambda: next((body for path, body in exchange.errands if path.endswith(ending)), None))


def test_a_miner_measures_proves_and_answers_and_takes_no_job_meanwhile(exchange, start):
    question = challenge_check.draw(TASK)
    exchange.errand_answer = lambda path, body: {
        "begin": {"task": TASK.to_json()}, "commit": {"question": question}, "answer": {"state": "passed"},
    }[path.rsplit("/", 1)[1]]  # fmt: skip
    exchange.orders = [
        {
            "order_id": "o1",
            "kind": "benchmark",
            "body": {"benchmark_id": "b1", "uuid": "", "device": "cpu", "name": "x"},
        }
    ]
    start(exchange, "--engine", "sleeper")

    answer = answered(exchange, "/b1/answer")

    committed = answered(exchange, "/b1/commit")
    assert challenge_check.check(TASK, committed, question, answer) == []
    assert committed["device"] == "cpu" and committed["environment"]["device"] == "cpu"
    measured = benchmark_scoring.plain(committed["figures"])
    assert measured["bandwidth_gbps"] > 0 and measured["fp32_tflops"] > 0 and measured["disk_mbps"] > 0
    assert len(committed["figures"]["mem_bandwidth_gbps"]["runs"]) >= 5
    assert [path.rsplit("/", 1)[1] for path, _ in exchange.errands] == ["begin", "commit", "answer"]


def test_a_miner_without_the_card_asked_for_says_so(exchange, start):
    exchange.orders = [{"order_id": "o1", "kind": "benchmark", "body": {"benchmark_id": "b1", "device": "gpu"}}]
    start(exchange, "--engine", "sleeper")

    assert "torch" in answered(exchange, "/b1/fail")["reason"]


def test_a_signed_order_fails_with_the_reason_where_there_is_no_driver(signing_exchange, start):
    signing_exchange.orders = [order()]
    start(signing_exchange, "--engine", "sleeper")

    assert "no NVIDIA driver" in answered(signing_exchange, "/o1/applied")["refused"]


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
    signing_exchange.orders = [order(**change)]
    start(signing_exchange, "--engine", "sleeper")

    assert reason in answered(signing_exchange, "/o1/applied")["refused"]


def test_an_order_changed_on_the_way_is_refused(signing_exchange, start):
    changed = order()
    changed["body"]["settings"]["power_limit_w"] = 350
    signing_exchange.orders = [changed]
    start(signing_exchange, "--engine", "sleeper")

    assert "signature" in answered(signing_exchange, "/o1/applied")["refused"]


def test_clients_cannot_ask_for_the_proof_engine(exchange, start):
    exchange.offer("j1", "proof", {"step": "measure"})
    start(exchange, "--once", "1")

    verb, body = exchange.answer_to("j1")
    assert verb == "fail" and body["error_code"] == "REFUSED"
    assert "proof" not in exchange.registered[0]["capabilities"]["tasks"]

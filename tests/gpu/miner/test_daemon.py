"""The miner as a process: takes jobs, computes them, delivers the outcome; and what it does when things go wrong."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.gpu.miner.exchange import Exchange


def pid_of(exchange, job_id):
    """Return the process in which a sleeper runs, once a heartbeat has reported it."""
    entry = exchange.until(lambda: (job := exchange.progress_of(job_id)) and "pid" in job["note"] and job)
    return int(entry["note"].split()[1])


def is_gone(pid):
    """Wait for a process to end: its descriptor becomes readable then."""
    import select

    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(descriptor) as watched:
        return bool(select.select([watched], [], [], 20)[0])


def test_a_job_is_taken_computed_and_delivered_with_its_attempt(exchange, start):
    exchange.offer("j1", "benchmark", {"size": 64, "rounds": 2}, attempt=3)
    miner = start(exchange, "--once", "1", "--price", "0.5", "--region", "eu")
    verb, body = exchange.delivery_of("j1")
    assert verb == "result" and body["attempt"] == 3
    assert body["result"]["gflops"] > 0 and body["metrics"]["duration_ms"] > 0
    assert miner.wait() == 0
    offer = exchange.registered[0]["capabilities"]
    assert {"benchmark", "embedding", "language", "file-type", "sleeper"} <= set(offer["tasks"])
    assert "broken" not in offer["tasks"]
    assert offer["price"] == "0.5" and offer["region"] == "eu" and offer["max_concurrent_jobs"] == 2
    assert offer["cpu"]["cores"] >= 1 and offer["memory_mb"] > 0 and isinstance(offer["gpus"], list)
    assert "wordllama-l2-supercat-256" in offer["models"]


def test_jobs_run_side_by_side_up_to_capacity(exchange, start):
    for name in ("a", "b", "c"):
        exchange.offer(name, "sleeper", {})
    start(exchange, "--slots", "2", "--engine", "sleeper")
    first, second = pid_of(exchange, "a"), pid_of(exchange, "b")
    assert first != second and len(exchange.queue) == 1
    exchange.cancel = ["a"]
    pid_of(exchange, "c")
    assert {poll["max_jobs"] for poll in exchange.polls} == {1, 2}


def test_a_miner_has_a_name_of_its_own_and_keeps_it(exchange, start):
    """Unnamed, it would be the miner that registered last with the same key: another program's, perhaps."""
    for n in range(2):
        exchange.offer(f"j{n}", "benchmark", {"size": 8})
        assert start(exchange, "--once", "1", "--engine", "benchmark").wait() == 0

    first, second = exchange.names
    assert first and first == second


@pytest.mark.parametrize("stubborn", [False, True])
def test_cancel_kills_the_child(exchange, start, stubborn):
    exchange.offer("j1", "sleeper", {"stubborn": stubborn})
    start(exchange, "--engine", "sleeper")
    pid = pid_of(exchange, "j1")
    exchange.cancel = ["j1"]
    verb, body = exchange.delivery_of("j1")
    assert verb == "fail" and body["error_code"] == "CANCELLED" and body["attempt"] == 1
    assert is_gone(pid)


def test_a_lost_lease_ends_the_work_without_a_delivery(exchange, start):
    exchange.offer("j1", "sleeper", {})
    start(exchange, "--slots", "1", "--engine", "sleeper", "--engine", "language")
    pid = pid_of(exchange, "j1")
    exchange.leases = []
    assert is_gone(pid)
    exchange.leases = None
    exchange.offer("j2", "language", {"text": "guten Morgen"})
    exchange.delivery_of("j2")
    assert [job for job, _, _ in exchange.deliveries + exchange.refused] == ["j2"]


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("abort", "ENGINE_ERROR", "SIGABRT"),
        ("leave", "ENGINE_ERROR", "status 3"),
        ("bomb", "OUT_OF_MEMORY", "MemoryError"),
        ("flood", "ENGINE_ERROR", "16 MiB"),
        ("nan", "ENGINE_ERROR", "cannot be encoded as JSON: .value: nan"),
        ("huge_integer", "ENGINE_ERROR", ".rows[0].count: a whole number is beyond"),
        ("bytes", "ENGINE_ERROR", "bytes is not a type of JSON"),
        ("keys", "ENGINE_ERROR", "a key is tuple"),
        ("twice", "ENGINE_ERROR", "two keys"),
        ("nested", "ENGINE_ERROR", "nested too deeply"),
        ("endless", "ENGINE_ERROR", "nested too deeply"),
        ("rubbish", "ENGINE_ERROR", "no report"),
        ("strange_words", "ENGINE_ERROR", "half \ufffd of it \ufffd"),
    ],
)
def test_a_child_that_fails_is_a_typed_failure_and_the_miner_goes_on(exchange, start, how, code, words):
    exchange.offer("bad", "crasher", {"how": how})
    exchange.offer("good", "crasher", {"how": "chatter"})
    miner = start(exchange, "--once", "2", "--slots", "1", "--engine", "crasher", "--memory-mb", "512")
    verb, body = exchange.delivery_of("bad")
    assert verb == "fail" and body["error_code"] == code and words in body["error_message"]
    assert exchange.delivery_of("good")[1]["result"] == {"said": "enough"}
    assert miner.wait() == 0


def test_text_of_an_engine_is_made_valid_and_the_result_delivered(exchange, start):
    exchange.offer("text", "crasher", {"how": "surrogate"})
    exchange.offer("keys", "crasher", {"how": "numbered"})
    start(exchange, "--engine", "crasher")

    result = exchange.delivery_of("text")[1]["result"]

    assert result == {"text": "half \ufffd", "whole": "\U0001f600", "zero": "a\ufffdb", "\ufffd": 1}
    assert exchange.delivery_of("keys")[1]["result"] == {"1": "one", "null": "none"}


def test_a_job_over_its_time_limit_is_ended(exchange, start):
    exchange.offer("j1", "sleeper", {}, timeout_seconds=1)
    start(exchange, "--engine", "sleeper")
    verb, body = exchange.delivery_of("j1")
    assert verb == "fail" and body["error_code"] == "ENGINE_ERROR" and "time limit" in body["error_message"]


def test_the_key_is_not_in_the_child(exchange, start):
    exchange.offer("j1", "crasher", {"how": "secrets"})
    start(exchange, "--engine", "crasher")
    found = exchange.delivery_of("j1")[1]["result"]
    assert found["found"] == [] and Path(found["home"]).name.startswith("aitbc-miner-")


def test_what_is_not_offered_is_refused_and_bad_input_named(exchange, start):
    exchange.offer("strange", "alchemy", {"lead": 1})
    exchange.offer("wrong", "benchmark", {"size": "big"})
    exchange.offer("none", "benchmark", None)
    start(exchange)
    assert exchange.delivery_of("strange")[1]["error_code"] == "REFUSED"
    assert exchange.delivery_of("wrong")[1]["error_code"] == "BAD_INPUT"
    assert "size" in exchange.delivery_of("wrong")[1]["error_message"]
    assert exchange.delivery_of("none")[1]["error_code"] == "BAD_INPUT"


def test_an_input_is_downloaded_and_checked(exchange, start):
    source = exchange.upload("file", b"#!/bin/sh\nfor f in *; do echo $f; done\n")
    exchange.offer("file", "file-type", {}, input=source)
    exchange.offer("payload", "language", None, input=exchange.upload("payload", b'{"text": "Bonjour tout le monde"}'))
    exchange.offer("forged", "file-type", {}, input=exchange.upload("forged", b"abc") | {"sha256": "0" * 64})
    start(exchange)
    assert exchange.delivery_of("file")[1]["result"]["label"] == "shell"
    assert exchange.delivery_of("payload")[1]["result"]["language"] == "fr"
    assert "SHA-256" in exchange.delivery_of("forged")[1]["error_message"]


def test_a_result_survives_kill_9_of_the_miner(exchange, start):
    exchange.delivery_status = lambda job, verb: (503, {"error": "not now"})
    exchange.offer("done", "language", {"text": "buenos dias"})
    miner = start(exchange, "--engine", "language")
    exchange.until(lambda: exchange.refused)
    miner.send(signal.SIGKILL)
    miner.wait()
    exchange.delivery_status = lambda job, verb: (200, {})
    start(exchange, "--engine", "language")
    verb, body = exchange.delivery_of("done")
    assert verb == "result" and body == exchange.refused[0][2]


def test_kill_9_of_the_miner_ends_its_children_and_the_next_start_hands_the_job_back(exchange, start):
    exchange.offer("j1", "sleeper", {}, attempt=2)
    miner = start(exchange, "--engine", "sleeper")
    pid = pid_of(exchange, "j1")
    miner.send(signal.SIGKILL)
    miner.wait()
    assert is_gone(pid)
    start(exchange, "--engine", "sleeper")
    verb, body = exchange.delivery_of("j1")
    assert verb == "fail" and body["error_code"] == "DRAINING" and body["attempt"] == 2


def test_the_exchange_goes_down_and_comes_back(exchange, start):
    exchange.offer("j1", "benchmark", {"size": 32, "rounds": 1})
    exchange.delivery_status = lambda job, verb: (502, {})
    miner = start(exchange, "--engine", "benchmark")
    exchange.until(lambda: exchange.refused)
    exchange.close()
    assert miner.process.poll() is None
    reopened = Exchange(exchange.port)
    try:
        assert reopened.delivery_of("j1")[0] == "result"
        reopened.offer("j2", "benchmark", {"size": 32})
        assert reopened.delivery_of("j2")[0] == "result"
    finally:
        reopened.close()


@pytest.mark.parametrize("status", [404, 409, 410])
def test_a_final_refusal_ends_the_resending(exchange, start, status):
    exchange.delivery_status = lambda job, verb: (status, {"error": "fenced"}) if job == "late" else (200, {})
    exchange.offer("late", "benchmark", {"size": 16})
    miner = start(exchange, "--once", "1")
    assert miner.wait() == 0
    assert len(exchange.refused) == 1 and not list((miner.state_dir / "outbox").iterdir())


def test_a_result_the_exchange_cannot_take_becomes_a_failure(exchange, start):
    exchange.delivery_status = lambda job, verb: (413, {"error": "too large"}) if verb == "result" else (200, {})
    exchange.offer("j1", "benchmark", {"size": 16})
    start(exchange)
    verb, body = exchange.delivery_of("j1")
    assert verb == "fail" and body["error_code"] == "ENGINE_ERROR" and "too large" in body["error_message"]


def test_a_forgotten_miner_registers_again(exchange, start):
    start(exchange, "--engine", "benchmark")
    exchange.until(lambda: exchange.heartbeats)
    exchange.known = False
    exchange.until(lambda: len(exchange.registered) == 2)


def test_draining_lets_a_job_finish(exchange, start):
    exchange.offer("j1", "sleeper", {"enough": 1})
    miner = start(exchange, "--engine", "sleeper", "--engine", "benchmark", "--drain-seconds", "60")
    pid_of(exchange, "j1")
    exchange.offer("j2", "benchmark", {"size": 2048, "rounds": 20})
    exchange.until(lambda: exchange.progress_of("j2"))
    exchange.cancel = ["j1"]
    miner.send(signal.SIGTERM)
    assert miner.wait() == 0
    assert exchange.delivery_of("j2")[0] == "result"


def test_draining_hands_back_what_does_not_finish_and_the_checkpoint_is_taken_up(exchange, start):
    exchange.offer("j1", "sleeper", {"enough": 1})
    miner = start(exchange, "--engine", "sleeper", "--drain-seconds", "0")
    pid_of(exchange, "j1")
    miner.send(signal.SIGTERM)
    assert miner.wait() == 0
    verb, body = exchange.delivery_of("j1")
    assert verb == "fail" and body["error_code"] == "DRAINING" and body["attempt"] == 1
    exchange.deliveries.clear()
    exchange.offer("j1", "sleeper", {"enough": 1}, attempt=2)
    start(exchange, "--engine", "sleeper", "--once", "1")
    assert exchange.delivery_of("j1")[1]["result"] == {"done": 1}


def test_a_requested_checkpoint_is_written_while_the_job_goes_on(exchange, start):
    exchange.offer("j1", "sleeper", {})
    miner = start(exchange, "--engine", "sleeper")
    pid_of(exchange, "j1")
    exchange.checkpoint = ["j1"]
    exchange.until(lambda: exchange.progress_of("j1").get("checkpointed"))
    assert json.loads((miner.state_dir / "checkpoints" / "j1.json").read_text()) == {"state": {"done": 1}}


def test_a_second_miner_is_kept_out_of_the_state_folder(exchange, start):
    start(exchange, "--engine", "benchmark")
    exchange.until(lambda: exchange.registered)
    second = start(exchange, "--engine", "benchmark")
    assert second.wait() == 2 and "in use by another miner" in second.log.read_text()


def test_a_job_id_never_leads_out_of_the_state_folder(exchange, start, folder):
    exchange.offer("..", "benchmark", {"size": 16})
    exchange.offer("j2", "benchmark", {"size": 16})
    start(exchange)
    exchange.delivery_of("j2")
    assert not (folder / "state" / "running" / "...json").exists()


def test_without_a_key_it_exits_with_a_message(exchange, folder):
    import subprocess
    import sys

    environment = {name: value for name, value in os.environ.items() if name != "AITBC_MINER_KEY"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[3])
    ended = subprocess.run(
        [sys.executable, "-m", "apps.gpu.miner", "run"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2 and "AITBC_MINER_KEY" in ended.stderr

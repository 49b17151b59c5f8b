"""Outcomes that cannot be sent are put aside, with the reason; all others are delivered."""

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest

from apps.gpu.miner.files import Unreadable
from apps.gpu.miner.journal import Delivery, Journal, failure
from apps.gpu.miner.parking import MOST, ParkedDeliveries
from tests.gpu.miner.conftest import ROOT

pytestmark = pytest.mark.no_db


@pytest.fixture
def journals():
    """Open state folders; they are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda folder: stack.enter_context(contextlib.closing(Journal(folder)))


def store(folder, job_id: str, content: bytes) -> None:
    """Write an outbox file, as an earlier version of the program or a failing disk left it."""
    outbox = folder / "state" / "outbox"
    outbox.mkdir(parents=True, exist_ok=True)
    (outbox / f"{job_id}.json").write_bytes(content)


def outcome(job_id: str, result: str) -> bytes:
    return (f'{{"job_id":"{job_id}","attempt":1,"verb":"result","body":{{"result":{result},"attempt":1}}}}').encode()


def parked(miner, *arguments: str) -> str:
    command = [sys.executable, "-m", "apps.gpu.miner", "parked", "--state-dir", str(miner.state_dir), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "bad",
    [
        outcome("a-bad", '{"value": NaN}'),
        outcome("a-bad", '{"value": 9007199254740993}'),
        outcome("a-bad", "[" * 40 + "]" * 40),
        outcome("a-bad", "[" * 100_000),
        outcome("a-bad", '{"value": 1')[:-3],
        outcome("a-bad", '"\xff"').replace("\xff".encode(), b"\xff"),
        outcome("a-bad", "{}").replace(b'"body"', b'"corpus"'),
    ],
)
def test_one_outcome_that_cannot_be_sent_does_not_hold_up_the_others(exchange, start, folder, bad):
    store(folder, "a-bad", bad)
    store(folder, "b-good", outcome("b-good", '{"value": 1}'))
    miner = start(exchange, "--engine", "language")

    assert exchange.delivery_of("b-good")[1]["result"] == {"value": 1}
    verb, body = exchange.delivery_of("a-bad")
    assert verb == "fail" and body["error_code"] == "ENGINE_ERROR" and body["attempt"] == 1
    assert "cannot be encoded" in body["error_message"] or "stored outcome" in body["error_message"]
    (listed,) = json.loads(parked(miner))
    assert listed["job_id"] == "a-bad" and listed["reason"] == body["error_message"]
    assert (miner.state_dir / "parked" / "a-bad.json").read_bytes() == bad
    exchange.until(lambda: any(beat["metrics"].get("parked_results") == 1 for beat in exchange.heartbeats))
    parked(miner, "--drop", "a-bad")
    assert json.loads(parked(miner)) == []


def test_half_a_surrogate_pair_in_the_journal_is_delivered_as_valid_text(exchange, start, folder):
    store(folder, "half", outcome("half", '{"text": "\\ud83d"}'))
    start(exchange, "--engine", "language")

    assert exchange.delivery_of("half")[1]["result"] == {"text": "\ufffd"}


def test_what_was_never_an_outcome_is_put_aside_without_a_message(exchange, start, folder):
    store(folder, "a-rubbish", b"\x00\x01")
    store(folder, "b-good", outcome("b-good", "{}"))
    miner = start(exchange, "--engine", "language")

    exchange.delivery_of("b-good")
    (listed,) = json.loads(parked(miner))
    assert listed["job_id"] == "a-rubbish" and "cannot be read" in listed["reason"]


def test_a_result_that_the_exchange_refuses_is_put_aside_and_shown(exchange, start):
    exchange.delivery_status = lambda job, verb: (400, {"error": "too odd"}) if verb == "result" else (200, {})
    exchange.offer("j1", "language", {"text": "guten Morgen"})
    miner = start(exchange, "--engine", "language")

    _, body = exchange.delivery_of("j1")

    assert "does not take the result: 400: too odd" in body["error_message"]
    assert json.loads(parked(miner, "--show", "j1"))["body"]["result"]["language"] == "de"


@pytest.mark.parametrize("status", [403, 500])
def test_an_outcome_that_is_answered_with_errors_for_a_day_is_put_aside(exchange, start, folder, status):
    exchange.delivery_status = lambda job, verb: (status, {}) if verb == "result" else (200, {})
    store(folder, "old", outcome("old", "{}"))
    long_ago = time.time() - 25 * 3600
    os.utime(folder / "state" / "outbox" / "old.json", (long_ago, long_ago))
    miner = start(exchange, "--engine", "language")

    verb, body = exchange.delivery_of("old")

    assert verb == "fail" and str(status) in body["error_message"]
    assert [entry["job_id"] for entry in json.loads(parked(miner))] == ["old"]
    assert len(exchange.refused) == 1


def test_an_answer_that_is_not_json_holds_up_no_other_delivery(exchange, start, folder):
    exchange.garbled = {"/a-first/result": b"<html>not today</html>"}
    store(folder, "a-first", outcome("a-first", "{}"))
    store(folder, "b-second", outcome("b-second", "{}"))
    start(exchange, "--engine", "language")

    exchange.delivery_of("b-second")
    exchange.garbled = {}
    exchange.until(lambda: [job for job, _, _ in exchange.deliveries].count("a-first") > 1)


def test_the_newest_hundred_outcomes_stay(tmp_path):
    aside = ParkedDeliveries(tmp_path)
    for number in range(MOST + 5):
        aside.write(f"j{number}", {"body": float("nan"), "strange": {1, 2}}, "why \ud800")

    assert len(aside.entries()) == MOST and all(entry.reason == "why \ufffd" for entry in aside.entries())
    assert len(list((tmp_path / "parked").iterdir())) == 2 * MOST
    assert aside.show("../state") is None and aside.drop("../state") is False


def test_a_newer_outcome_of_the_same_job_stays(tmp_path, journals):
    journal = journals(tmp_path)
    first = Delivery("j1", 1, "result", {"result": {}})
    journal.add(Delivery("j1", 2, "fail", failure("DRAINING", "half \udc80")))

    journal.park(first, "late")
    journal.acknowledge(first)

    assert [delivery.attempt for delivery in journal.pending()] == [2]
    assert [entry.reason for entry in journal.parked.entries()] == ["late"]
    assert issubclass(Unreadable, ValueError)


@pytest.mark.parametrize("content", [b"[]", b"\xff", b'{"name": 5}', b'{"name": "../x y"}', b""])
def test_a_broken_name_or_checkpoint_or_record_is_as_none(tmp_path, journals, content):
    journal = journals(tmp_path)
    for file in ("name.json", "checkpoints/j1.json", "running/j1.json"):
        (tmp_path / file).write_bytes(content)

    assert journal.name().isascii() and journal.name() == journal.name()
    assert journal.checkpoint("j1") is None and journal.interrupted() == [("j1", None)]

"""Whatever is in the state folder: one bad item stops no other, and signals end the program."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from apps.gpu.miner.files import SIZE_LIMIT
from tests.gpu.miner.conftest import ROOT
from tests.gpu.miner.test_daemon import pid_of
from tests.gpu.miner.test_deliveries import outcome, parked, store

pytestmark = pytest.mark.no_db


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{folder}/{path.name}")  # a socket's path is short
        os.close(folder)


def make_full_directory(path):
    path.mkdir()
    (path / "file").write_text("x")


ODDITIES = {
    "directory": make_full_directory,
    "FIFO": os.mkfifo,
    "dangling": lambda path: path.symlink_to("/nowhere/at/all"),
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "socket": make_socket,
}
PLACES = ("outbox/a-bad.json", "running/a-bad.json", "outbox/j1.json", "running/j1.json", "checkpoints/j1.json",
          "inputs/j1.bin", "parked/c-bad.txt", "processor")  # fmt: skip


def place(folder, name: str, make) -> None:
    path = folder / "state" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)


@pytest.mark.parametrize("oddity", ODDITIES)
def test_what_is_no_file_is_put_aside_and_everything_else_goes_on(exchange, start, folder, oddity):
    for name in PLACES:
        place(folder, name, ODDITIES[oddity])
    store(folder, "b-good", outcome("b-good", "{}"))
    store(folder, "c-bad", b"\x00")
    place(folder, "running/d-cut.json", lambda path: path.write_text('{"job_id": "d-cut", "attempt": 3}'))
    exchange.offer("j1", "file-type", {}, input=exchange.upload("j1", b"#!/bin/sh\necho\n"))
    miner = start(exchange, "--engine", "file-type", "--drain-seconds", "600")

    assert exchange.delivery_of("b-good")[0] == "result"
    assert exchange.delivery_of("d-cut")[1]["attempt"] == 3
    assert exchange.delivery_of("j1")[1]["result"]["label"] == "shell"
    reasons = {entry["job_id"]: entry["reason"] for entry in json.loads(parked(miner))}
    assert {"a-bad", "running-a-bad", "c-bad", "j1", "running-j1", "checkpoints-j1", "inputs-j1"} <= set(reasons)
    assert all(words in reasons["j1"] for words in ("it is a", "no file"))
    miner.send(signal.SIGTERM)
    assert miner.wait(20) == 0


def test_a_directory_for_a_running_job_whose_outcome_is_one_too_is_handed_back(exchange, start, folder):
    place(folder, "outbox/j1.json", make_full_directory)
    place(folder, "running/j1.json", lambda path: path.write_text('{"job_id": "j1", "attempt": 2}'))
    start(exchange, "--engine", "language")

    verb, body = exchange.delivery_of("j1")
    assert (verb, body["error_code"], body["attempt"]) == ("fail", "DRAINING", 2)
    exchange.until(lambda: any(beat["metrics"].get("parked_results") == 1 for beat in exchange.heartbeats))


def test_what_is_put_in_the_place_of_an_outcome_later_is_put_aside_too(exchange, start):
    exchange.offer("j1", "sleeper", {})
    miner = start(exchange, "--engine", "sleeper")
    pid_of(exchange, "j1")
    for name in ("outbox/j1.json", "checkpoints/j1.json"):
        make_full_directory(miner.state_dir / name)
    (miner.state_dir / "running" / "j1.json").unlink()
    os.mkfifo(miner.state_dir / "running" / "j1.json")
    exchange.cancel = ["j1"]

    assert exchange.delivery_of("j1")[1]["error_code"] == "CANCELLED"
    exchange.until(lambda: any(beat["metrics"].get("parked_results") == 3 for beat in exchange.heartbeats))


def test_an_outcome_without_an_end_is_put_aside_unread(exchange, start, folder):
    store(folder, "a-huge", outcome("a-huge", "{}"))
    os.truncate(folder / "state" / "outbox" / "a-huge.json", 2**33)
    store(folder, "b-good", outcome("b-good", "{}"))
    miner = start(exchange, "--engine", "language")

    assert exchange.delivery_of("b-good")[0] == "result"
    assert f"larger than {SIZE_LIMIT} bytes" in exchange.delivery_of("a-huge")[1]["error_message"]
    with pytest.raises(subprocess.CalledProcessError):
        parked(miner, "--show", "a-huge")


def test_a_name_that_is_no_job_id_and_a_file_half_written_are_no_outcomes(exchange, start, folder):
    for name in ("..json", "a b.json", "\udcff.json", "x" * 200 + ".json"):
        place(folder, f"outbox/{name}", make_full_directory)
        place(folder, f"running/{name}", os.mkfifo)
    place(folder, "outbox/half.tmp", lambda path: path.write_text("{"))
    place(folder, "outbox/odd.tmp", make_full_directory)
    store(folder, "b-good", outcome("b-good", "{}"))
    miner = start(exchange, "--engine", "language")

    assert exchange.delivery_of("b-good")[0] == "result"
    assert json.loads(parked(miner)) == []
    assert not (miner.state_dir / "outbox" / "half.tmp").exists()


def test_what_was_put_aside_is_dropped_whatever_it_is(exchange, start, folder):
    for oddity, make in ODDITIES.items():
        place(folder, f"outbox/{oddity}.json", make)
    miner = start(exchange, "--engine", "language")
    exchange.until(lambda: any(beat["metrics"].get("parked_results") == 5 for beat in exchange.heartbeats))

    for oddity in ODDITIES:
        command = [sys.executable, "-m", "apps.gpu.miner", "parked", "--state-dir", str(miner.state_dir)]
        shown = subprocess.run([*command, "--show", oddity], cwd=ROOT, capture_output=True, text=True, check=False)
        assert shown.returncode == 2 and "and no file" in shown.stderr
        parked(miner, "--drop", oddity)
    assert json.loads(parked(miner)) == [] and list((miner.state_dir / "parked").iterdir()) == []


# A place where nothing can be stored, also for root, stands for a full disk.


def make_unwritable(path):
    path.symlink_to("/proc/sys/kernel")


def test_a_miner_that_cannot_hand_back_works_on_and_ends_by_one_signal(exchange, start, folder):
    place(folder, "running/j0.json", lambda path: path.write_text('{"job_id": "j0", "attempt": 1}'))
    place(folder, "outbox", make_unwritable)
    miner = start(exchange, "--engine", "sleeper", "--drain-seconds", "600")
    exchange.offer("j1", "sleeper", {})
    pid_of(exchange, "j1")  # a job is taken
    exchange.leases = []  # and lost
    exchange.until(lambda: not exchange.heartbeats[-1]["jobs"])

    miner.send(signal.SIGTERM)

    assert miner.wait(20) == 0
    assert "j0: the outcome cannot be stored" in miner.log.read_text()
    assert (miner.state_dir / "running" / "j0.json").exists()  # for the next start
    (miner.state_dir / "outbox").unlink()
    start(exchange, "--engine", "sleeper")
    assert exchange.delivery_of("j0")[1]["error_code"] == "DRAINING"


def test_a_second_signal_ends_a_miner_whose_outcome_cannot_be_stored(exchange, start, folder):
    place(folder, "outbox", make_unwritable)
    miner = start(exchange, "--engine", "sleeper", "--drain-seconds", "600")
    exchange.offer("j1", "sleeper", {})
    pid_of(exchange, "j1")
    exchange.cancel = ["j1"]
    exchange.until(lambda: "j1: the outcome cannot be stored" in miner.log.read_text())

    miner.send(signal.SIGTERM)
    exchange.until(lambda: exchange.heartbeats[-1]["status"] == "DRAINING")
    miner.send(signal.SIGINT)

    assert miner.wait(30) == 0


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("outbox", lambda path: path.write_text("")),
        ("lock", lambda path: path.mkdir()),
        (".", lambda path: path.chmod(0o700) or path.rmdir() or path.write_text("")),
        (".", lambda path: path.rmdir() or path.symlink_to("/proc/sys/kernel")),
    ],
)
def test_a_state_folder_that_cannot_be_used_ends_the_start_with_a_message(exchange, start, folder, name, make):
    (folder / "state").mkdir()
    make(folder / "state" / name if name != "." else folder / "state")
    miner = start(exchange, "--engine", "language")

    assert miner.wait() == 2
    assert "the state folder cannot be used" in miner.log.read_text()
    assert "Traceback" not in miner.log.read_text()


def test_a_lock_or_a_name_that_is_no_file_does_not_hold_up_the_start(exchange, start, folder):
    place(folder, "lock", os.mkfifo)
    place(folder, "name.json", os.mkfifo)
    start(exchange, "--engine", "language")

    exchange.until(lambda: exchange.registered)
    assert exchange.names[0]

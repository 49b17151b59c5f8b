"""The market with real processes: a miner's device is measured, listed, found, booked, used, settled, reviewed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.torture.stack import Stack


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory):
    folder = Path(tmp_path_factory.mktemp("market"))
    made = Stack(folder)
    try:
        yield made
    finally:
        left = made.stop()
    assert left == [], f"stopping left processes behind: {left}"


class Shell:
    """`manage.py …` beside the exchange."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def __call__(self, *words: str) -> Any:
        done = self.stack.manage(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def until(self, happened: Any, *words: str, seconds: float = 120) -> Any:
        """Repeat the command until its output is as expected."""
        deadline = time.monotonic() + seconds
        while not happened(answer := self(*words)):
            assert time.monotonic() < deadline, f"{words} still answers {answer}"
            time.sleep(0.5)
        return answer


@pytest.mark.slow
@pytest.mark.no_db
@pytest.mark.timeout(420)
def test_a_device_is_measured_listed_found_booked_used_settled_and_reviewed(stack):
    shell = Shell(stack)
    stack.fund("10")
    (gpu,) = shell.until(lambda found: [one for one in found["items"] if one["verified"]], "gpu", "list")["items"]
    assert gpu["state"] == "available" and gpu["score"] > 0
    offer = shell("market", "offers", "create", "--gpu", gpu["id"], "--price", "0.50")

    query = ("market", "search", "gpu_ram>=1 dph<1")
    (found,) = shell.until(lambda answer: answer["items"], *query)["items"]
    assert (found["id"], found["verified"]) == (offer["id"], True)
    quote = shell("market", "quote", offer["id"], "--hours", "1")
    booking = shell("market", "book", "--quote", quote["id"])
    shell.until(lambda answer: answer["state"] == "active", "market", "show", booking["id"])

    job = shell("job", "submit", "language", '{"text": "the cat sat on the mat"}', "--booking", booking["id"])
    shell.until(lambda answer: answer["state"] == "settled", "job", "status", job["id"])
    shell("market", "end", booking["id"])
    over = shell.until(lambda answer: answer["state"] == "settled", "market", "show", booking["id"])
    assert (over["outcome"], over["owed"]) == ("ended", "0.008333")  # the least charge: a minute
    shell("market", "review", booking["id"], "5", "--text", "as promised")

    assert shell("market", "provider", over["provider_id"])["profile"]["rating"] == 5
    audit = stack.manage("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr

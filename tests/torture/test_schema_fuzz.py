"""Requests that nobody wrote: schemathesis reads the schema and sends what fits it, and what does not, to every route.

Whatever comes, the answer is none of 5xx, and the books are in order afterwards. The ordinary suite sends, for 45
seconds, the cases derived from the limits of each parameter; `make torture` goes on with random ones for ten minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitbc.accounts.scopes import Scope
from tests.torture.stack import Stack

pytestmark = [pytest.mark.no_db, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
LONG_POLL = "/gpu/v1/miners/poll"  # answers late on purpose


@pytest.fixture
def stack(var: Path) -> Iterator[Stack]:
    made = Stack(var)
    made.fund("1000")
    try:
        yield made
    finally:
        left = made.stop()
    assert left == [], f"stopping left processes behind: {left}"


def fuzz(stack: Stack, *options: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """Run schemathesis against every route with a key of every scope."""
    scopes = [word for scope in Scope.values for word in ("--scope", scope)]
    made = stack.manage("key", "create", "--owner", "fuzzer", *scopes, "--json")
    key = json.loads(made.stdout)["key"]
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", f"{stack.url}/schema?format=json",
        "--header", f"Authorization: Bearer {key}", "--checks", "not_a_server_error", "--exclude-path", LONG_POLL,
        "--max-time", str(seconds), "--request-timeout", "30", "--no-shrink", "--no-color", "--warnings", "off",
        *options,
    ]  # fmt: skip
    return subprocess.run(command, cwd=stack.var, capture_output=True, text=True, timeout=seconds + 240)


def check(stack: Stack, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
    audit = stack.manage("audit")
    assert audit.returncode == 0, audit.stdout


@pytest.mark.timeout(600)
def test_the_limits_of_every_parameter_are_no_server_error(stack: Stack) -> None:
    check(stack, fuzz(stack, "--phases", "examples,coverage", "--seed", "1", seconds=45))


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_nothing_that_is_sent_is_a_server_error(stack: Stack) -> None:
    check(stack, fuzz(stack, "--phases", "examples,coverage,fuzzing", "--max-examples", "50", seconds=450))

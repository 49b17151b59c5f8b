"""What a process is (AITBC_ROLE) when it is started by hand."""

from __future__ import annotations

import os
import sys

import pytest

from aitbc.__main__ import main
from aitbc.core.cli.overview import Program

pytestmark = pytest.mark.no_db


@pytest.mark.parametrize(
    ("arguments", "configured", "role"),
    [
        (["relay"], None, "relay"),
        (["relay", "--once"], None, "relay"),
        (["relay"], "worker", "worker"),
        (["audit"], None, None),
        ([], None, None),
    ],
)
def test_a_relay_knows_that_it_is_one(monkeypatch, arguments, configured, role):
    environment = {name: value for name, value in os.environ.items() if name != "AITBC_ROLE"}
    monkeypatch.setattr(os, "environ", environment | ({"AITBC_ROLE": configured} if configured else {}))
    monkeypatch.setattr(sys, "argv", ["manage.py", *arguments])
    started = []
    monkeypatch.setattr(Program, "execute", lambda program: started.append(os.environ.get("AITBC_ROLE")))

    main()

    assert started == [role]

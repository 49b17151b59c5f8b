"""Starting a server where another one listens: a plain error, and nothing is left running."""

from __future__ import annotations

import socket

import pytest

from aitbc.core.cli import ports
from tests.shell import ended

pytestmark = pytest.mark.no_db


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_in_use_is_named_with_what_to_do(taken):
    code, out, err = ended("serve", "--port", taken)  # it has ended: nothing runs on

    assert (code, out) == (1, "")
    assert err.startswith(f"Port {taken} of 127.0.0.1 cannot be listened on: Address already in use.")
    assert f"--port {taken + 1}" in err and len(err.splitlines()) == 1


def test_up_refuses_it_before_it_starts_anything(taken, tmp_path):
    code, out, err = ended("up", "--port", taken, AITBC_VAR_DIR=str(tmp_path))

    assert code == 1
    assert f"Port {taken}" in out + err and "--port" in out + err and "Traceback" not in out + err
    assert "nothing is left running" in out and list((tmp_path / "embedded").iterdir()) == []


def test_a_host_that_is_not_ours_is_refused_and_a_free_port_is_not(taken):
    assert ports.refusal("127.0.0.1", taken) == "Address already in use"
    assert ports.refusal("192.0.2.1", 8080)
    assert ports.refusal("127.0.0.1", 0) == ""

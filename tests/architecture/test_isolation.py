"""Tests reach no other machine."""

from __future__ import annotations

import socket

import pytest

pytestmark = pytest.mark.no_db


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "example.org"])
def test_a_connection_to_another_machine_is_refused_before_it_is_made(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as outside, pytest.raises(OSError, match="tests stay on this machine"):
        outside.connect((address, 80))

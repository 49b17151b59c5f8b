"""A database that is gone costs its callers nothing but a 503."""

from __future__ import annotations

import socket
import time

import pytest
from django.db import OperationalError, connections

from aitbc.core.postgres.base import DatabaseWrapper
from aitbc.core.postgres.breaker import PAUSE, BreakerOpen, breaker
from aitbc.core.postgres.patience import patient
from aitbc.core.problems import is_passing


@pytest.fixture
def gone():
    """Settings of a database whose port nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {**connections["default"].settings_dict, "HOST": "127.0.0.1", "PORT": port, "NAME": "gone"}
    yield settings
    breaker("elsewhere").close()


@pytest.mark.parametrize("pool", [None, {"min_size": 0, "max_size": 2, "timeout": 0.5, "reconnect_timeout": 0.5}])
def test_after_a_failure_the_next_callers_are_answered_at_once(gone, pool):
    options = {name: value for name, value in gone["OPTIONS"].items() if name != "pool"}
    options |= {"pool": pool} if pool else {}
    gone |= {"OPTIONS": options, "CONN_MAX_AGE": 0}
    wrapper = DatabaseWrapper(gone, alias="elsewhere")

    with pytest.raises(OperationalError) as first:
        wrapper.ensure_connection()
    started = time.monotonic()
    with pytest.raises(OperationalError) as second:
        wrapper.ensure_connection()

    assert time.monotonic() - started < 0.05
    assert isinstance(second.value.__cause__, BreakerOpen)
    assert is_passing(first.value) and is_passing(second.value)
    wrapper.close_pool()


def test_one_caller_probes_and_success_closes():
    circuit = breaker("probed")
    circuit.trip()
    circuit._open_until = time.monotonic() - 0.001  # the pause is over

    circuit.enter()
    with pytest.raises(BreakerOpen):
        circuit.enter()
    circuit.close()
    circuit.enter()
    assert PAUSE <= 1


@pytest.fixture
def impatient():
    """A pooled way to the tests' own server that waits a quarter of a second for each answer."""
    settings = connections["default"].settings_dict
    pool = {"min_size": 0, "max_size": 2, "timeout": 2, "connection_class": patient(0.25)}
    made = DatabaseWrapper({**settings, "OPTIONS": {**settings["OPTIONS"], "pool": pool}, "CONN_MAX_AGE": 0}, "plugins")
    yield made
    made.close()
    made.close_pool()
    breaker("plugins").close()


def test_a_silent_server_is_given_up_and_believed_again_once_it_speaks(impatient):
    with impatient.cursor() as sql, pytest.raises(OperationalError, match="said nothing") as silence:
        sql.execute("SELECT pg_sleep(2)")
    impatient.close()

    assert is_passing(silence.value) and breaker("plugins").is_open
    with pytest.raises(OperationalError):
        impatient.ensure_connection()
    breaker("plugins")._open_until = time.monotonic() - 0.001  # the pause is over

    with impatient.cursor() as sql:
        sql.execute("SELECT 1")
        assert sql.fetchone() == (1,)
    assert not breaker("plugins").is_open

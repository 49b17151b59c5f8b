"""Connections that do not wait for a silent server for ever.

PostgreSQL's own time limits need a server that runs, TCP's a network that is cut: a server that is stopped, or a proxy
that stalls, answers to neither, and would hold a thread of ours until somebody notices.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, OperationalError
from psycopg.errors import _WaitTimeout

from aitbc.core.postgres.breaker import Breaker


def patient(seconds: float) -> type[Connection[Any]]:
    """A class of connections that give their server so long for each answer, then break off and trip the breaker."""

    class Patient(Connection[Any]):
        circuit: Breaker | None = None

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, seconds if timeout is None else timeout)
            except _WaitTimeout:
                self.pgconn.finish()
                if self.circuit is not None:
                    self.circuit.trip()
                raise OperationalError(f"the server said nothing for {seconds} s") from None

    return Patient

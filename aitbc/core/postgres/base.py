"""The backend itself: DATABASES' ENGINE is `aitbc.core.postgres`."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Error, OperationalError
from psycopg_pool import PoolTimeout

from aitbc.core.postgres.breaker import Breaker, BreakerOpen, breaker
from aitbc.core.postgres.loaders import Cursor, drivers_own, use_lenient

# The driver's own loader of moments, in C. Django's is in Python, to move each moment into a time zone; here the
# server's and Django's are both UTC. A list of 50 jobs costs a quarter less with it (docs/performance.md, both ways).
MOMENTS = drivers_own("timestamptz")


class DatabaseWrapper(base.DatabaseWrapper):
    """Opens (or borrows) connections through the alias's breaker."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        circuit = breaker(self.alias)
        circuit.enter()
        failures = self._failures()
        try:
            connection = super().get_new_connection(conn_params)
        except BreakerOpen:
            raise
        except PoolTimeout:
            # A busy pool is no outage: only failed attempts to connect are.
            if self._failures() > failures or circuit.is_open:
                circuit.trip()
            raise
        except OperationalError:
            circuit.trip()
            raise
        connection.circuit = circuit
        connection.cursor_factory = Cursor
        if circuit.is_open:
            self._verify(connection, circuit)
            circuit.close()
        if self.timezone is UTC:
            connection.adapters.register_loader("timestamptz", MOMENTS)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        """As Django's with server-side binding, less its look at the loader's time zone."""
        if self.timezone is not UTC:
            return super().create_cursor(name)
        if name is None:
            return self.connection.cursor()
        cursor = self.connection.cursor(name, scrollable=False, withhold=self.connection.autocommit)
        use_lenient(cursor)  # what the server has sent from its cursor cannot be read once more
        return cursor

    def _verify(self, connection: Any, circuit: Breaker) -> None:
        """A pooled connection may be as dead as those that tripped the breaker: hear its server before all go in."""
        if not self.pool:
            return
        try:
            self.pool.check_connection(connection)
        except Error:
            self.pool.putconn(connection)
            circuit.trip()
            raise

    def _failures(self) -> int:
        if not self.pool:
            return 0
        return int(self.pool._stats[self.pool._CONNECTIONS_ERRORS])

"""The backend itself: DATABASES' ENGINE is `aitbc.core.postgres`."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from psycopg import Error, OperationalError
from psycopg_pool import PoolTimeout

from aitbc.core.postgres.breaker import Breaker, BreakerOpen, breaker


class DatabaseWrapper(base.DatabaseWrapper):
    """Opens (or borrows) connections through the alias's breaker."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        gate = breaker(self.alias)
        gate.enter()
        failures = self._failures()
        try:
            connection = super().get_new_connection(conn_params)
        except BreakerOpen:
            raise
        except PoolTimeout:
            # A busy pool is no outage: only failed attempts to connect are.
            if self._failures() > failures or gate.is_open:
                gate.trip()
            raise
        except OperationalError:
            gate.trip()
            raise
        connection.gate = gate
        if gate.is_open:
            self._verify(connection, gate)
            gate.close()
        return connection

    def _verify(self, connection: Any, gate: Breaker) -> None:
        """A pooled connection may be as dead as those that tripped the breaker: hear its server before all go in."""
        if not self.pool:
            return
        try:
            self.pool.check_connection(connection)
        except Error:
            self.pool.putconn(connection)
            gate.trip()
            raise

    def _failures(self) -> int:
        if not self.pool:
            return 0
        return int(self.pool._stats[self.pool._CONNECTIONS_ERRORS])

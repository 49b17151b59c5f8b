"""The backend itself: DATABASES' ENGINE is `aitbc.core.postgres`."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from aitbc.core.postgres.breaker import BreakerOpen, breaker


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
        if gate.is_open:
            gate.close()
        return connection

    def _failures(self) -> int:
        if not self.pool:
            return 0
        return int(self.pool._stats[self.pool._CONNECTIONS_ERRORS])

"""The GPU driver, queried in a process of its own: one that hangs or crashes ends that process, and not the miner."""

import logging
import threading
import time
from typing import Any

from apps.gpu.miner.child import EngineJob
from apps.gpu.miner.workers import Child, Hooks, Outcome

log = logging.getLogger("aitbc.miner")

DESCRIBE_SECONDS = 30.0  # without persistence mode, a driver starts each GPU first
METRICS_SECONDS = 5.0  # a heartbeat waits for them
APPLY_SECONDS = 30.0
PAUSE_SECONDS = 60.0  # after a process that did not answer


class GpuDriver:
    """Queries of the driver; safe to share between threads. Each ends in bounded time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._closed = False
        self._paused_until: dict[str, float] = {}  # by query: one that hangs must not silence the others

    def describe(self) -> dict[str, Any] | None:
        """Return the members of gpus.Detected, and `cuda`; None while the driver does not answer."""
        return self._query("describe", DESCRIBE_SECONDS, wait=True).result

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics of each device (see gpus.metrics); none while the driver is busy or does not answer."""
        found: list[dict[str, Any]] = (self._query("metrics", METRICS_SECONDS, wait=False).result or {}).get("gpus", [])
        return found

    def apply(self, uuid: str, settings: Any) -> Outcome:
        """Change settings of a GPU (see power.apply)."""
        return self._query("apply", APPLY_SECONDS, wait=True, uuid=uuid, settings=settings)

    def close(self) -> None:
        """End the process; a query that runs in it has no answer."""
        self._closed, child = True, self._child
        if child:
            child.close()

    def _query(self, name: str, seconds: float, *, wait: bool, **arguments: Any) -> Outcome:
        if not self._lock.acquire(timeout=2 * DESCRIBE_SECONDS if wait else 0):
            return Outcome(code="ENGINE_ERROR", message="the driver is busy")
        try:
            if self._closed or time.monotonic() < self._paused_until.get(name, 0.0):
                return Outcome(code="ENGINE_ERROR", message="the driver did not answer a moment ago")
            return self._run({"query": name, **arguments}, seconds)
        finally:
            self._lock.release()

    def _run(self, payload: dict[str, Any], seconds: float) -> Outcome:
        job: EngineJob = {"job": payload["query"], "payload": payload, "input": None, "state": None}
        try:
            child = self._process()
            outcome = child.run(job, seconds=seconds, hooks=Hooks())
        except Exception as error:  # noqa: BLE001 no room for a process, or one that cannot be talked to
            outcome = Outcome(code="ENGINE_ERROR", message=f"{type(error).__name__}: {error}"[:300])
        if outcome.code and outcome.code != "REFUSED" and not self._closed:
            log.warning("the GPU driver: %s; it is queried again in %.0f s", outcome.message, PAUSE_SECONDS)
            self._paused_until[payload["query"]] = time.monotonic() + PAUSE_SECONDS
        return outcome

    def _process(self) -> Child:
        """Return the process, a new one where the last has ended. Raises OSError while a killed one hangs in a call."""
        if self._child and not self._child.alive:
            self._child.close()
            if not self._child.ended:
                raise OSError("a query of the driver hangs and cannot be killed")
            self._child = None
        self._child = self._child or Child("driver", memory_mb=0, threads=1)
        return self._child

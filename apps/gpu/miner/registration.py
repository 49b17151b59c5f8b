"""The registration of this miner: what it offers now, and whether the exchange knows that."""

import logging
import time
from typing import Any

from apps.gpu.miner import engines, host
from apps.gpu.miner.client import ExchangeClient
from apps.gpu.miner.settings import Settings

log = logging.getLogger("aitbc.miner")

REFRESH_SECONDS = 60.0  # how often engines, models and GPUs are looked up again


class Registration:
    """Capabilities and task types of this host; `current` says whether the exchange has them."""

    def __init__(self, settings: Settings, exchange: ExchangeClient):
        self._settings, self._exchange = settings, exchange
        self.capabilities: dict[str, Any] = {}
        self.task_types: dict[str, str] = {}  # every task type clients use → the engine's name
        self.current = False
        self._refreshed_at = float("-inf")

    def refresh(self, *, force: bool = False) -> None:
        """Look up what this host offers, when that is due; a change makes the registration out of date."""
        if not force and time.monotonic() - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = float("-inf")  # a look-up that fails is due again
        offered = engines.available()
        if self._settings.engines:
            offered = {name: engine for name, engine in offered.items() if name in self._settings.engines}
        self.task_types = {word: name for name, engine in offered.items() for word in engines.task_types(engine)}
        capabilities = host.capabilities(self._settings, offered)
        self.current = self.current and capabilities == self.capabilities
        self.capabilities, self._refreshed_at = capabilities, time.monotonic()

    def register(self) -> None:
        """Send the capabilities to the exchange. Raises Unavailable or Rejected."""
        self._exchange.register(self.capabilities, self._settings.slots)
        self.current = True
        names = ", ".join(gpu["name"] for gpu in self.capabilities["gpus"]) or "no GPU"
        tasks = ", ".join(self.capabilities["tasks"])
        log.info("registered at %s as %s: %s; tasks %s", self._settings.url, self._exchange.miner_id, names, tasks)

    def scan(self) -> dict[str, Any]:
        """Detect the GPUs again; return the report on a scan: what was found, or the error that prevented it."""
        try:
            self.refresh(force=True)
            found = {name: self.capabilities[name] for name in ("gpus", "cpu", "cuda") if name in self.capabilities}
            return found | {"discovery_method": "nvml" if found["gpus"] else "cpu"}
        except Exception as error:  # a driver in trouble may raise anything: the exchange learns of it
            log.exception("the scan of the GPUs failed")
            return {"error": f"{type(error).__name__}: {error}"[:500]}

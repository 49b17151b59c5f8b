"""The registration of this miner: what it offers now, and whether the exchange knows that."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from apps.gpu.miner import gpus, host, offers
from apps.gpu.miner.client import ExchangeClient, Rejected
from apps.gpu.miner.driver import GpuDriver
from apps.gpu.miner.settings import Settings

log = logging.getLogger("aitbc.miner")

REFRESH_SECONDS = 60.0  # how often engines, models and GPUs are looked up again
REMEMBERED = 1000  # ids of scans reported, so that none is reported twice


class Registration:
    """Capabilities and task types of this host; `current` says whether the exchange has them.

    They are looked up in a loop of their own (`detect`), so that a slow driver or model server holds up no heartbeat.
    """

    def __init__(self, settings: Settings, exchange: ExchangeClient, driver: GpuDriver, changed: Callable[[], None]):
        self._settings, self._exchange, self._driver, self._changed = settings, exchange, driver, changed
        self.capabilities: dict[str, Any] = {}  # empty until the first look-up has ended
        self.task_types: dict[str, str] = {}  # every task type clients use → the engine's name
        self.current = False
        self.due = threading.Event()
        self._hardware = host.Hardware()
        self._driver_answers = False
        self._had_gpus = False  # in this run: the processor never takes the place of one
        self._scans: dict[str, bool] = {}  # id → whether it was reported

    def detect(self) -> float:
        """Look up what this host offers, report to the scans that requested it; return the seconds to the next time."""
        scans = [scan for scan, reported in self._scans.items() if not reported]
        try:
            self._refresh()
        except Exception as error:  # what was known stays so; a scan learns of the error
            log.exception("what this host offers cannot be looked up")
            found = {"error": f"{type(error).__name__}: {error}"[:500]}
        else:
            found = self._found()
        for scan in scans:
            self._report(scan, found)
        return REFRESH_SECONDS

    def request_scans(self, scans: tuple[str, ...]) -> None:
        """Have the GPUs looked up again at once for these commands, and the outcome reported."""
        fresh = [scan for scan in scans if scan not in self._scans]
        if fresh:
            self._scans |= dict.fromkeys(fresh, False)
            self.due.set()

    def register(self) -> None:
        """Send the capabilities to the exchange. Raises Unavailable or Rejected."""
        capabilities = self.capabilities
        self._exchange.register(capabilities, self._settings.slots)
        self.current = capabilities is self.capabilities
        names = ", ".join(gpu["name"] for gpu in capabilities["gpus"]) or "no GPU"
        tasks = ", ".join(capabilities["tasks"])
        log.info("registered at %s as %s: %s; tasks %s", self._settings.url, self._exchange.miner_id, names, tasks)

    def _refresh(self) -> None:
        offered = offers.look_up()
        if self._settings.engines:
            offered = {name: engine for name, engine in offered.items() if name in self._settings.engines}
        self._update_hardware(self._driver.describe())
        capabilities = host.capabilities(self._settings, offered, self._hardware)
        self.task_types = {word: name for name, engine in offered.items() for word in engine.task_types}
        if capabilities != self.capabilities:
            self.capabilities, self.current = capabilities, False
            self._changed()

    def _update_hardware(self, described: dict[str, Any] | None) -> None:
        """Take what the driver describes; one that does not answer, or not about a GPU, takes none off the market."""
        known = self._hardware.gpus
        if described is None or (known and not described["driver"]):
            self._driver_answers = False
            log.warning("the GPU driver does not answer; the %d card(s) known stay registered", len(known))
            return
        unread = described["unread"]
        for place in unread:
            log.warning("the GPU driver does not say what card %d is; what was known of it stays", place["index"])
        found = gpus.completed(described["gpus"], known, unread)
        self._driver_answers = bool(found) or not unread
        self._had_gpus = self._had_gpus or bool(found)
        processor = not (unread or self._had_gpus)
        self._hardware = host.Hardware(found, described["cuda"] or self._hardware.cuda, processor)

    def _found(self) -> dict[str, Any]:
        if not self._driver_answers:
            return {"error": "the GPU driver does not answer"}
        found = {name: self.capabilities[name] for name in ("gpus", "cpu", "cuda") if name in self.capabilities}
        return found | {"discovery_method": "nvml" if found["gpus"] else "cpu"}

    def _report(self, scan: str, found: dict[str, Any]) -> None:
        log.info("scan %s: %d card(s)", scan, len(found.get("gpus", ())))
        try:
            self._exchange.report(f"/orders/{scan}", found)
        except Rejected as error:
            log.warning("scan %s: %s", scan, error)  # the command has ended, or is another miner's
        except Exception as error:  # noqa: BLE001 the exchange is away: it repeats the command while it is open
            log.warning("scan %s: %s", scan, error)
            self._scans.pop(scan, None)
            return
        self._scans[scan] = True
        self._scans = dict(list(self._scans.items())[-REMEMBERED:])

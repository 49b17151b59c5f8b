"""Commands of the exchange beside jobs: benchmark a GPU, change its settings.

The exchange repeats a command in every heartbeat's response until it is answered, so that nothing here has to survive
a restart. One command runs at a time, in a thread of its own; a benchmark waits until no job runs, and no job is
taken while it runs.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.gpu.miner import memory, power
from apps.gpu.miner.child import EngineJob
from apps.gpu.miner.client import ExchangeClient, Rejected, Unavailable
from apps.gpu.miner.driver import GpuDriver
from apps.gpu.miner.signatures import Keyring
from apps.gpu.miner.workers import Child, Hooks

log = logging.getLogger("aitbc.miner")

STEP_SECONDS = 600.0
CLOCK_TOLERANCE = timedelta(minutes=10)
REMEMBERED = 1000  # ids of completed commands, so that none is carried out twice

Command = dict[str, Any]


class CommandFailed(Exception):
    """The command could not be carried out; its text is reported to the exchange."""


class CommandRunner:
    """Runs at most one command; `busy` keeps the poll loop from taking jobs meanwhile."""

    def __init__(self, exchange: ExchangeClient, driver: GpuDriver, *, idle: Callable[[], bool]):
        self._exchange, self._driver, self._idle = exchange, driver, idle
        self._keyring = Keyring(exchange.public_keys)
        self._done: list[str] = []
        self._lock = threading.Lock()
        self.busy = False

    def offer(self, commands: Iterable[Command]) -> None:
        """Start the first of these commands that can be carried out now, if any."""
        for command in commands:
            if command.get("kind") == "apply" and self._start(self._apply_settings, command):
                return
            if command.get("kind") == "benchmark" and self._idle() and self._start(self._benchmark, command):
                return

    def _start(self, work: Callable[[Command], None], command: Command) -> bool:
        with self._lock:
            if self.busy or str(command.get("order_id")) in self._done:
                return False
            self.busy = True
        name = f"command-{command.get('order_id')}"
        threading.Thread(target=self._run, args=(work, command), name=name, daemon=True).start()
        return True

    def _run(self, work: Callable[[Command], None], command: Command) -> None:
        try:
            work(command)
        except Unavailable as error:
            log.warning("command %s: %s", command.get("order_id"), error)
        except Rejected as error:
            log.warning("command %s: %s", command.get("order_id"), error)
            self._remember(command)
        except Exception:  # it would fail again, each time before the commands behind it
            log.exception("command %s failed", command.get("order_id"))
            self._remember(command)
        finally:
            self.busy = False

    def _remember(self, command: Command, serial: str = "") -> None:
        """Carry out neither this command again nor another with its serial."""
        self._done = [*self._done[-REMEMBERED:], str(command.get("order_id")), *([serial] if serial else [])]

    def _benchmark(self, command: Command) -> None:
        """Measure, begin (the exchange's clock starts), commit to the roots, answer the question."""
        body = command["body"] if isinstance(command.get("body"), dict) else {}
        if not body.get("benchmark_id"):
            log.warning("command %s names no benchmark", command["order_id"])
            return self._remember(command)
        path = f"/benchmarks/{body['benchmark_id']}"
        log.info("benchmark of %s begins", body.get("name") or "a GPU")
        child = Child("proof", memory.total_mb(), os.cpu_count() or 1)
        try:
            measured = self._step(child, {"step": "measure", "uuid": body.get("uuid"), "device": body.get("device")})
            task = self._exchange.report(f"{path}/begin", {}).get("task")
            commitment = self._step(child, {"step": "commit", "task": task})
            question = self._exchange.report(f"{path}/commit", commitment | measured).get("question")
            openings = self._step(child, {"step": "answer", "question": question})
            log.info("benchmark: %s", self._exchange.report(f"{path}/answer", openings).get("state"))
        except CommandFailed as error:
            log.warning("benchmark: %s", error)
            self._exchange.report(f"{path}/fail", {"reason": str(error)[:300]})
        finally:
            child.close()

    def _step(self, child: Child, payload: dict[str, Any]) -> dict[str, Any]:
        job: EngineJob = {"job": "benchmark", "payload": payload, "input": None, "state": None}
        outcome = child.run(job, seconds=STEP_SECONDS, hooks=Hooks())
        if outcome.result is None:
            raise CommandFailed(f"{outcome.code}: {outcome.message}")
        return outcome.result

    def _apply_settings(self, command: Command) -> None:
        """Change a GPU's settings, if the command is the exchange's, is fresh, and is allowed here."""
        body = command["body"] if isinstance(command.get("body"), dict) else {}
        try:
            self._authorize(body, command.get("signature"))
            response = self._changed_settings(body)
        except power.NotPermitted as error:
            response = {"refused": str(error)[:300]}
        log.info("command %s: %s", command["order_id"], response)
        self._remember(command, str(body.get("serial")))
        self._exchange.report(f"/orders/{command['order_id']}/applied", response)

    def _changed_settings(self, body: dict[str, Any]) -> dict[str, Any]:
        outcome = self._driver.apply(str(body.get("gpu_uuid") or ""), body.get("settings"))
        if outcome.result is None:
            raise power.NotPermitted(outcome.message)
        return {"settings": outcome.result}

    def _authorize(self, body: dict[str, Any], signature: Any) -> None:
        """Raise NotPermitted unless the exchange signed this body, for now, and it was not applied before."""
        if not self._keyring.verify(body, signature):
            raise power.NotPermitted("the command does not carry the exchange's signature")
        if str(body.get("serial")) in self._done:
            raise power.NotPermitted("the command was applied before")
        try:
            late = datetime.now(UTC) > datetime.fromisoformat(str(body.get("not_after"))) + CLOCK_TOLERANCE
        except (ValueError, TypeError, OverflowError):  # no moment in time, one without a zone, the end of the calendar
            late = True
        if late:
            raise power.NotPermitted("the command is out of date")

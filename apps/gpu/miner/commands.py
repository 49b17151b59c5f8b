"""Commands of the exchange beside jobs: benchmark a GPU, change its settings.

The exchange repeats a command in every heartbeat's response until it is answered, so that nothing here has to survive
a restart. One command runs at a time, in a thread of its own; a benchmark waits until no job runs, and no job is
taken while it runs.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.gpu.miner import power
from apps.gpu.miner.child import EngineJob
from apps.gpu.miner.client import ExchangeClient, Rejected, Unavailable
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

    def __init__(self, exchange: ExchangeClient, *, memory_mb: int, threads: int, idle: Callable[[], bool]):
        self._exchange, self._idle = exchange, idle
        self._memory_mb, self._threads = memory_mb, threads
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
            if self.busy or command.get("order_id") in self._done:
                return False
            self.busy = True
        name = f"command-{command.get('order_id')}"
        threading.Thread(target=self._run, args=(work, command), name=name, daemon=True).start()
        return True

    def _run(self, work: Callable[[Command], None], command: Command) -> None:
        try:
            work(command)
        except (Rejected, Unavailable) as error:
            log.warning("command %s: %s", command.get("order_id"), error)
        except Exception:  # a command that fails must not end the miner
            log.exception("command %s failed", command.get("order_id"))
        finally:
            self.busy = False

    def _benchmark(self, command: Command) -> None:
        """Measure, begin (the exchange's clock starts), commit to the roots, answer the question."""
        body = command["body"]
        path = f"/benchmarks/{body['benchmark_id']}"
        log.info("benchmark of %s begins", body.get("name") or "a GPU")
        child = Child("proof", self._memory_mb, self._threads)
        try:
            measured = self._step(child, {"step": "measure", "uuid": body.get("uuid"), "device": body.get("device")})
            task = self._exchange.report(f"{path}/begin", {})["task"]
            commitment = self._step(child, {"step": "commit", "task": task})
            question = self._exchange.report(f"{path}/commit", commitment | measured)["question"]
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
        response: dict[str, Any]
        try:
            self._authorize(body, command.get("signature"))
            response = {"settings": power.apply(str(body.get("gpu_uuid") or ""), body.get("settings") or {})}
        except power.NotPermitted as error:
            response = {"refused": str(error)[:300]}
        log.info("command %s: %s", command["order_id"], response)
        self._done = [*self._done[-REMEMBERED:], str(command["order_id"]), str(body.get("serial"))]
        self._exchange.report(f"/orders/{command['order_id']}/applied", response)

    def _authorize(self, body: dict[str, Any], signature: Any) -> None:
        """Raise NotPermitted unless the exchange signed this body, for now, and it was not applied before."""
        if not self._keyring.verify(body, signature):
            raise power.NotPermitted("the command does not carry the exchange's signature")
        if str(body.get("serial")) in self._done:
            raise power.NotPermitted("the command was applied before")
        try:
            late = datetime.now(UTC) > datetime.fromisoformat(str(body.get("not_after"))) + CLOCK_TOLERANCE
        except ValueError:
            late = True
        if late:
            raise power.NotPermitted("the command is out of date")

"""What the exchange asks of a miner beside jobs: a benchmark of a card, a change of its settings.

It asks again with every heartbeat until it is answered, so that nothing here needs to be remembered over a restart.
One errand at a time, in a thread of its own; a benchmark waits until no job runs, and no job is taken while it runs.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.gpu.miner import power
from apps.gpu.miner.client import Exchange, Rejected, TryLater
from apps.gpu.miner.signatures import Keyring
from apps.gpu.miner.workers import Child, Hooks, Outcome

log = logging.getLogger("aitbc.miner")

STEP_SECONDS = 600.0
CLOCKS_DIFFER = timedelta(minutes=10)
REMEMBERED = 1000  # orders done, so that none is obeyed twice


class CouldNot(Exception):
    """The errand failed; the text is told to the exchange."""


class Errands:
    """At most one errand runs; `busy` says so to the loop that takes jobs."""

    def __init__(self, exchange: Exchange, *, memory_mb: int, threads: int, idle: Callable[[], bool]):
        self._exchange, self._idle = exchange, idle
        self._memory_mb, self._threads = memory_mb, threads
        self._keyring = Keyring(exchange.keys)
        self._done: list[str] = []
        self._lock = threading.Lock()
        self.busy = False

    def hear(self, answer: Any) -> None:
        """Start the first errand of a heartbeat's answer that can be done now."""
        told = answer if isinstance(answer, dict) else {}
        for order in _objects(told.get("orders")):
            if order.get("kind") == "apply" and self._start(self._obey, order):
                return
            if order.get("kind") == "benchmark" and self._idle() and self._start(self._benchmark, order):
                return

    def _start(self, work: Callable[[dict[str, Any]], None], errand: dict[str, Any]) -> bool:
        with self._lock:
            if self.busy or errand.get("order_id") in self._done:
                return False
            self.busy = True
        threading.Thread(target=self._run, args=(work, errand), name=f"errand-{errand.get('id')}", daemon=True).start()
        return True

    def _run(self, work: Callable[[dict[str, Any]], None], errand: dict[str, Any]) -> None:
        try:
            work(errand)
        except (Rejected, TryLater) as error:
            log.warning("errand %s: %s", errand.get("order_id"), error)
        except Exception:  # a miner outlives whatever it is asked for
            log.exception("errand %s failed", errand.get("order_id"))
        finally:
            self.busy = False

    def _benchmark(self, order: dict[str, Any]) -> None:
        """Measure, then begin (the exchange's clock starts), commit, answer."""
        asked = order["body"]
        path = f"/benchmarks/{asked['benchmark_id']}"
        log.info("benchmark of %s begins", asked.get("name") or "a card")
        child = Child("proof", self._memory_mb, self._threads)
        try:
            measured = self._step(child, {"step": "measure", "uuid": asked.get("uuid"), "device": asked.get("device")})
            task = self._exchange.errand(f"{path}/begin", {})["task"]
            committed = self._step(child, {"step": "commit", "task": task})
            question = self._exchange.errand(f"{path}/commit", committed | measured)["question"]
            opened = self._step(child, {"step": "answer", "question": question})
            log.info("benchmark: %s", self._exchange.errand(f"{path}/answer", opened).get("state"))
        except CouldNot as error:
            log.warning("benchmark: %s", error)
            self._exchange.errand(f"{path}/fail", {"reason": str(error)[:300]})
        finally:
            child.close()

    def _step(self, child: Child, payload: dict[str, Any]) -> dict[str, Any]:
        order = {"job": "benchmark", "payload": payload, "input": None, "state": None}
        outcome: Outcome = child.run(order, seconds=STEP_SECONDS, hooks=Hooks())
        if outcome.result is None:
            raise CouldNot(f"{outcome.code}: {outcome.message}")
        return outcome.result

    def _obey(self, order: dict[str, Any]) -> None:
        """Change a card's settings, if the order is the exchange's, is fresh, and is allowed here."""
        body = order.get("body") if isinstance(order.get("body"), dict) else {}
        try:
            self._check(body, order.get("signature"))
            answer = {"settings": power.apply(str(body.get("gpu_uuid") or ""), body.get("settings") or {})}
        except power.NotPermitted as error:
            answer = {"refused": str(error)[:300]}
        log.info("order %s: %s", order["order_id"], answer)
        self._done = [*self._done[-REMEMBERED:], str(order["order_id"]), str(body.get("serial"))]
        self._exchange.errand(f"/orders/{order['order_id']}/applied", answer)

    def _check(self, body: dict[str, Any], signature: Any) -> None:
        if not self._keyring.signed(body, signature):
            raise power.NotPermitted("the order does not carry the exchange's signature")
        if str(body.get("serial")) in self._done:
            raise power.NotPermitted("the order was obeyed before")
        try:
            late = datetime.now(UTC) > datetime.fromisoformat(str(body.get("not_after"))) + CLOCKS_DIFFER
        except ValueError:
            late = True
        if late:
            raise power.NotPermitted("the order is out of date")


def _objects(told: Any) -> list[dict[str, Any]]:
    return [one for one in told if isinstance(one, dict) and one.get("order_id")] if isinstance(told, list) else []

"""What the exchange asks of a miner beside jobs: a benchmark of a card, a change of its settings.

It asks again with every heartbeat until it is answered, so that nothing here needs to be remembered over a restart.
One errand at a time, in a thread of its own; a benchmark waits until no job runs, and no job is taken while it runs.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from apps.gpu.miner import tuner
from apps.gpu.miner.trust import Keyring
from apps.gpu.miner.wire import Exchange, Rejected, TryLater
from apps.gpu.miner.workers import Child, Hooks, Outcome

log = logging.getLogger("aitbc.miner")

STEP_SECONDS = 600.0
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
        for asked in _objects(told.get("benchmarks")):
            if self._idle() and self._start(self._benchmark, asked):
                return

    def _start(self, work: Callable[[dict], None], errand: dict) -> bool:
        with self._lock:
            if self.busy or errand.get("id") in self._done:
                return False
            self.busy = True
        threading.Thread(target=self._run, args=(work, errand), name=f"errand-{errand.get('id')}", daemon=True).start()
        return True

    def _run(self, work: Callable[[dict], None], errand: dict) -> None:
        try:
            work(errand)
        except (Rejected, TryLater) as error:
            log.warning("errand %s: %s", errand.get("id"), error)
        except Exception:  # a miner outlives whatever it is asked for
            log.exception("errand %s failed", errand.get("id"))
        finally:
            self.busy = False

    def _benchmark(self, asked: dict) -> None:
        """Measure, then begin (the exchange's clock starts), commit, answer."""
        path = f"/benchmarks/{asked['id']}"
        child = Child("proof", self._memory_mb, self._threads)
        log.info("benchmark %s of %s begins", asked["id"], asked.get("name") or "a card")
        try:
            wanted = {"uuid": asked.get("uuid"), "device": asked.get("device")}
            measured = self._step(child, {"step": "measure", **wanted})
            task = self._exchange.errand(f"{path}/begin", {})["task"]
            committed = self._step(child, {"step": "commit", "task": task})
            question = self._exchange.errand(f"{path}/commit", committed | measured)["question"]
            verdict = self._exchange.errand(
                f"{path}/answer", self._step(child, {"step": "answer", "question": question})
            )
            log.info("benchmark %s: %s", asked["id"], verdict.get("state"))
        except CouldNot as error:
            log.warning("benchmark %s: %s", asked["id"], error)
            self._exchange.errand(f"{path}/fail", {"reason": str(error)[:300]})
        finally:
            child.close()

    def _step(self, child: Child, payload: dict) -> dict:
        order = {"job": "benchmark", "payload": payload, "input": None, "state": None}
        outcome: Outcome = child.run(order, seconds=STEP_SECONDS, hooks=Hooks())
        if outcome.result is None:
            raise CouldNot(f"{outcome.code}: {outcome.message}")
        return outcome.result

    def _obey(self, order: dict) -> None:
        """Change a card's settings, if the order is the exchange's, is for this miner, and is allowed here."""
        body = order.get("body") if isinstance(order.get("body"), dict) else {}
        try:
            if not self._keyring.signed(body, order.get("signature")) or body.get("order_id") != order.get("id"):
                raise tuner.NotPermitted("the order does not carry the exchange's signature")
            answer = {"applied": True, "settings": tuner.apply(str(body.get("gpu_uuid") or ""), body["settings"])}
        except tuner.NotPermitted as error:
            answer = {"applied": False, "reason": str(error)[:300]}
        log.info("order %s: %s", order.get("id"), answer.get("reason") or f"applied {answer['settings']}")
        self._exchange.errand(f"/orders/{order['id']}/applied", answer)
        self._done = [*self._done[-REMEMBERED:], str(order["id"])]


def _objects(told: Any) -> list[dict]:
    return [one for one in told if isinstance(one, dict) and one.get("id")] if isinstance(told, list) else []

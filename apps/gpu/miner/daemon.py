"""The miner at work: three loops (heartbeat, poll, deliver) around the jobs in hand, and an orderly end."""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from apps.gpu.miner import engines, host, responses
from apps.gpu.miner.bookings import Bookings, is_a_renters
from apps.gpu.miner.client import Exchange, Rejected, TryLater
from apps.gpu.miner.commands import Errands
from apps.gpu.miner.job_runner import Run, Workshop, failure
from apps.gpu.miner.journal import Answer, Journal
from apps.gpu.miner.loops import Loop
from apps.gpu.miner.settings import Options
from apps.gpu.miner.workers import Pool

log = logging.getLogger("aitbc.miner")

HEARTBEAT_SECONDS = 15.0  # until the exchange says otherwise
REFRESH_SECONDS = 60.0  # how often models and engines are looked up anew
MOST_JOBS = 64  # in one poll
DISK_PAUSE = 5.0  # before a full disk is tried again
CALLED_PAUSE = 0.2  # for the heartbeat that a poll's answer called for
POLL_PAUSE = 1.0  # after a poll that was answered empty without waiting
CHECKPOINT_GRACE = 0.5  # for engines to hand over their state before they are stopped
LONGEST_SILENCE = 10.0  # between two tries to be heard, when the exchange was away
DELIVERY_GRACE = 5.0  # for the last answers, before they are left to the next start
UNUSABLE = (400, 413, 415, 422)  # the exchange will never take these bytes as a result


class Miner:
    """One miner; `run` returns when it has drained."""

    def __init__(self, options: Options):
        self.options = options
        self.journal = Journal(options.state_dir)
        self.exchange = Exchange(options.url, options.key, options.miner_id or self.journal.name())
        memory = options.memory_mb or max(host.memory_mb() // options.slots, 512)
        self.pool = Pool(memory, max((os.cpu_count() or 1) // options.slots, 1), options.slots)
        self.runs: dict[str, Run] = {}
        self._changed = threading.Condition()
        self.errands = Errands(
            self.exchange, memory_mb=host.memory_mb(), threads=os.cpu_count() or 1, idle=lambda: not self.runs
        )
        self._draining, self._over, self._beat_now = threading.Event(), threading.Event(), threading.Event()
        self._drain_until = float("inf")
        self._taken = 0
        self._capabilities: dict[str, Any] = {}
        self._task_types: dict[str, str] = {}
        self._registered = False
        self._refreshed_at = float("-inf")
        self._heartbeat_seconds, self._poll_pause = HEARTBEAT_SECONDS, POLL_PAUSE
        self._bookings, self._attention = Bookings(), 0

    def run(self) -> None:
        """Work until told to drain, or until `--once` is fulfilled."""
        for job_id, attempt in self.journal.abandoned():
            self._hand_back(job_id, attempt, "the miner was restarted")
        # Leases run while the exchange is back and does not hear of us.
        soon = LONGEST_SILENCE
        Loop("heartbeat", self._beat, wake=self._beat_now, end=self._over, longest=soon).start()
        Loop("delivery", self._deliver, wake=self.journal.added, end=self._over, longest=soon).start()
        poll = Loop("poll", self._poll, wake=self._draining, end=self._draining).start()
        self._draining.wait()
        self._finish()
        poll.join(1.0)  # a poll still waiting is broken off; the exchange sees us leave
        self._over.set()
        self.exchange.close()
        self.pool.close()
        self.journal.close()

    def drain(self) -> None:
        """Take no more work and come to an end; called again, at once."""
        again = self._draining.is_set()
        self._drain_until = time.monotonic() + (0 if again else self.options.drain_seconds)
        self._draining.set()
        self._beat_now.set()

    # The steps of the three loops

    def _beat(self) -> float:
        """Register when that is due, say how things are, obey what comes back."""
        self._refresh()
        if not self._registered:
            self._register()
        with self._changed:
            runs = list(self.runs.values())
        status = "DRAINING" if self._draining.is_set() else "ONLINE"
        # A job that is computed and not yet delivered is still ours: unnamed, its lease would run out.
        delivering = [
            {"job_id": job, "attempt": attempt, "progress": 1.0, "note": "delivering"}
            for job, attempt in self.journal.waiting()
        ]
        try:
            answer = self.exchange.heartbeat(
                status=status,
                jobs=[run.report() for run in runs] + delivering,
                metrics=host.metrics(self._capabilities.get("cpu")),
                bookings_ready=self._bookings.said(),
            )
        except Rejected:
            self._registered = False  # it does not know us any more: say again who we are
            raise
        told = responses.read(answer)
        self._obey(told, runs)
        self._attend(told, runs)
        if not self._draining.is_set():
            self.errands.hear(answer)
        return min([self._heartbeat_seconds, *(run.heartbeat_seconds for run in runs)]) * random.uniform(0.9, 1.0)

    def _poll(self) -> float:
        """Ask for as much work as there are free slots."""
        free = self._wait_for_slots()
        if not free:
            return 0.0
        asked_at = time.monotonic()
        polled = self.exchange.poll(wait_seconds=self.options.wait_seconds, free=free, attention=self._attention)
        for job in polled.jobs:
            self._take(job)
        if polled.beat_now:
            self._beat_now.set()
            return CALLED_PAUSE
        held = time.monotonic() - asked_at
        return 0.0 if polled.jobs else max(self._poll_pause - held, 0.0)

    def _deliver(self) -> float:
        """Send what is in the journal, oldest first."""
        later: TryLater | None = None
        for answer in self.journal.pending():
            try:
                self._send(answer)
            except TryLater as error:
                later = error
                if not error.answered:
                    break  # nobody there: the others would fare no better
        with self._changed:
            self._changed.notify_all()
        if later:
            raise later
        return 3600.0

    # What they are made of

    def _refresh(self) -> None:
        """Look up engines and models now and then; what changed is registered."""
        if time.monotonic() - self._refreshed_at < REFRESH_SECONDS:
            return
        offered = engines.available()
        if self.options.engines:
            offered = {name: engine for name, engine in offered.items() if name in self.options.engines}
        self._task_types = {word: name for name, engine in offered.items() for word in engines.task_types(engine)}
        capabilities = host.capabilities(self.options, offered)
        self._registered = self._registered and capabilities == self._capabilities
        self._capabilities, self._refreshed_at = capabilities, time.monotonic()

    def _register(self) -> None:
        self.exchange.register(self._capabilities, self.options.slots)
        offer = self._capabilities
        cards = ", ".join(card["name"] for card in offer["gpus"]) or "no GPU"
        log.info(
            "registered at %s as %s: %s; tasks %s",
            self.options.url,
            self.exchange.miner_id,
            cards,
            ", ".join(offer["tasks"]),
        )
        with self._changed:
            self._registered = True
            self._changed.notify_all()

    def _obey(self, told: responses.Orders, runs: list[Run]) -> None:
        """Follow the orders of a heartbeat's answer, which concern the jobs that were named in it."""
        self._heartbeat_seconds = told.heartbeat_seconds or self._heartbeat_seconds
        self._poll_pause = self._poll_pause if told.poll_seconds is None else told.poll_seconds
        for run in runs:
            if run.id in told.cancel:
                log.info("job %s: cancelled by the exchange", run.id)
                run.stop("CANCELLED", "cancelled by the exchange")
            elif told.held is not None and (run.id, run.attempt) not in told.held:
                log.warning("job %s: the lease is lost, its work is dropped", run.id)
                run.drop()
            elif run.id in told.checkpoint:
                run.ask_checkpoint()

    def _attend(self, told: responses.Orders, runs: list[Run]) -> None:
        """See to what is booked, and look at our cards again where that is asked for."""
        others = sum(not is_a_renters(run.job) for run in runs)
        cards = host.devices(self._capabilities)
        if self._bookings.hear(told.bookings, cards=cards, others=others):
            log.info("ready for booking %s", ", ".join(self._bookings.said()))
            self._beat_now.set()
        for order_id in told.scans:
            self._scan(order_id)
        self._attention = self._attention if told.attention is None else told.attention

    def _scan(self, order_id: str) -> None:
        """Ask the driver for our cards anew, and tell the exchange."""
        self._refreshed_at = float("-inf")
        try:
            self._refresh()
            found = {name: self._capabilities[name] for name in ("gpus", "cpu", "cuda") if name in self._capabilities}
            answer = found | {"discovery_method": "nvml" if found["gpus"] else "cpu"}
        except Exception as error:  # a driver in trouble may raise anything: the exchange shall hear of it
            log.exception("scan %s failed", order_id)
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        log.info("scan %s: %d card(s)", order_id, len(answer.get("gpus", ())))
        try:
            self.exchange.errand(f"/orders/{order_id}", answer)
        except Rejected as error:
            log.warning("scan %s: %s", order_id, error)  # it is over, or was another's

    def _wait_for_slots(self) -> int:
        """Return the number of free slots, as soon as there is one and we are registered; 0 when draining."""
        with self._changed:
            while not self._draining.is_set():
                free = min(self.options.slots - len(self.runs), MOST_JOBS)
                if self.options.once:
                    free = min(free, self.options.once - self._taken)
                if self._registered and free > 0 and not self.errands.busy:
                    return free
                self._changed.wait(1.0)
        return 0

    def _take(self, job: dict[str, Any]) -> None:
        """Start on a job, in a thread of its own."""
        shop = Workshop(self.options, self.exchange, self.journal, self.pool, self._task_types)
        run = Run(shop, job)
        try:
            self.journal.started(run.id, run.attempt)
        except (OSError, ValueError) as error:  # no room to keep a result: better hand it back at once
            self.exchange.deliver(run.id, "fail", failure("REFUSED", f"no state can be kept here: {error}") | run.fence)
            return
        if self._draining.is_set():
            self._hand_back(run.id, run.attempt, "the miner is shutting down")
            return
        with self._changed:
            if run.id in self.runs:  # the same job again, before we noticed that we lost it
                self.runs[run.id].drop()
            self.runs[run.id] = run
            self._taken += 1
        if run.heartbeat_seconds < self._heartbeat_seconds:
            self._beat_now.set()  # a lease shorter than our rhythm
        log.info("job %s attempt %s: %s", run.id, run.attempt, job.get("task_type") or "untyped")
        threading.Thread(target=self._work, args=(run,), name=f"job-{run.id}", daemon=True).start()

    def _work(self, run: Run) -> None:
        answer = run.work()
        if answer is not None:
            self._write_down(answer)
            if answer.body.get("error_code") != "DRAINING":
                self.journal.drop_checkpoint(run.id)
            log.info("job %s: %s", run.id, _outline(answer))
        with self._changed:
            if self.runs.get(run.id) is run:
                del self.runs[run.id]
                if answer is None:
                    self.journal.forget_run(run.id)
            if self.options.once and self._taken >= self.options.once and not self.runs:
                self.drain()
            self._changed.notify_all()

    def _write_down(self, answer: Answer) -> None:
        """Put an answer into the journal; when the disk is full, wait until it is not."""
        while True:
            try:
                return self.journal.add(answer)
            except OSError as error:
                log.error("job %s: the answer cannot be written down: %s; trying again", answer.job_id, error)
                self._over.wait(DISK_PAUSE)

    def _send(self, answer: Answer) -> None:
        try:
            self.exchange.deliver(answer.job_id, answer.verb, answer.body)
            log.info("job %s: %s acknowledged", answer.job_id, answer.verb)
        except Rejected as error:
            log.warning("job %s: %s refused for good: %s", answer.job_id, answer.verb, error)
            if answer.verb == "result" and error.status in UNUSABLE:
                self._hand_back(
                    answer.job_id, answer.attempt, f"the exchange does not take the result: {error}", "ENGINE_ERROR"
                )
        self.journal.acknowledged(answer)

    def _hand_back(self, job_id: str, attempt: int | None, why: str, code: str = "DRAINING") -> None:
        fence = {} if attempt is None else {"attempt": attempt}
        self.journal.add(Answer(job_id, attempt, "fail", failure(code, why) | fence))
        log.info("job %s: handed back: %s", job_id, why)

    # The end

    def _finish(self) -> None:
        """Let the jobs in hand end, hand back those that do not, deliver the answers."""
        with self._changed:
            log.info("draining: %d job(s) in hand", len(self.runs))
            self._wait_until(lambda: not self.runs, lambda: self._drain_until)
            left = list(self.runs.values())
        for run in left:
            run.ask_checkpoint()
        give_up = time.monotonic() + CHECKPOINT_GRACE
        with self._changed:
            self._wait_until(lambda: not self.runs or all(run.checkpointed for run in left), lambda: give_up)
        for run in left:
            run.stop("DRAINING", "the miner is shutting down")
        give_up = time.monotonic() + DELIVERY_GRACE
        with self._changed:
            self._wait_until(lambda: not self.runs and not self.journal.waiting(), lambda: give_up)
        if kept := self.journal.waiting():
            log.warning(
                "%d answer(s) could not be delivered and wait in %s for the next start",
                len(kept),
                self.options.state_dir,
            )
        log.info("drained")

    def _wait_until(self, happened: Callable[[], bool], until: Callable[[], float]) -> None:
        """Wait on the condition; the limit may come nearer meanwhile (a second signal)."""
        while not happened() and (left := until() - time.monotonic()) > 0:
            self._changed.wait(min(left, 0.2))


def _outline(answer: Answer) -> str:
    seconds = answer.body["metrics"]["duration_ms"] / 1000
    if answer.verb == "result":
        return f"done in {seconds:.2f} s"
    return f"{answer.body['error_code']} after {seconds:.2f} s: {answer.body['error_message'][:200]}"

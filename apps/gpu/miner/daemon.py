"""The miner at work: three loops (heartbeat, poll, delivery) around the running jobs, and an orderly shutdown."""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from apps.gpu.miner import host, responses
from apps.gpu.miner.bookings import Bookings, is_booked
from apps.gpu.miner.client import ExchangeClient, Rejected, Unavailable
from apps.gpu.miner.commands import CommandRunner
from apps.gpu.miner.job_runner import JobRun, RunContext, failure
from apps.gpu.miner.journal import Delivery, Journal
from apps.gpu.miner.loops import Loop
from apps.gpu.miner.registration import Registration
from apps.gpu.miner.responses import HeartbeatResponse
from apps.gpu.miner.settings import Settings
from apps.gpu.miner.workers import Pool

log = logging.getLogger("aitbc.miner")

HEARTBEAT_SECONDS = 15.0  # until the exchange names an interval
MAX_JOBS = 64  # in one poll
DISK_PAUSE = 5.0  # before a full disk is tried again
BEAT_NOW_PAUSE = 0.2  # for the heartbeat that a poll's response requested
POLL_PAUSE = 1.0  # after a poll that ended empty without waiting
CHECKPOINT_GRACE = 0.5  # for engines to hand over their state before they are stopped
LONGEST_SILENCE = 10.0  # between two tries to reach the exchange
DELIVERY_GRACE = 5.0  # for the last deliveries, before they are left to the next start
UNUSABLE = (400, 413, 415, 422)  # the exchange will never take these bytes as a result


class Miner:
    """One miner; `run` returns when it has drained."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.journal = Journal(settings.state_dir)
        self.exchange = ExchangeClient(settings.url, settings.key, settings.miner_id or self.journal.name())
        memory = settings.memory_mb or max(host.memory_mb() // settings.slots, 512)
        self.pool = Pool(memory, max((os.cpu_count() or 1) // settings.slots, 1), settings.slots)
        self.runs: dict[str, JobRun] = {}
        self.registration = Registration(settings, self.exchange)
        self.commands = CommandRunner(
            self.exchange, memory_mb=host.memory_mb(), threads=os.cpu_count() or 1, idle=lambda: not self.runs
        )
        self._changed = threading.Condition()
        self._draining, self._over, self._beat_now = threading.Event(), threading.Event(), threading.Event()
        self._drain_until = float("inf")
        self._taken = 0
        self._heartbeat_seconds, self._poll_pause = HEARTBEAT_SECONDS, POLL_PAUSE
        self._bookings, self._attention = Bookings(), 0

    def run(self) -> None:
        """Work until `drain` is called, or `--once` is fulfilled."""
        for job_id, attempt in self.journal.interrupted():
            self._hand_back(job_id, attempt, "the miner was restarted")
        # Leases go on running while the exchange is back and has no heartbeat of this miner.
        soon = LONGEST_SILENCE
        Loop("heartbeat", self._beat, wake=self._beat_now, end=self._over, longest=soon).start()
        Loop("delivery", self._deliver, wake=self.journal.added, end=self._over, longest=soon).start()
        poll = Loop("poll", self._poll, wake=self._draining, end=self._draining).start()
        self._draining.wait()
        self._finish()
        poll.join(1.0)  # a poll still waiting is broken off; the exchange sees the connection close
        self._over.set()
        self.exchange.close()
        self.pool.close()
        self.journal.close()

    def drain(self) -> None:
        """Take no more jobs and shut down when those running have ended; called a second time, at once."""
        again = self._draining.is_set()
        self._drain_until = time.monotonic() + (0 if again else self.settings.drain_seconds)
        self._draining.set()
        self._beat_now.set()

    # Heartbeat

    def _beat(self) -> float:
        """Register when that is due, send a heartbeat, follow its response."""
        self.registration.refresh()
        if not self.registration.current:
            self.registration.register()
            with self._changed:
                self._changed.notify_all()
        with self._changed:
            runs = list(self.runs.values())
        response = responses.parse(self._heartbeat(runs))
        self._follow(response, runs)
        self._attend(response, runs)
        if not self._draining.is_set():
            self.commands.offer(response.commands)
        return min([self._heartbeat_seconds, *(run.heartbeat_seconds for run in runs)]) * random.uniform(0.9, 1.0)

    def _heartbeat(self, runs: list[JobRun]) -> Any:
        # A job that is computed and not yet delivered still has its lease: unnamed, that would run out.
        delivering = [
            {"job_id": job, "attempt": attempt, "progress": 1.0, "note": "delivering"}
            for job, attempt in self.journal.undelivered()
        ]
        try:
            return self.exchange.heartbeat(
                status="DRAINING" if self._draining.is_set() else "ONLINE",
                jobs=[run.status() for run in runs] + delivering,
                metrics=host.metrics(self.registration.capabilities.get("cpu")),
                bookings_ready=self._bookings.ready_ids(),
            )
        except Rejected:
            self.registration.current = False  # the exchange does not know this miner any more
            raise

    def _follow(self, response: HeartbeatResponse, runs: list[JobRun]) -> None:
        """Keep the intervals of a heartbeat's response; stop and checkpoint the jobs that the heartbeat named."""
        self._heartbeat_seconds = response.heartbeat_seconds or self._heartbeat_seconds
        self._poll_pause = self._poll_pause if response.poll_seconds is None else response.poll_seconds
        for run in runs:
            if run.id in response.cancel:
                log.info("job %s: cancelled by the exchange", run.id)
                run.stop("CANCELLED", "cancelled by the exchange")
            elif response.leases is not None and (run.id, run.attempt) not in response.leases:
                log.warning("job %s: the lease is lost, its work is dropped", run.id)
                run.abandon()
            elif run.id in response.checkpoint:
                run.request_checkpoint()

    def _attend(self, response: HeartbeatResponse, runs: list[JobRun]) -> None:
        """Note the bookings of a heartbeat's response, and detect the GPUs again where that is requested."""
        other_jobs = sum(not is_booked(run.job) for run in runs)
        gpus = host.device_count(self.registration.capabilities)
        if self._bookings.update(response.bookings, gpus=gpus, other_jobs=other_jobs):
            log.info("ready for booking %s", ", ".join(self._bookings.ready_ids()))
            self._beat_now.set()
        for command_id in response.scans:
            self._scan(command_id)
        self._attention = self._attention if response.attention is None else response.attention

    def _scan(self, command_id: str) -> None:
        found = self.registration.scan()
        log.info("scan %s: %d card(s)", command_id, len(found.get("gpus", ())))
        try:
            self.exchange.report(f"/orders/{command_id}", found)
        except Rejected as error:
            log.warning("scan %s: %s", command_id, error)  # the command has ended, or is another miner's

    # Poll

    def _poll(self) -> float:
        """Request as many jobs as there are free slots."""
        free = self._wait_for_slots()
        if not free:
            return 0.0
        started = time.monotonic()
        polled = self.exchange.poll(wait_seconds=self.settings.wait_seconds, free=free, attention=self._attention)
        for job in polled.jobs:
            self._take(job)
        if polled.beat_now:
            self._beat_now.set()
            return BEAT_NOW_PAUSE
        waited = time.monotonic() - started
        return 0.0 if polled.jobs else max(self._poll_pause - waited, 0.0)

    def _wait_for_slots(self) -> int:
        """Return the number of free slots, as soon as there is one and the miner is registered; 0 when draining."""
        with self._changed:
            while not self._draining.is_set():
                free = min(self.settings.slots - len(self.runs), MAX_JOBS)
                if self.settings.once:
                    free = min(free, self.settings.once - self._taken)
                if self.registration.current and free > 0 and not self.commands.busy:
                    return free
                self._changed.wait(1.0)
        return 0

    def _take(self, job: dict[str, Any]) -> None:
        """Start a job in a thread of its own."""
        context = RunContext(self.settings, self.exchange, self.journal, self.pool, self.registration.task_types)
        run = JobRun(context, job)
        try:
            self.journal.start(run.id, run.attempt)
        except (OSError, ValueError) as error:  # no room to store a result: hand the job back now
            self.exchange.deliver(run.id, "fail", failure("REFUSED", f"no state can be kept here: {error}") | run.fence)
            return
        if self._draining.is_set():
            self._hand_back(run.id, run.attempt, "the miner is shutting down")
            return
        with self._changed:
            if run.id in self.runs:  # the same job again, before a heartbeat showed that its lease was lost
                self.runs[run.id].abandon()
            self.runs[run.id] = run
            self._taken += 1
        if run.heartbeat_seconds < self._heartbeat_seconds:
            self._beat_now.set()  # its lease is shorter than the heartbeat interval
        log.info("job %s attempt %s: %s", run.id, run.attempt, job.get("task_type") or "untyped")
        threading.Thread(target=self._work, args=(run,), name=f"job-{run.id}", daemon=True).start()

    def _work(self, run: JobRun) -> None:
        delivery = run.execute()
        if delivery is not None:
            self._store(delivery)
            if delivery.body.get("error_code") != "DRAINING":
                self.journal.drop_checkpoint(run.id)
            log.info("job %s: %s", run.id, _outline(delivery))
        with self._changed:
            if self.runs.get(run.id) is run:
                del self.runs[run.id]
                if delivery is None:
                    self.journal.forget(run.id)
            if self.settings.once and self._taken >= self.settings.once and not self.runs:
                self.drain()
            self._changed.notify_all()

    # Delivery

    def _store(self, delivery: Delivery) -> None:
        """Add a delivery to the journal; when the disk is full, wait until it is not."""
        while True:
            try:
                return self.journal.add(delivery)
            except OSError as error:
                log.error("job %s: the outcome cannot be stored: %s; trying again", delivery.job_id, error)
                self._over.wait(DISK_PAUSE)

    def _deliver(self) -> float:
        """Send what is in the journal, oldest first."""
        failed: Unavailable | None = None
        for delivery in self.journal.pending():
            try:
                self._send(delivery)
            except Unavailable as error:
                failed = error
                if not error.responded:
                    break  # no exchange: the other deliveries would fail too
        with self._changed:
            self._changed.notify_all()
        if failed:
            raise failed
        return 3600.0

    def _send(self, delivery: Delivery) -> None:
        try:
            self.exchange.deliver(delivery.job_id, delivery.verb, delivery.body)
            log.info("job %s: %s acknowledged", delivery.job_id, delivery.verb)
        except Rejected as error:
            log.warning("job %s: %s refused for good: %s", delivery.job_id, delivery.verb, error)
            if delivery.verb == "result" and error.status in UNUSABLE:
                reason = f"the exchange does not take the result: {error}"
                self._hand_back(delivery.job_id, delivery.attempt, reason, "ENGINE_ERROR")
        self.journal.acknowledge(delivery)

    def _hand_back(self, job_id: str, attempt: int | None, reason: str, code: str = "DRAINING") -> None:
        fence = {} if attempt is None else {"attempt": attempt}
        self.journal.add(Delivery(job_id, attempt, "fail", failure(code, reason) | fence))
        log.info("job %s: handed back: %s", job_id, reason)

    # Shutdown

    def _finish(self) -> None:
        """Wait for the running jobs, hand back those that do not end in time, send the deliveries."""
        with self._changed:
            log.info("draining: %d job(s) in hand", len(self.runs))
            self._wait_until(lambda: not self.runs, lambda: self._drain_until)
            left = list(self.runs.values())
        for run in left:
            run.request_checkpoint()
        give_up = time.monotonic() + CHECKPOINT_GRACE
        with self._changed:
            self._wait_until(lambda: not self.runs or all(run.checkpointed for run in left), lambda: give_up)
        for run in left:
            run.stop("DRAINING", "the miner is shutting down")
        give_up = time.monotonic() + DELIVERY_GRACE
        with self._changed:
            self._wait_until(lambda: not self.runs and not self.journal.undelivered(), lambda: give_up)
        if unsent := self.journal.undelivered():
            log.warning("%d outcome(s) wait in %s for the next start", len(unsent), self.settings.state_dir)
        log.info("drained")

    def _wait_until(self, condition: Callable[[], bool], deadline: Callable[[], float]) -> None:
        """Wait on `_changed`; the deadline may come nearer meanwhile (a second signal)."""
        while not condition() and (left := deadline() - time.monotonic()) > 0:
            self._changed.wait(min(left, 0.2))


def _outline(delivery: Delivery) -> str:
    seconds = delivery.body["metrics"]["duration_ms"] / 1000
    if delivery.verb == "result":
        return f"done in {seconds:.2f} s"
    return f"{delivery.body['error_code']} after {seconds:.2f} s: {delivery.body['error_message'][:200]}"

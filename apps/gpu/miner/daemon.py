"""The miner at work: three loops (heartbeat, poll, delivery) around the running jobs, and an orderly shutdown."""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from apps.gpu.logic.encoding import Unencodable
from apps.gpu.miner import host, memory, responses
from apps.gpu.miner.bookings import Bookings, is_booked
from apps.gpu.miner.client import ExchangeClient, ExchangeError, Rejected
from apps.gpu.miner.commands import CommandRunner
from apps.gpu.miner.deliveries import UNUSABLE, Deliveries
from apps.gpu.miner.driver import GpuDriver
from apps.gpu.miner.gpu_choice import GpuChoice
from apps.gpu.miner.job_runner import JobRun, RunContext
from apps.gpu.miner.journal import Delivery, Journal, failure
from apps.gpu.miner.loops import Loop
from apps.gpu.miner.registration import Registration
from apps.gpu.miner.responses import HeartbeatResponse
from apps.gpu.miner.settings import Settings
from apps.gpu.miner.workers import Pool

log = logging.getLogger("aitbc.miner")

HEARTBEAT_SECONDS = 15.0  # until the exchange names an interval
MAX_JOBS = 64  # in one poll
BEAT_NOW_PAUSE = 0.2  # for the heartbeat that a poll's response requested
POLL_PAUSE = 1.0  # after a poll that ended empty without waiting
CHECKPOINT_GRACE = 0.5  # for engines to hand over their state before they are stopped
LONGEST_SILENCE = 10.0  # between two tries to reach the exchange
DELIVERY_GRACE = 5.0  # for the last deliveries, before they are left to the next start


class Miner:
    """One miner; `run` returns when it has drained."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.journal = Journal(settings.state_dir)
        self.exchange = ExchangeClient(settings.url, settings.key, settings.miner_id or self.journal.name())
        of_a_job = settings.memory_mb or max(memory.total_mb() // settings.slots, 512)
        self.pool = Pool(of_a_job, max((os.cpu_count() or 1) // settings.slots, 1), settings.slots)
        self.runs: dict[str, JobRun] = {}
        self._changed = threading.Condition()
        self._draining, self._over, self._beat_now = threading.Event(), threading.Event(), threading.Event()
        self.driver = GpuDriver()
        self.registration = Registration(settings, self.exchange, self.driver, self._beat_now.set)
        self.commands = CommandRunner(self.exchange, self.driver, idle=lambda: not self.runs)
        self.deliveries = Deliveries(self.exchange, self.journal, self._over, self._notify)
        self._gpus = GpuChoice(lambda: self.registration.capabilities.get("gpus", []))
        self._drain_until = float("inf")
        self._taken = 0
        self._heartbeat_seconds, self._poll_pause = HEARTBEAT_SECONDS, POLL_PAUSE
        self._bookings, self._attention = Bookings(), 0

    def run(self) -> None:
        """Work until `drain` is called, or `--once` is fulfilled."""
        self.deliveries.hand_back_interrupted()
        # Leases go on running while the exchange is back and has no heartbeat of this miner.
        soon = LONGEST_SILENCE
        Loop("detection", self.registration.detect, wake=self.registration.due, end=self._over).start()
        Loop("heartbeat", self._beat, wake=self._beat_now, end=self._over, longest=soon).start()
        Loop("delivery", self.deliveries.send_all, wake=self.journal.added, end=self._over, longest=soon).start()
        poll = Loop("poll", self._poll, wake=self._draining, end=self._draining).start()
        self._draining.wait()
        self._finish()
        poll.join(1.0)  # a poll still waiting is broken off; the exchange sees the connection close
        self._over.set()
        self.exchange.close()
        self.pool.close()
        self.driver.close()
        self.journal.close()

    def drain(self) -> None:
        """Take no more jobs and shut down when those running have ended; called a second time, at once."""
        again = self._draining.is_set()
        self._drain_until = time.monotonic() + (0 if again else self.settings.drain_seconds)
        self._draining.set()
        self._beat_now.set()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # Heartbeat

    def _beat(self) -> float:
        """Register when that is due, send a heartbeat, follow its response."""
        if not self.registration.capabilities:
            return self._heartbeat_seconds  # the first look-up ends the pause
        if not self.registration.current:
            self.registration.register()
            self._notify()
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
        metrics = host.metrics(self.driver.metrics(), self.registration.capabilities.get("cpu"))
        jobs = [run.status() for run in runs] + delivering
        try:
            return self._send_heartbeat(jobs, metrics | {"parked_results": len(self.journal.parked.entries())})
        except Rejected as error:
            if error.status not in UNUSABLE:
                self.registration.current = False  # the exchange does not know this miner any more
                raise
            log.warning("the heartbeat is refused, and sent again with nothing but the jobs: %s", error)
        except Unencodable as error:
            log.warning("the heartbeat cannot be encoded, and is sent with nothing but the jobs: %s", error)
        return self._send_heartbeat([{"job_id": job["job_id"], "attempt": job["attempt"]} for job in jobs], {})

    def _send_heartbeat(self, jobs: list[dict[str, Any]], metrics: dict[str, Any]) -> Any:
        return self.exchange.heartbeat(
            status="DRAINING" if self._draining.is_set() else "ONLINE",
            jobs=jobs,
            metrics=metrics,
            bookings_ready=self._bookings.ready_ids(),
        )

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
        self.registration.request_scans(response.scans)
        self._attention = self._attention if response.attention is None else response.attention

    # Poll

    def _poll(self) -> float:
        """Request as many jobs as there are free slots."""
        free = self._wait_for_slots()
        if not free:
            return 0.0
        started = time.monotonic()
        polled = self.exchange.poll(wait_seconds=self.settings.wait_seconds, free=free, attention=self._attention)
        for job in polled.jobs:
            try:
                self._take(job)
            except Exception:  # the other jobs of this response are leased to this miner too
                log.exception("job %r cannot be started", job)
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
        """Start a job in a thread of its own; what cannot be started is handed back, and the next one is taken."""
        context = RunContext(
            self.settings, self.exchange, self.journal, self.pool, self.registration.task_types, self._gpus
        )
        run = JobRun(context, job)
        try:
            self.journal.start(run.id, run.attempt)
        except (OSError, ValueError) as error:  # no room to store a result: hand the job back now
            self._refuse(run, f"no state can be kept here: {error}")
            return
        if self._draining.is_set():
            self.deliveries.hand_back(run.id, run.attempt, "the miner is shutting down")
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

    def _refuse(self, run: JobRun, reason: str) -> None:
        """Hand a job back without the journal; where that fails, the exchange learns by the end of the lease."""
        try:
            self.exchange.deliver(run.id, "fail", failure("REFUSED", reason) | run.fence)
        except (ExchangeError, ValueError) as error:
            log.warning("job %r cannot be handed back: %s", run.id[:128], error)

    def _work(self, run: JobRun) -> None:
        try:
            self._execute(run)
        except Exception:
            log.exception("job %s: its outcome is lost", run.id)
        finally:
            with self._changed:
                if self.runs.get(run.id) is run:
                    del self.runs[run.id]
                if self.settings.once and self._taken >= self.settings.once and not self.runs:
                    self.drain()
                self._changed.notify_all()

    def _execute(self, run: JobRun) -> None:
        delivery = run.execute()
        if delivery is None:
            if self.runs.get(run.id) is run:
                self.journal.forget(run.id)
            return
        self.deliveries.store(delivery)
        if delivery.body.get("error_code") != "DRAINING":
            self.journal.drop_checkpoint(run.id)
        log.info("job %s: %s", run.id, _outline(delivery))

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

"""One job on this miner, from the poll's response until its delivery is in the journal."""

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.gpu.miner import responses
from apps.gpu.miner.child import EngineJob
from apps.gpu.miner.client import Backoff, ExchangeClient, Rejected, Unavailable
from apps.gpu.miner.gpu_choice import GpuChoice
from apps.gpu.miner.journal import Delivery, Journal, failure
from apps.gpu.miner.settings import Settings
from apps.gpu.miner.workers import Child, Hooks, Outcome, Pool

log = logging.getLogger("aitbc.miner")

PAYLOAD_LIMIT = 2 * 2**20  # bytes; twice what the exchange takes
DOWNLOAD_TRIES = 4


@dataclass(frozen=True)
class RunContext:
    """What every job needs of the miner."""

    settings: Settings
    exchange: ExchangeClient
    journal: Journal
    pool: Pool
    task_types: dict[str, str]  # every task type clients use → the engine's name
    gpus: GpuChoice


@dataclass
class JobRun:
    """A running job. Its own thread calls `execute`; any thread may read its progress or stop it."""

    context: RunContext
    job: dict[str, Any]
    progress: float = 0.0
    note: str = ""
    checkpointed: bool = False
    lease_lost: bool = False
    _child: Child | None = None
    _stopped: tuple[str, str] | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.job.get("job_id") or self.job["id"])

    @property
    def attempt(self) -> int | None:
        """The number of this attempt: the fencing token that tells a late delivery from a newer one."""
        return responses.count(self.job.get("attempt"))

    @property
    def fence(self) -> dict[str, int]:
        """The members of a delivery that bind it to this attempt."""
        return {} if self.attempt is None else {"attempt": self.attempt}

    @property
    def heartbeat_seconds(self) -> float:
        """The interval of heartbeats that this job's lease needs; infinite when the exchange named none."""
        return responses.seconds(self.job.get("heartbeat_seconds"), 0.1) or float("inf")

    def execute(self) -> Delivery | None:
        """Run the job to its end; return its delivery, or None when the lease was lost."""
        started = time.monotonic()
        try:
            outcome = self._outcome()
        except Exception as error:  # the exchange gets a failure also where the miner itself is at fault
            log.exception("job %s: the miner itself failed", self.id)
            outcome = Outcome(code="ENGINE_ERROR", message=f"{type(error).__name__}: {error}"[:500])
        finally:
            self.context.journal.drop_input(self.id)
        return None if self.lease_lost else self._delivery(outcome, time.monotonic() - started)

    def stop(self, code: str, message: str) -> None:
        """End the job with this failure, at whatever step it is."""
        with self._lock:
            self._stopped = self._stopped or (code, message)
            child = self._child
        self._stop.set()
        if child:
            child.stop(code, message)

    def abandon(self) -> None:
        """End the job without a delivery: the exchange has leased it to another miner."""
        self.lease_lost = True
        self.stop("CANCELLED", "the lease was lost")

    def request_checkpoint(self) -> None:
        """Have the engine's state written to the journal, if it has one."""
        with self._lock:
            if self._child:
                self._child.request_checkpoint(self.id)

    def status(self) -> dict[str, Any]:
        """Return this job's entry in a heartbeat."""
        entry = {"job_id": self.id, "attempt": self.attempt, "progress": round(self.progress, 4), "note": self.note}
        return entry | ({"checkpointed": True} if self.checkpointed else {})

    def _outcome(self) -> Outcome:
        engine = self._engine()
        if engine is None:
            return Outcome(code="REFUSED", message=f"this miner offers {', '.join(sorted(self.context.task_types))}")
        try:
            payload, input_file = self._payload()
        except (ValueError, RecursionError) as error:
            return Outcome(code="BAD_INPUT", message=str(error)[:500])
        except Rejected as error:
            return Outcome(code="REFUSED", message=f"the input cannot be had: {error}"[:500])
        except Unavailable as error:
            return Outcome(code="ENGINE_ERROR", message=f"the input cannot be had: {error}"[:500])
        return self._compute(engine, payload, input_file)

    def _engine(self) -> str | None:
        payload = self.job.get("payload")
        payload = payload if isinstance(payload, dict) else {}
        task_type = self.job.get("task_type") or payload.get("type") or payload.get("task_type")
        if task_type is None and payload.get("prompt") is not None:
            task_type = "inference"  # legacy clients name no type
        return self.context.task_types.get(str(task_type))

    def _payload(self) -> tuple[dict[str, Any], Path | None]:
        """Return payload and input file. A payload too long for the poll's response comes as the input."""
        payload, source = self.job.get("payload"), self.job.get("input")
        file = self._fetch(source) if source else None
        if payload is None and file is not None and file.stat().st_size <= PAYLOAD_LIMIT:
            payload, file = json.loads(file.read_bytes()), None
        if not isinstance(payload, dict):
            raise ValueError("the payload must be a JSON object")
        if self.job.get("model") and "model" not in payload:
            payload = {**payload, "model": self.job["model"]}
        return payload, file

    def _fetch(self, source: dict[str, Any]) -> Path:
        file = self.context.journal.input_file(self.id)
        limit, backoff = self.context.settings.input_mb * 2**20, Backoff(limit=5)
        self.note = "downloading the input"
        self.context.journal.drop_input(self.id)  # what another run left there, or no file at all
        for tries_left in reversed(range(DOWNLOAD_TRIES)):
            try:
                self.context.exchange.download(
                    self.id, file, sha256=source.get("sha256"), limit=limit, cancelled=self._stop.is_set
                )
                return file
            except Unavailable as error:
                if not tries_left or self._stop.wait(backoff.next(error.retry_after)):
                    raise
        raise AssertionError("the last try either returns or raises")

    def _compute(self, engine: str, payload: dict[str, Any], input_file: Path | None) -> Outcome:
        with self.context.gpus.use(self.job) as visible:
            child = self.context.pool.acquire(engine, visible)
            with self._lock:
                self._child = child
                stopped = self._stopped
            if stopped:  # cancelled during the download or the start of the process
                child.stop(*stopped)
            job: EngineJob = {
                "job": self.id,
                "payload": payload,
                "input": str(input_file.resolve()) if input_file else None,
                "state": self.context.journal.checkpoint(self.id),
            }
            try:
                return child.run(job, seconds=self._time_limit(), hooks=Hooks(self._on_progress, self._on_checkpoint))
            finally:
                with self._lock:
                    self._child = None
                self.context.pool.release(child)

    def _time_limit(self) -> float:
        """Return the job's own time limit in seconds, or the miner's where that is shorter."""
        requested = self.job.get("timeout_seconds")
        limit = self.context.settings.job_seconds
        return min(requested, limit) if isinstance(requested, int | float) and requested > 0 else limit

    def _on_progress(self, fraction: float, note: str) -> None:
        self.progress, self.note = fraction, note

    def _on_checkpoint(self, state: Any) -> None:
        try:
            self.context.journal.save_checkpoint(self.id, state)
        except (OSError, ValueError) as error:  # the job goes on without it
            log.warning("job %s: the checkpoint cannot be stored: %s", self.id, error)
            return
        self.checkpointed = True
        log.info("job %s: checkpoint written", self.id)

    def _delivery(self, outcome: Outcome, seconds: float) -> Delivery:
        metrics = {"duration_ms": round(seconds * 1000), "peak_memory_mb": outcome.peak_mb}
        if outcome.result is not None:
            body: dict[str, Any] = {"result": outcome.result, "metrics": metrics}
            return Delivery(self.id, self.attempt, "result", body | self.fence)
        body = failure(outcome.code, outcome.message) | {"metrics": metrics}
        return Delivery(self.id, self.attempt, "fail", body | self.fence)

"""One job on this miner, from the moment the exchange hands it over until its answer is in the journal."""

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.gpu.miner.bookings import devices_of
from apps.gpu.miner.client import Backoff, Exchange, Rejected, TryLater
from apps.gpu.miner.journal import Answer, Journal
from apps.gpu.miner.settings import Options
from apps.gpu.miner.workers import Child, Hooks, Outcome, Pool

log = logging.getLogger("aitbc.miner")

RESULT_LIMIT = 16 * 2**20
PAYLOAD_LIMIT = 2 * 2**20  # bytes; twice what the exchange takes
DOWNLOAD_TRIES = 4


@dataclass(frozen=True)
class Workshop:
    """What every run needs."""

    options: Options
    exchange: Exchange
    journal: Journal
    pool: Pool
    task_types: dict[str, str]  # every word clients use → the engine's name


@dataclass
class Run:
    """A job in hand. Its own thread calls `work`; any thread may read its progress or stop it."""

    shop: Workshop
    job: dict[str, Any]
    progress: float = 0.0
    note: str = ""
    checkpointed: bool = False
    lost: bool = False
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
        """Which attempt at the job this is: the fence that keeps late answers apart."""
        return self.job.get("attempt")

    @property
    def fence(self) -> dict[str, Any]:
        """What every answer carries, so that it counts for this attempt only."""
        return {} if self.attempt is None else {"attempt": self.attempt}

    @property
    def heartbeat_seconds(self) -> float:
        """How often the exchange wants to hear about this job; often enough for its lease."""
        asked = self.job.get("heartbeat_seconds")
        return max(float(asked), 0.1) if isinstance(asked, int | float) else float("inf")

    def work(self) -> Answer | None:
        """Do the job; None when the lease was lost and nobody waits for an answer."""
        begun = time.monotonic()
        try:
            outcome = self._outcome()
        except Exception as error:  # our own fault must not cost the exchange its answer
            log.exception("job %s: the miner itself failed", self.id)
            outcome = Outcome(code="ENGINE_ERROR", message=f"{type(error).__name__}: {error}"[:500])
        finally:
            self.shop.journal.input_file(self.id).unlink(missing_ok=True)
        return None if self.lost else self._answer(outcome, time.monotonic() - begun)

    def stop(self, code: str, message: str) -> None:
        """End the job with this failure, wherever it is."""
        with self._lock:
            self._stopped = self._stopped or (code, message)
            child = self._child
        self._stop.set()
        if child:
            child.stop(code, message)

    def drop(self) -> None:
        """End the job without an answer: the exchange has given it to someone else."""
        self.lost = True
        self.stop("CANCELLED", "the lease was lost")

    def ask_checkpoint(self) -> None:
        """Have the engine's state written down, if it has one."""
        with self._lock:
            if self._child:
                self._child.ask_checkpoint(self.id)

    def report(self) -> dict[str, Any]:
        """Return what a heartbeat says about this job."""
        told = {"job_id": self.id, "attempt": self.attempt, "progress": round(self.progress, 4), "note": self.note}
        return told | ({"checkpointed": True} if self.checkpointed else {})

    def _outcome(self) -> Outcome:
        engine = self._engine()
        if engine is None:
            return Outcome(code="REFUSED", message=f"this miner offers {', '.join(sorted(self.shop.task_types))}")
        try:
            payload, input_file = self._payload()
        except (ValueError, RecursionError) as error:
            return Outcome(code="BAD_INPUT", message=str(error)[:500])
        except Rejected as error:
            return Outcome(code="REFUSED", message=f"the input cannot be had: {error}"[:500])
        except TryLater as error:
            return Outcome(code="ENGINE_ERROR", message=f"the input cannot be had: {error}"[:500])
        return self._compute(engine, payload, input_file)

    def _engine(self) -> str | None:
        payload = self.job.get("payload")
        payload = payload if isinstance(payload, dict) else {}
        asked = self.job.get("task_type") or payload.get("type") or payload.get("task_type")
        if asked is None and payload.get("prompt") is not None:
            asked = "inference"  # the oldest clients name no type
        return self.shop.task_types.get(str(asked))

    def _payload(self) -> tuple[dict[str, Any], Path | None]:
        """Return payload and input file. A payload too long for the poll's answer comes as the input."""
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
        file = self.shop.journal.input_file(self.id)
        limit, backoff = self.shop.options.input_mb * 2**20, Backoff(limit=5)
        self.note = "downloading the input"
        for tries_left in reversed(range(DOWNLOAD_TRIES)):
            try:
                self.shop.exchange.download(
                    self.id, file, sha256=source.get("sha256"), limit=limit, going=lambda: not self._stop.is_set()
                )
                return file
            except TryLater as error:
                if not tries_left or self._stop.wait(backoff.next(error.retry_after)):
                    raise
        raise AssertionError("the last try either returns or raises")

    def _compute(self, engine: str, payload: dict[str, Any], input_file: Path | None) -> Outcome:
        child = self.shop.pool.take(engine, devices_of(self.job))
        with self._lock:
            self._child = child
            stopped = self._stopped
        if stopped:  # cancelled while we downloaded or the process started
            child.stop(*stopped)
        order = {
            "job": self.id,
            "payload": payload,
            "input": str(input_file.resolve()) if input_file else None,
            "state": self.shop.journal.checkpoint(self.id),
        }
        try:
            return child.run(order, seconds=self._seconds(), hooks=Hooks(self._progressed, self._saved))
        finally:
            with self._lock:
                self._child = None
            self.shop.pool.give(child)

    def _seconds(self) -> float:
        asked = self.job.get("timeout_seconds")
        limit = self.shop.options.job_seconds
        return min(asked, limit) if isinstance(asked, int | float) and asked > 0 else limit

    def _progressed(self, fraction: float, note: str) -> None:
        self.progress, self.note = fraction, note

    def _saved(self, state: Any) -> None:
        self.shop.journal.save_checkpoint(self.id, state)
        self.checkpointed = True
        log.info("job %s: checkpoint written", self.id)

    def _answer(self, outcome: Outcome, seconds: float) -> Answer:
        metrics = {"duration_ms": round(seconds * 1000), "peak_memory_mb": outcome.peak_mb}
        if outcome.result is not None:
            body = {"result": outcome.result, "metrics": metrics}
            if len(json.dumps(body)) <= RESULT_LIMIT:
                return self._attempted("result", body)
            outcome = Outcome(code="ENGINE_ERROR", message="the result is larger than 16 MiB")
        return self._attempted("fail", failure(outcome.code, outcome.message) | {"metrics": metrics})

    def _attempted(self, verb: str, body: dict[str, Any]) -> Answer:
        return Answer(self.id, self.attempt, verb, body | self.fence)


def failure(code: str, message: str) -> dict[str, Any]:
    """Return the body of a failure."""
    return {"error_code": code, "error_message": message, "error": message}

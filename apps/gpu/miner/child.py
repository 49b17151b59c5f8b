"""The process in which an engine runs: jobs come in on stdin, reports go out on what was stdout, a JSON line each.

In:  {"job": id, "payload": {...}, "input": path|null, "state": checkpoint|null}     one job after another
     {"checkpoint": id}                                        report that job's last state now
Out: {"progress": 0..1, "note": text} · {"checkpoint": state, "job": id}
     {"result": {...}, "peak_mb": n} · {"error": {"code": ..., "message": ...}}
The process is expendable: it dies with its parent, at its memory limit, and whenever the parent kills it.
"""

import ctypes
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from apps.gpu.logic.encoding import MAX_DEPTH, RESULT_LIMIT, Unencodable, dumped, plain, valid_text
from apps.gpu.miner import engines

PR_SET_PDEATHSIG = 1
PROGRESS_INTERVAL = 0.1  # seconds; nobody reads more often
MESSAGE_LIMIT = 2000


class EngineJob(TypedDict):
    """One job as it is sent to the process."""

    job: str
    payload: dict[str, Any]
    input: str | None
    state: Any


def main(engine: str, memory_mb: int, parent: int) -> None:
    """Run jobs on one engine until stdin ends; `parent` is the process id of the miner."""
    _die_with(parent)
    _limit_memory(memory_mb)
    # What libraries print must not get between the reports: descriptor 1 becomes stderr.
    reports = Reports(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[EngineJob] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, jobs, reports), daemon=True).start()
    while True:
        reports.send(_final_report(engine, jobs.get(), reports))


class Reports:
    """Sends reports to the parent; keeps the running job's last state."""

    def __init__(self, stream: BinaryIO):
        self._stream, self._lock = stream, threading.Lock()
        self._last_sent = 0.0
        self._job = ""
        self._state: Any = None

    def begin(self, job: EngineJob) -> None:
        """Replace the previous job's state: it may have been another client's."""
        self._job, self._state = job["job"], job["state"]

    def send(self, report: dict[str, Any]) -> None:
        """Write one line."""
        line = dumped(report) + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()

    def progress(self, fraction: float, note: str, state: Any) -> None:
        """Report progress, at most once per interval; keep the state for a later checkpoint."""
        if state is not None:
            self._state = state
        if (now := time.monotonic()) - self._last_sent >= PROGRESS_INTERVAL:
            self._last_sent = now
            self.send({"progress": fraction, "note": valid_text(str(note))[:200]})

    def checkpoint(self, job: str) -> None:
        """Report the last state that the engine named for this job, if there is one."""
        state = self._state
        if state is None or job != self._job:
            return
        try:
            report = {"checkpoint": plain(state), "job": job}
        except (Unencodable, RuntimeError):  # RuntimeError: the engine changes it just now
            return
        self.send(report)


def _final_report(engine: str, job: EngineJob, reports: Reports) -> dict[str, Any]:
    """Run one job; return its result or its typed failure."""
    reports.begin(job)
    input_file = Path(job["input"]) if job["input"] else None
    try:
        progress = engines.Progress(reports.progress, input=input_file, state=job["state"])
        result: Any = engines.load(engine).run(job["payload"], progress)
        if not isinstance(result, dict):
            raise engines.EngineFailure("the engine returned something that is no JSON object")
        return {"result": _checked(result), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    except engines.EngineFailure as failure:
        return _error(failure.code, str(failure))
    except Exception as error:  # noqa: BLE001 an engine may raise anything: the parent logs it as a typed failure
        return _error(_code(error), f"{type(error).__name__}: {error}")


def _checked(result: dict[str, Any]) -> Any:
    """Return the result as the exchange takes it, inside a delivery. Raises EngineFailure where it cannot be."""
    try:
        checked = plain(result, depth=MAX_DEPTH - 1)
    except Unencodable as error:
        raise engines.EngineFailure(f"the result cannot be encoded as JSON: {error}") from error
    if len(dumped(checked)) > RESULT_LIMIT:
        raise engines.EngineFailure("the result is larger than 16 MiB")
    return checked


def _code(error: Exception) -> str:
    """Memory errors have many names: MemoryError, torch.OutOfMemoryError, cupy's, RuntimeError of C++."""
    text = f"{type(error).__name__} {error}".lower()
    out = isinstance(error, MemoryError) or any(word in text for word in ("outofmemory", "out of memory", "bad_alloc"))
    return "OUT_OF_MEMORY" if out else "ENGINE_ERROR"


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": valid_text(message[:MESSAGE_LIMIT])}}


def _receive(stream: BinaryIO, jobs: "queue.SimpleQueue[EngineJob]", reports: Reports) -> None:
    """Read the parent's messages; the end of the stream means that the parent is gone, or ends this process."""
    for line in stream:
        message = json.loads(line)
        if "payload" in message:
            jobs.put(message)
        else:
            reports.checkpoint(message["checkpoint"])
    os._exit(0)


def _die_with(parent: int) -> None:
    """Request SIGKILL from the kernel when the parent's thread ends; exit if the parent ended before."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def _limit_memory(megabytes: int) -> None:
    """Bound private writable memory. RLIMIT_AS would also count the address space that CUDA and BLAS only reserve."""
    if megabytes:
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20, megabytes * 2**20))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

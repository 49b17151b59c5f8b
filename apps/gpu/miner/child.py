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
from typing import Any, BinaryIO

from apps.gpu.miner import engines

PR_SET_PDEATHSIG = 1
PROGRESS_INTERVAL = 0.1  # seconds; more often tells nobody anything
MESSAGE_LIMIT = 2000


def main(engine: str, memory_mb: int, parent: int) -> None:
    """Serve jobs for one engine until stdin ends."""
    _die_with(parent)
    _limit_memory(memory_mb)
    # What libraries print must not get between the reports: descriptor 1 becomes stderr.
    reports = Reports(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, orders, reports), daemon=True).start()
    while True:
        reports.send(_answer(engine, orders.get(), reports))


class Reports:
    """The way back to the parent."""

    def __init__(self, stream: BinaryIO):
        self._stream, self._lock = stream, threading.Lock()
        self._last_sent = 0.0
        self._job, self._state = "", None

    def begin(self, job: dict[str, Any]) -> None:
        """Forget the last job's state: it may have been another client's."""
        self._job, self._state = job["job"], job["state"]

    def send(self, report: dict[str, Any]) -> None:
        """Write one line."""
        line = json.dumps(report, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()

    def progress(self, fraction: float, note: str, state: Any) -> None:
        """Tell progress, not too often; remember the state for when it is asked for."""
        if state is not None:
            self._state = state
        if (now := time.monotonic()) - self._last_sent >= PROGRESS_INTERVAL:
            self._last_sent = now
            self.send({"progress": fraction, "note": str(note)[:200]})

    def checkpoint(self, job: str) -> None:
        """Hand over the last state the engine named for this job, if it ever named one."""
        state = self._state
        if state is not None and job == self._job:
            self.send({"checkpoint": state, "job": job})


def _answer(engine: str, job: dict[str, Any], reports: Reports) -> dict[str, Any]:
    """Run one job and say how it ended."""
    reports.begin(job)
    input_file = Path(job["input"]) if job["input"] else None
    try:
        progress = engines.Progress(reports.progress, input=input_file, state=job["state"])
        result = engines.load(engine).run(job["payload"], progress)
        if not isinstance(result, dict):
            raise engines.EngineFailure("the engine returned something that is no JSON object")
        json.dumps(result, allow_nan=False)
        return {"result": result, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    except engines.EngineFailure as failure:
        return _error(failure.code, str(failure))
    except Exception as error:  # an engine may raise anything: it becomes its typed failure
        return _error(_code_of(error), f"{type(error).__name__}: {error}")


def _code_of(error: Exception) -> str:
    """Memory errors have many names: MemoryError, torch.OutOfMemoryError, cupy's, RuntimeError of C++."""
    said = f"{type(error).__name__} {error}".lower()
    out = isinstance(error, MemoryError) or any(word in said for word in ("outofmemory", "out of memory", "bad_alloc"))
    return "OUT_OF_MEMORY" if out else "ENGINE_ERROR"


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message[:MESSAGE_LIMIT].encode("utf-8", "replace").decode()}}


def _listen(stream: BinaryIO, orders: queue.SimpleQueue, reports: Reports) -> None:
    """Read the parent's orders; the end of the stream means that the parent is gone, or wants us gone."""
    for line in stream:
        order = json.loads(line)
        if "payload" in order:
            orders.put(order)
        else:
            reports.checkpoint(order["checkpoint"])
    os._exit(0)


def _die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent's thread ends; the parent may have ended before we asked."""
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

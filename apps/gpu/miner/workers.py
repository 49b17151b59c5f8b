"""The parent's side of the child processes: start them, give them jobs, keep their limits, kill them."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from apps.gpu.logic.encoding import RESULT_LIMIT, decoded
from apps.gpu.miner.child import EngineJob

REPORT_LIMIT = RESULT_LIMIT + 4096  # bytes of one report: a result and what is around it
TOO_LONG: dict[str, Any] = {}  # stands for a report above the limit
KILL_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
IDLE_SECONDS = 300.0  # a child with its model loaded waits this long for the next job
ROOT = Path(__file__).resolve().parents[3]

# A child gets what libraries need to find their GPU and their models, never the miner's key.
PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "USER")
PASSED_ON_PREFIXES = (
    "LC_", "CUDA_", "NVIDIA_", "OMP_", "OPENBLAS_", "MKL_", "HF_", "PYTHON",
    "AITBC_INFERENCE_", "AITBC_GGUF", "AITBC_WHISPER", "AITBC_ENGINE_",
)  # fmt: skip

# PDEATHSIG is tied to the *thread* that forked: all children are started by this one, which lives as long as we do.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


@dataclass(frozen=True)
class Outcome:
    """How a job ended: a result, or a typed failure; `peak_mb` is the memory used."""

    result: dict[str, Any] | None = None
    code: str = ""
    message: str = ""
    peak_mb: int = 0


@dataclass
class Hooks:
    """Calls made while a job runs: progress (fraction, note) and checkpoint (state)."""

    progress: Callable[[float, str], None] = lambda fraction, note: None
    checkpoint: Callable[[object], None] = lambda state: None


class Child:
    """One process, one engine, one job at a time; `gpu_uuids` are the GPUs it sees (None: all)."""

    def __init__(self, engine: str, memory_mb: int, threads: int, gpu_uuids: tuple[str, ...] | None = None):
        self.engine, self.gpu_uuids = engine, gpu_uuids
        self.idle_since = time.monotonic()
        self.usable = True
        self._stopped: tuple[str, str] | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="aitbc-miner-")
        self._process = _SPAWNER.submit(self._start, memory_mb, threads).result()
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._stderr = _Tail(cast(BufferedReader, self._process.stderr))

    def _start(self, memory_mb: int, threads: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "apps.gpu.miner.child", self.engine, str(memory_mb), str(os.getpid())]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._scratch.name,
            env=_environment(threads, self.gpu_uuids),
            start_new_session=True,
        )

    def run(self, job: EngineJob, *, seconds: float, hooks: Hooks) -> Outcome:
        """Run a job until its end, its time limit, or the death of the process; return how it ended."""
        deadline = time.monotonic() + seconds
        try:
            self._send(job)
            outcome = self._follow(job["job"], deadline, seconds, hooks)
        except OSError:  # the pipe broke: the process died before it read the job
            outcome = None
        except (ValueError, LookupError, TypeError, RecursionError) as error:  # no report, or one with other members
            outcome = Outcome(code="ENGINE_ERROR", message=f"the engine's process sent no report: {error}"[:300])
        if outcome is None:
            outcome = self._exit_outcome()
        if outcome.result is None and outcome.code not in ("BAD_INPUT", "REFUSED"):
            self.close()
        self.idle_since = time.monotonic()
        return outcome

    def stop(self, code: str, message: str) -> None:
        """Kill the process, from any thread; the job that runs in it ends with this failure."""
        self._stopped = self._stopped or (code, message)
        self._signal(signal.SIGTERM)
        timer = threading.Timer(KILL_GRACE, self._signal, args=(signal.SIGKILL,))
        timer.daemon = True
        timer.start()

    def request_checkpoint(self, job: str) -> None:
        """Request the engine's last state of this job; it arrives as a report."""
        with suppress(OSError, ValueError):  # the process is gone, and its job's thread is about to notice
            self._send({"checkpoint": job})

    def close(self) -> None:
        """Kill the process for good and reap it; one that hangs in a call of the kernel ends by itself, or never."""
        self.usable = False
        self._signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_GRACE)
        for stream in (self._stdin, self._stdout):
            with suppress(OSError):  # closing flushes what the dead process will never read
                stream.close()
        self._scratch.cleanup()

    @property
    def alive(self) -> bool:
        """Whether it can take another job."""
        return self.usable and self._stopped is None and self._process.poll() is None

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def _send(self, message: EngineJob | dict[str, str]) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")
        self._stdin.flush()

    def _follow(self, job: str, deadline: float, seconds: float, hooks: Hooks) -> Outcome | None:
        """Read reports until the final one; None when the stream ends without one."""
        for report in _reports(self._stdout.fileno(), deadline):
            if report is TOO_LONG:
                return Outcome(code="ENGINE_ERROR", message="the result is larger than 16 MiB")
            if report is None:
                return Outcome(code="ENGINE_ERROR", message=f"time limit of {seconds:.0f} s exceeded")
            if "error" in report:
                return Outcome(**report["error"])
            if "result" in report:
                return Outcome(result=report["result"], peak_mb=report["peak_mb"])
            _call_hooks(report, job, hooks)
        return None

    def _exit_outcome(self) -> Outcome:
        """Return what the end of the process means: stopped by this miner, out of memory, or a crash."""
        self.usable = False
        try:
            status = self._process.wait(KILL_GRACE)
        except subprocess.TimeoutExpired:
            status = 0  # it closed its stream and lives on; close() will end it
        if self._stopped:
            return Outcome(code=self._stopped[0], message=self._stopped[1])
        output = self._stderr.text()
        if "bad_alloc" in output or "MemoryError" in output or status == -signal.SIGKILL:
            return Outcome(code="OUT_OF_MEMORY", message="the engine was ended, most likely for want of memory")
        end = signal.Signals(-status).name if status < 0 else f"status {status}"
        return Outcome(
            code="ENGINE_ERROR", message=f"the engine's process ended with {end}: {output[-300:]}".rstrip(": \n")
        )

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):  # it ended between poll and kill
                os.killpg(self._process.pid, number)


@dataclass
class Pool:
    """Children that wait with their model loaded, so that the next job of the same kind starts at once."""

    memory_mb: int
    threads: int
    size: int
    _idle: list[Child] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, engine: str, gpu_uuids: tuple[str, ...] | None = None) -> Child:
        """Return a waiting child of this engine that sees just these GPUs (None: all), else a new one."""
        with self._lock:
            alike = (child for child in self._idle if (child.engine, child.gpu_uuids) == (engine, gpu_uuids))
            waiting = next((child for child in alike if child.alive), None)
            if waiting:
                self._idle.remove(waiting)
        return waiting or Child(engine, self.memory_mb, self.threads, gpu_uuids)

    def release(self, child: Child) -> None:
        """Take a child back; those dead, idle for long, or too many are ended."""
        with self._lock:
            self._idle.append(child)
            oldest = time.monotonic() - IDLE_SECONDS
            keep = [other for other in self._idle if other.alive and other.idle_since > oldest][-self.size :]
            ended, self._idle = [other for other in self._idle if other not in keep], keep
        for other in ended:
            other.close()

    def close(self) -> None:
        """End them all."""
        with self._lock:
            ended, self._idle = self._idle, []
        for child in ended:
            child.close()


def _call_hooks(report: dict[str, Any], job: str, hooks: Hooks) -> None:
    if "progress" in report:
        hooks.progress(report["progress"], report["note"])
    elif report["job"] == job:  # else it was requested just as the previous job ended
        hooks.checkpoint(report["checkpoint"])


def _environment(threads: int, gpu_uuids: tuple[str, ...] | None) -> dict[str, str]:
    passed = {k: v for k, v in os.environ.items() if k in PASSED_ON or k.startswith(PASSED_ON_PREFIXES)}
    path = os.pathsep.join(filter(None, [str(ROOT), passed.get("PYTHONPATH")]))
    visible = {} if gpu_uuids is None else {"CUDA_VISIBLE_DEVICES": ",".join(gpu_uuids)}
    return {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false", **passed, "PYTHONPATH": path, **visible}


def _reports(descriptor: int, deadline: float) -> Iterator[dict[str, Any] | None]:
    """Yield the reports on this pipe; None when the time is up, TOO_LONG at an endless line; ends with the pipe."""
    buffer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(max(deadline - time.monotonic(), 0)):
                yield None
            if not (data := os.read(descriptor, 1 << 16)):
                return
            buffer += data
            if len(buffer) > REPORT_LIMIT:
                yield TOO_LONG
            while (end := buffer.find(b"\n")) >= 0:
                yield json.loads(buffer[:end])
                del buffer[: end + 1]


class _Tail:
    """Keeps the last few kilobytes of a child's stderr, and keeps the pipe from filling up."""

    def __init__(self, stream: BufferedReader):
        self._last = bytearray()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: BufferedReader) -> None:
        with stream:
            while data := stream.read1(4096):
                self._last += data
                del self._last[:-4096]

    def text(self) -> str:
        """Return the end of the output, once the stream has ended."""
        self._thread.join(1)
        return decoded(bytes(self._last))

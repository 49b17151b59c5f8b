"""What waiting costs: 1,000 idle long polls and 100 open event streams on two web workers, and how fast one is woken.

It runs the dispatcher around the test suite's tiny site, so that the server alone is measured. The load
generator is this process; only the workers are measured.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aitbc.core.management.commands.serve import flags
from bench.progress import step
from bench.report import Measurement

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
POLL = "POST /poll?topic=work:1&wait=60"
POLLS, STREAMS, WAKES, SECONDS, WORKERS = 1000, 100, 200, 10, 2
RATED = 2000


def _request(line: str) -> bytes:
    return f"{line} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n".encode()


class Load:
    """Clients that wait: each poll starts again as soon as it was answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered: asyncio.Queue[float] = asyncio.Queue()
        self.opened = 0

    async def request(self, line: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(_request(line))
        return reader, writer

    async def poll(self) -> None:
        reader, writer = await self.request(POLL)
        self.opened += 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            now = time.perf_counter()
            length = next((int(row[15:]) for row in head.lower().split(b"\r\n") if row[:15] == b"content-length:"), 0)
            await reader.readexactly(length)
            if head.startswith(b"HTTP/1.1 200"):
                self.answered.put_nowait(now)
            writer.write(_request(POLL))

    async def stream(self) -> None:
        reader, _writer = await self.request("GET /events")
        await reader.readuntil(b"\r\n\r\n")
        self.opened += 1
        while await reader.read(65536):
            pass

    async def rate(self, line: str) -> float:
        """Ordinary requests per second over eight connections, each opened for it."""
        clock = time.perf_counter()
        await asyncio.gather(*(self._repeat(line, RATED // 8) for _ in range(8)))
        return RATED / (time.perf_counter() - clock)

    async def _repeat(self, line: str, times: int) -> None:
        for _ in range(times):
            await self.get(line)

    async def get(self, line: str) -> float:
        """Seconds until an ordinary request was answered."""
        started = time.perf_counter()
        reader, writer = await self.request(line)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return time.perf_counter() - started


class Workers:
    """The granian workers under one main process, as the kernel sees them."""

    def __init__(self, main: int) -> None:
        self.pids = Path(f"/proc/{main}/task/{main}/children").read_text().split()

    def cpu_seconds(self) -> float:
        rows = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids)
        return sum(int(row[11]) + int(row[12]) for row in rows) / TICKS

    def status(self, name: str) -> int:
        rows = (row for pid in self.pids for row in Path(f"/proc/{pid}/status").read_text().splitlines())
        return sum(int(row.split()[1]) for row in rows if row.startswith(name + ":"))


def started(folder: Path, port: int, workers: int) -> subprocess.Popen[bytes]:
    for name in ("run", "waiting", "taken"):
        (folder / name).mkdir()
    (folder / "events").touch()
    command = [Path(sys.executable).parent / "granian", *flags("127.0.0.1", port, workers)[:-1], "tests.serve.site:app"]
    environ = {**os.environ, "AITBC_TEST_SITE": str(folder), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list((folder / "run").glob("wake/*.sock"))) < workers:
        time.sleep(0.05)
    time.sleep(0.5)  # they listen right after the socket is there
    return process


async def measured(port: int, main: int) -> list[Measurement]:
    load, workers = Load(port), Workers(main)
    alone = await load.rate("GET /echo")
    at_rest = workers.status("VmRSS")
    clients = [asyncio.create_task(load.poll()) for _ in range(POLLS)]
    clients += [asyncio.create_task(load.stream()) for _ in range(STREAMS)]
    while load.opened < len(clients):
        await asyncio.sleep(0.1)
    await asyncio.sleep(2)

    before, clock = workers.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(SECONDS)
    share = (workers.cpu_seconds() - before) / (time.perf_counter() - clock)
    memory, threads = workers.status("VmRSS"), workers.status("Threads")
    beside = await load.rate("GET /echo")
    wakes = [await woken(load) for _ in range(WAKES)]
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    alone = statistics.mean((alone, await load.rate("GET /echo")))

    waiting = f"{POLLS} polls, {STREAMS} streams, {WORKERS} workers, tiny views"
    note = f"{beside:.0f}/s beside them, {alone:.0f}/s before and after"
    return [
        Measurement("waiting clients: CPU of a core", share * 100, "%", "<= 5", waiting),
        Measurement(
            "waiting clients: memory of the workers", memory / 1024, "MB", "", f"{at_rest / 1024:.0f} MB before"
        ),
        Measurement("waiting clients: threads of the workers", threads, "", "<= 40"),
        Measurement("ordinary requests beside them ÷ without", beside / alone, "ratio", ">= 0.85", note),
        *_quantiles("job pushed over HTTP, a poll answered", wakes, ("<= 50", "<= 250")),
    ]


async def woken(load: Load) -> float:
    """Seconds from the push of a job until one of the polls came back with it."""
    await asyncio.sleep(0.01)
    clock = time.perf_counter()
    await load.get("POST /push?topic=work:1")
    return await load.answered.get() - clock


def _quantiles(name: str, seconds: list[float], targets: tuple[str, str]) -> list[Measurement]:
    cuts = statistics.quantiles(seconds, n=100)
    return [
        Measurement(f"{name}: p50", cuts[49] * 1000, "ms", targets[0]),
        Measurement(f"{name}: p99", cuts[98] * 1000, "ms", targets[1]),
    ]


def run() -> list[Measurement]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="serve-") as folder:
        process = started(Path(folder), port, WORKERS)
        try:
            with step(f"{POLLS} polls and {STREAMS} streams"):
                return asyncio.run(measured(port, process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=45)

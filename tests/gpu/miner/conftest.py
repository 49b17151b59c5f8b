"""A real miner process against a real HTTP server; extra engines come from a package on the path."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from apps.gpu.miner.workers import Child, Hooks, Outcome
from tests.gpu.miner.exchange import Exchange

ROOT = Path(__file__).resolve().parents[3]
MEMORY_MB = 4096
ENTRY_POINTS = """[aitbc.engines]
sleeper = tests.gpu.miner.faulty_engines:Sleeper
crasher = tests.gpu.miner.faulty_engines:Crasher
broken = tests.gpu.miner.faulty_engines:Broken
"""


class MinerProcess:
    """`python -m apps.gpu.miner run`, steered by signals."""

    def __init__(self, exchange: Exchange, folder: Path, *arguments: str):
        self.state_dir = folder / "state"
        environment = os.environ | {
            "AITBC_MINER_KEY": "the-key",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'plugins'}",
            "NO_PROXY": "127.0.0.1",
        }
        command = [
            sys.executable,
            "-m",
            "apps.gpu.miner",
            "run",
            "--url",
            exchange.url,
            "--state-dir",
            str(self.state_dir),
        ]
        self.log = folder / "miner.log"
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*command, *arguments], env=environment, stderr=log, cwd=folder)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 60) -> int:
        """Wait for its end; return the exit status."""
        return self.process.wait(seconds)


@pytest.fixture
def exchange():
    """The server."""
    server = Exchange()
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path):
    """A working folder, with the plugin package's metadata in it."""
    info = tmp_path / "plugins" / "faulty_engines-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-engines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return tmp_path


@pytest.fixture
def start(folder):
    """Start miners; what is left of them is killed at the end."""
    started = []

    def _start(server: Exchange, *arguments: str) -> MinerProcess:
        started.append(MinerProcess(server, folder, *arguments))
        return started[-1]

    yield _start
    for miner in started:
        miner.process.kill()
        miner.process.wait()
        if miner.process.returncode not in (0, -signal.SIGKILL):
            print(miner.log.read_text())


@pytest.fixture
def compute():
    """Run payloads on an engine; one child per engine and test."""
    children: dict[str, Child] = {}

    def _compute(engine: str, payload: dict, input_file=None, **hooks) -> Outcome:
        if engine not in children or not children[engine].alive:
            children[engine] = Child(engine, MEMORY_MB, threads=2)
        job = {"job": "j", "payload": payload, "input": input_file and str(input_file), "state": None}
        return children[engine].run(job, seconds=110, hooks=Hooks(**hooks))

    yield _compute
    for child in children.values():
        child.close()

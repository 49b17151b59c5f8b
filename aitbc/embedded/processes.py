"""Starting programs that cannot outlive us, whatever ends us."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1
NOBODY = 65534
_libc = ctypes.CDLL(None, use_errno=True)


class ServerFailed(Exception):
    """An embedded server cannot run; the message says why and where its log is."""


def die_with(parent: int, number: int) -> None:
    """Ask the kernel for this signal when the parent dies (Linux only: elsewhere a parent's SIGKILL goes unnoticed)."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died in between
        os._exit(1)


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    out: IO[Any] | int | None = None,
    drop_root: bool = False,
    death_signal: int = signal.SIGTERM,
    own_group: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a program that gets `death_signal` when this process dies, even by SIGKILL; in a process group of its own.

    With `drop_root`, a program started by root runs as nobody (PostgreSQL refuses to run as root). The order matters:
    a change of user clears the death signal.
    """
    parent = os.getpid()

    def prepare() -> None:
        if drop_root and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        die_with(parent, death_signal)

    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL if own_group else None,
        stdout=out,
        stderr=subprocess.STDOUT if out is not None else None,
        preexec_fn=prepare,
        start_new_session=own_group,
        cwd="/" if drop_root and os.geteuid() == 0 else None,
    )


def stop(process: subprocess.Popen[bytes], *, first: int = signal.SIGTERM, seconds: float = 20) -> None:
    """Ask a program to end, and end it and its group when it does not within the time."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End what an ended program started and left behind: it would go on serving beside its successor."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

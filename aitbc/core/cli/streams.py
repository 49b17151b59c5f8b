"""Standard streams that are full, or closed: one line says so, and the command ends."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import OutputWrapper

from aitbc.core.cli import errors, text


class OutputLost(Exception):
    """What the command printed cannot be written; its text is the reason."""


class StandardOutput(io.TextIOWrapper):
    """Standard output; raises OutputLost where it cannot be written, and leaves quietly when nobody reads the pipe."""

    def write(self, written: str) -> int:
        try:
            return super().write(written)
        except OSError as error:
            raise lost(error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise lost(error) from None


def lost(error: OSError) -> BaseException:
    """What to raise; the rest of the output goes nowhere, so that it does not fail again as the program ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return SystemExit(1) if error.errno == errno.EPIPE else OutputLost(error.strerror)


@contextmanager
def guarded() -> Iterator[None]:
    """StandardOutput in the place of standard output. Raises OutputLost where that is full or closed."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the program runs
    replaced: Any = sys.stdout
    if replaced is None:
        raise OutputLost("it is closed")
    by_line = replaced.line_buffering or replaced.write_through
    descriptor = open(1, "wb", closefd=False)  # noqa: SIM115 - it is the program's
    output = StandardOutput(descriptor, replaced.encoding, "backslashreplace", line_buffering=by_line)
    sys.stdout = output
    try:
        yield
    finally:
        sys.stdout = replaced
        output.flush()


def report(error: OutputLost) -> int:
    """Say on standard error that the output is lost; return the exit status."""
    failure = errors.Failure(f"cannot write the output: {error}", code="no_output")
    sys.stderr.write(f"{errors.as_json(failure) if '--json' in sys.argv else failure}\n")
    return failure.returncode


class Printed(OutputWrapper):
    """A command's stream: control characters of what it prints are shown, not sent."""

    def write(self, msg: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None) -> None:  # type: ignore[override]
        super().write(text.printable(str(msg)), style_func, ending)

"""The first moments of a web worker."""

from __future__ import annotations

import signal
import sys


def exit_while_loading() -> None:
    """Let SIGTERM and SIGINT end a worker that is still loading; call it before any slow import.

    A forked granian worker inherits its parent's handlers, which only raise a flag that nobody reads here, until it
    installs its own after the application was imported. A server stopped in that second would wait out its whole kill
    timeout.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        if (getattr(handler, "__module__", None) or "").startswith("granian"):
            signal.signal(number, signal.SIG_DFL)
            if getattr(getattr(handler, "__self__", None), "interrupt_signal", False):
                sys.exit()  # a stop that came between the fork and here

"""The first moments of a web worker."""

from __future__ import annotations

import signal


def stay_mortal() -> None:
    """Let SIGTERM and SIGINT end a worker that is still loading.

    A forked granian worker inherits its parent's handlers, which do nothing here, until it installs its own after the
    application was imported; a server stopped in that second would wait out its whole kill timeout.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        owner = getattr(signal.getsignal(number), "__module__", None) or ""
        if owner.startswith("granian"):
            signal.signal(number, signal.SIG_DFL)

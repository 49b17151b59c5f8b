"""A step repeated in a thread, with growing pauses while the exchange does not respond."""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from apps.gpu.miner.client import Backoff, ExchangeError, Unavailable

LONGEST_PAUSE = 3600.0

log = logging.getLogger("aitbc.miner")


@dataclass(frozen=True)
class Loop:
    """`step` returns the seconds to pause; `wake` cuts a pause short; `end` ends the loop."""

    name: str
    step: Callable[[], float]
    wake: threading.Event
    end: threading.Event
    longest: float = 30.0  # seconds between two tries while the exchange does not respond

    def start(self) -> threading.Thread:
        """Start the loop in a thread that does not keep the program alive."""
        thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        thread.start()
        return thread

    def run(self) -> None:
        """Repeat the step until `end` is set."""
        backoff, failed = Backoff(limit=self.longest), False
        while not self.end.is_set():
            try:
                pause = self.step()
                if failed:
                    log.info("%s works again", self.name)
                failed = False
                backoff.reset()
            except Exception as error:  # noqa: BLE001 a loop that ended would leave a miner that looks alive and is not
                if self.end.is_set():
                    return
                pause, failed = backoff.next(error.retry_after if isinstance(error, Unavailable) else 0.0), True
                self._log_failure(error, pause)
            self.wake.wait(min(pause, LONGEST_PAUSE) if math.isfinite(pause) else LONGEST_PAUSE)
            if self.wake is not self.end:
                self.wake.clear()

    def _log_failure(self, error: Exception, pause: float) -> None:
        """Log with a traceback unless the exchange is the cause, which the message names."""
        traceback = None if isinstance(error, ExchangeError) else error
        log.warning("%s failed: %s; again in %.1f s", self.name, error, pause, exc_info=traceback)

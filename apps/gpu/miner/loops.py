"""A step repeated in a thread: at its own pace while it works, less and less often while the exchange is away."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from apps.gpu.miner.client import Backoff, Rejected, TryLater

log = logging.getLogger("aitbc.miner")


@dataclass(frozen=True)
class Loop:
    """`step` returns how long to pause; `wake` cuts a pause short; `end` ends the loop."""

    name: str
    step: Callable[[], float]
    wake: threading.Event
    end: threading.Event
    longest: float = 30.0  # seconds between two tries while the exchange is away

    def start(self) -> threading.Thread:
        """Begin, in a thread that does not keep the program alive."""
        thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        thread.start()
        return thread

    def run(self) -> None:
        """Repeat the step until the end."""
        backoff, failed = Backoff(limit=self.longest), False
        while not self.end.is_set():
            try:
                pause = self.step()
                if failed:
                    log.info("%s works again", self.name)
                failed = False
                backoff.reset()
            except Exception as error:  # a loop that ended would leave a miner that looks alive and is not
                if self.end.is_set():
                    return
                pause, failed = backoff.next(getattr(error, "retry_after", 0.0)), True
                self._complain(error, pause)
            self.wake.wait(pause)
            if self.wake is not self.end:
                self.wake.clear()

    def _complain(self, error: Exception, pause: float) -> None:
        ours = not isinstance(error, TryLater | Rejected)
        log.warning("%s failed: %s; again in %.1f s", self.name, error, pause, exc_info=ours)

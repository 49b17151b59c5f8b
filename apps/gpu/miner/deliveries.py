"""The outcomes of jobs on their way to the exchange: one that cannot be sent does not hold up the others."""

import logging
import threading
from collections.abc import Callable

from apps.gpu.logic.encoding import Unencodable
from apps.gpu.miner.client import ExchangeClient, Rejected, Unavailable
from apps.gpu.miner.journal import Delivery, Journal, failure

log = logging.getLogger("aitbc.miner")

DISK_PAUSE = 5.0  # seconds before a full disk is tried again
UNUSABLE = (0, 400, 413, 415, 422)  # the exchange will never take these bytes; 0: no request can be made of them
PATIENCE = 24 * 3600.0  # seconds for which one delivery is sent again while the exchange answers with errors


class Deliveries:
    """Sends what the journal has; `changed` is called after each pass."""

    def __init__(self, exchange: ExchangeClient, journal: Journal, over: threading.Event, changed: Callable[[], None]):
        self._exchange, self._journal, self._over, self._changed = exchange, journal, over, changed
        self._interrupted = journal.interrupted()

    def store(self, delivery: Delivery) -> None:
        """Add a delivery to the journal; when the disk is full, wait until it is not."""
        while not self._try_to_store(delivery):
            if self._over.wait(DISK_PAUSE):
                return

    def hand_back(self, job_id: str, attempt: int | None, reason: str, code: str = "DRAINING") -> None:
        """Deliver a failure of a job that nothing was computed for."""
        self.store(_failed(job_id, attempt, reason, code))
        log.info("job %s: handed back: %s", job_id, reason)

    def hand_back_interrupted(self) -> bool:
        """Hand back the jobs that ran when this miner died; return whether all are.

        The others, for which the disk has no room, are tried again with each pass: nothing waits for them here.
        """
        left = []
        for job_id, attempt in self._interrupted:
            if self._try_to_store(_failed(job_id, attempt, "the miner was restarted", "DRAINING")):
                log.info("job %s: handed back: the miner was restarted", job_id)
            else:
                left.append((job_id, attempt))
        self._interrupted = left
        return not left

    def send_all(self) -> float:
        """Send what is in the journal, oldest first; return the seconds to the next pass. Raises Unavailable."""
        failed: Unavailable | None = None
        pause = 3600.0 if self.hand_back_interrupted() else DISK_PAUSE
        for delivery in self._journal.pending():
            try:
                self._send(delivery)
            except Unavailable as error:
                failed = error
                if not error.responded:
                    break  # no exchange: the other deliveries would fail too
            except Exception:  # this one is tried again in the next pass
                log.exception("job %s: %s cannot be sent", delivery.job_id, delivery.verb)
                failed = failed or Unavailable("a delivery failed here")
        self._changed()
        if failed:
            raise failed
        return pause

    def _try_to_store(self, delivery: Delivery) -> bool:
        """Add a delivery to the journal, or put it aside; return whether there was room for it."""
        try:
            self._journal.add(delivery)
        except OSError as error:
            log.error("job %s: the outcome cannot be stored: %s; trying again", delivery.job_id, error)
            return False
        except ValueError as error:
            self._park_unstored(delivery, f"the {delivery.verb} cannot be encoded as JSON: {error}")
        return True

    def _send(self, delivery: Delivery) -> None:
        try:
            self._exchange.deliver(delivery.job_id, delivery.verb, delivery.body)
            log.info("job %s: %s acknowledged", delivery.job_id, delivery.verb)
        except Unavailable as error:
            if not error.responded or self._journal.age(delivery) < PATIENCE:
                raise
            return self._park(delivery, f"the exchange did not take it for a day: {error}")
        except Rejected as error:
            log.warning("job %s: %s refused for good: %s", delivery.job_id, delivery.verb, error)
            if error.status in UNUSABLE:
                return self._park(delivery, f"the exchange does not take the {delivery.verb}: {error}")
        except Unencodable as error:
            return self._park(delivery, f"the {delivery.verb} cannot be encoded as JSON: {error}")
        self._journal.acknowledge(delivery)

    def _park_unstored(self, delivery: Delivery, reason: str) -> None:
        """Put a delivery aside that is in no outbox; where the disk has no room for it, only the exchange learns."""
        try:
            self._park(delivery, reason)
        except OSError as error:
            log.error("job %s: it cannot be put aside: %s", delivery.job_id, error)
            self.hand_back(delivery.job_id, delivery.attempt, reason, "ENGINE_ERROR")

    def _park(self, delivery: Delivery, reason: str) -> None:
        """Put a delivery aside, and let the exchange know by a failure in its place. Raises OSError."""
        log.error("job %s: put aside: %s", delivery.job_id, reason)
        self._journal.park(delivery, reason)
        if delivery.verb == "result":
            self.hand_back(delivery.job_id, delivery.attempt, reason, "ENGINE_ERROR")
        else:
            self._journal.forget(delivery.job_id)


def _failed(job_id: str, attempt: int | None, reason: str, code: str) -> Delivery:
    fence = {} if attempt is None else {"attempt": attempt}
    return Delivery(job_id, attempt, "fail", failure(code, reason) | fence)

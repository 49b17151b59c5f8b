"""The miner's half of the protocol: each request to the exchange, and what its answer means for us."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx

BASE = "/gpu/v1/miners"
RETRY_LATER = {401, 403, 408, 425, 429}  # a key may be mended by the operator; the rest passes by itself


class WireError(Exception):
    """The exchange could not be asked, or said no."""


class TryLater(WireError):
    """No answer, or one that says that it may go better later."""

    def __init__(self, message: str, retry_after: float = 0.0, *, answered: bool = False):
        super().__init__(message)
        self.retry_after, self.answered = retry_after, answered


class Rejected(WireError):
    """A final no: repeating the request would change nothing."""

    def __init__(self, status: int, message: str):
        super().__init__(f"{status}: {message}")
        self.status = status


class Backoff:
    """Waiting times that double up to a limit, spread at random so that many miners do not return at once."""

    def __init__(self, first: float = 0.5, limit: float = 30.0):
        self.first, self.limit, self._failures = first, limit, 0

    def reset(self) -> None:
        """It works again."""
        self._failures = 0

    def next(self, at_least: float = 0.0) -> float:
        """Return how long to wait now; never less than the exchange asked for."""
        self._failures += 1
        ceiling = min(self.limit, self.first * 2 ** min(self._failures, 16))
        return at_least + random.uniform(ceiling / 2, ceiling)


class Polled(NamedTuple):
    """What a poll got: jobs, or the wish that we beat at once."""

    jobs: list[dict[str, Any]]
    beat_now: bool


class Exchange:
    """One exchange, spoken to with one miner's key. Threads may share it."""

    def __init__(self, url: str, key: str, miner_id: str = ""):
        self.miner_id = miner_id
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"X-Api-Key": key, "User-Agent": "aitbc-miner"},
            timeout=httpx.Timeout(20, connect=5),
            limits=httpx.Limits(max_connections=None),
        )

    def register(self, capabilities: dict[str, Any], slots: int) -> dict[str, Any]:
        """Say who we are and what we can do."""
        body = {"capabilities": capabilities, "concurrency": slots, "region": capabilities.get("region")}
        answer = self._post("/register", {name: value for name, value in body.items() if value is not None})
        self.miner_id = str(answer.get("miner_id") or self.miner_id)
        return answer

    def heartbeat(
        self, *, status: str, jobs: list[dict[str, Any]], metrics: dict[str, Any], bookings_ready: list[str]
    ) -> dict[str, Any]:
        """Say that we live and how the jobs go; the answer holds the exchange's orders."""
        body = {"status": status, "inflight": len(jobs), "jobs": jobs, "metrics": metrics}
        return self._post("/heartbeat", body | ({"bookings_ready": bookings_ready} if bookings_ready else {}))

    def poll(self, *, wait_seconds: int, free: int, attention: int | None) -> Polled:
        """Ask for work, at most for the free slots; the exchange answers when there is some or the time is up.

        `attention` is what the last heartbeat's answer said; when it has risen since, the poll ends early.
        """
        body = {"max_wait_seconds": wait_seconds, "max_jobs": free, "attention": attention}
        given = {name: value for name, value in body.items() if value is not None}
        answer = self._post("/poll", given, timeout=httpx.Timeout(wait_seconds + 15, connect=5))
        jobs = answer if isinstance(answer, list) else (answer or {}).get("jobs") or [answer]
        found = [job for job in jobs if isinstance(job, dict) and (job.get("job_id") or job.get("id"))]
        return Polled(found, isinstance(answer, dict) and bool(answer.get("beat_now")))

    def deliver(self, job_id: str, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a result or a failure."""
        return self._post(f"/{job_id}/{verb}", body, timeout=httpx.Timeout(120, connect=5))

    def errand(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer something that was asked beside jobs."""
        return self._post(path, body, timeout=httpx.Timeout(120, connect=5))

    def keys(self) -> dict[str, Any]:
        """Fetch the public keys that the exchange signs its orders with."""
        try:
            response = self._http.get("/.well-known/aitbc-keys.json")
            self._check(response)
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise TryLater(f"the exchange's keys cannot be had: {error}") from error

    def download(self, job_id: str, file: Path, *, sha256: str | None, limit: int, going: Callable[[], bool]) -> None:
        """Fetch a job's input into a file, while `going`; always from the exchange itself, whatever URL it names:
        the request carries our key."""
        digest, size = hashlib.sha256(), 0
        url = f"{BASE}/{job_id}/input"
        try:
            with self._http.stream("GET", url, headers=self._identity()) as response, open(file, "wb") as target:
                self._check(response)
                for chunk in response.iter_bytes():
                    if not going():
                        return
                    size += len(chunk)
                    if size > limit:
                        raise Rejected(413, f"the input is larger than the {limit} bytes this miner takes")
                    digest.update(chunk)
                    target.write(chunk)
        except httpx.HTTPError as error:
            raise TryLater(f"{type(error).__name__}: {error}") from error
        if sha256 and digest.hexdigest() != sha256:
            raise TryLater("the input that arrived is not the one announced (SHA-256 differs)")

    def close(self) -> None:
        """Drop the connections; a poll still waiting ends with TryLater."""
        self._http.close()

    def _post(self, path: str, body: dict[str, Any], timeout: Any = httpx.USE_CLIENT_DEFAULT) -> Any:
        try:
            response = self._http.post(BASE + path, json=body, headers=self._identity(), timeout=timeout)
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed under us
            raise TryLater(f"{type(error).__name__}: {error}") from error
        self._check(response)
        try:
            return response.json() if response.content else {}
        except ValueError as error:
            raise TryLater("the answer is not JSON; is this the exchange's address?") from error

    def _identity(self) -> dict[str, str]:
        return {"X-Miner-ID": self.miner_id} if self.miner_id else {}

    def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        response.read()
        said = _said(response)
        if response.is_server_error or response.is_redirect or response.status_code in RETRY_LATER:
            raise TryLater(f"{response.status_code}: {said}", _retry_after(response), answered=True)
        raise Rejected(response.status_code, said)


def _said(response: httpx.Response) -> str:
    try:
        body = response.json()
        return str(body.get("detail") or body.get("error") or body.get("title"))[:300]
    except (ValueError, AttributeError):
        return response.text[:300]


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(float(value), 300.0) if value.isdigit() else 0.0

"""The client of the miner protocol: each request to the exchange, and what its response means for the miner."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from apps.gpu.logic.encoding import encode, valid_text

BASE = "/gpu/v1/miners"
HINTS = {
    401: " (check AITBC_MINER_KEY; an operator makes a key with `manage.py key create … --scope miner`)",
    403: " (the key needs the scope miner)",
}
RETRY_LATER = {401, 403, 408, 425, 429}  # an operator may mend a key; the others pass by themselves

Json = dict[str, Any]


class ExchangeError(Exception):
    """A request to the exchange failed."""


class Unavailable(ExchangeError):
    """No response, or one that allows a retry; `retry_after` in seconds, `responded` where there was a response."""

    def __init__(self, message: str, retry_after: float = 0.0, *, responded: bool = False):
        super().__init__(message)
        self.retry_after, self.responded = retry_after, responded


class Rejected(ExchangeError):
    """The exchange refused the request for good: repeating it would change nothing."""

    def __init__(self, status: int, message: str):
        super().__init__(f"{status}: {message}")
        self.status = status


class Backoff:
    """Waiting times that double up to a limit, spread at random so that many miners do not return at once."""

    def __init__(self, first: float = 0.5, limit: float = 30.0):
        self.first, self.limit, self._failures = first, limit, 0

    def reset(self) -> None:
        """Start over after a success."""
        self._failures = 0

    def next(self, minimum: float = 0.0) -> float:
        """Return the seconds to wait now, at least the minimum (a response's Retry-After)."""
        self._failures += 1
        ceiling = min(self.limit, self.first * 2 ** min(self._failures, 16))
        return minimum + random.uniform(ceiling / 2, ceiling)


class PollResult(NamedTuple):
    """The jobs of a poll's response, and whether it requests a heartbeat at once."""

    jobs: list[Json]
    beat_now: bool


class ExchangeClient:
    """Requests to one exchange with one miner's key; safe to share between threads.

    Every method raises Unavailable or Rejected, and Unencodable for a body that is not JSON.
    """

    def __init__(self, url: str, key: str, miner_id: str = ""):
        self.url, self.miner_id = url, miner_id
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"X-Api-Key": key, "User-Agent": "aitbc-miner"},
            timeout=httpx.Timeout(20, connect=5),
            limits=httpx.Limits(max_connections=None),
        )

    def register(self, capabilities: Json, slots: int) -> None:
        """Register capabilities and the number of jobs at the same time; remember the id that the exchange assigns."""
        body = {"capabilities": capabilities, "concurrency": slots, "region": capabilities.get("region")}
        response = self._post("/register", {name: value for name, value in body.items() if value is not None})
        name = response.get("miner_id") if isinstance(response, dict) else None
        if isinstance(name, str) and name.isascii() and name.isprintable():  # it becomes a header
            self.miner_id = name or self.miner_id

    def heartbeat(self, *, status: str, jobs: list[Json], metrics: Json, bookings_ready: list[str]) -> Any:
        """Send status, progress of the jobs and metrics; return the response (see responses.parse)."""
        body = {"status": status, "inflight": len(jobs), "jobs": jobs, "metrics": metrics}
        return self._post("/heartbeat", body | ({"bookings_ready": bookings_ready} if bookings_ready else {}))

    def poll(self, *, wait_seconds: int, free: int, attention: int | None) -> PollResult:
        """Request at most `free` jobs; the exchange responds when there is one or the time is up.

        `attention` is the counter of the last heartbeat's response; when it has risen since, the poll ends early.
        """
        body = {"max_wait_seconds": wait_seconds, "max_jobs": free, "attention": attention}
        known = {name: value for name, value in body.items() if value is not None}
        response = self._post("/poll", known, timeout=httpx.Timeout(wait_seconds + 15, connect=5))
        listed = response.get("jobs") if isinstance(response, dict) else response
        entries = listed if isinstance(listed, list) and listed else [response]
        jobs = [job for job in entries if isinstance(job, dict) and (job.get("job_id") or job.get("id"))]
        return PollResult(jobs, isinstance(response, dict) and bool(response.get("beat_now")))

    def deliver(self, job_id: str, verb: str, body: Json) -> None:
        """Send a job's result or failure: `verb` is result or fail."""
        self._post(f"/{job_id}/{verb}", body, timeout=httpx.Timeout(120, connect=5))

    def report(self, path: str, body: Json) -> Json:
        """Report on a command or a benchmark at a path below the miners' routes; return the response."""
        response = self._post(path, body, timeout=httpx.Timeout(120, connect=5))
        return response if isinstance(response, dict) else {}

    def public_keys(self) -> Json:
        """Return the document of public keys that the exchange signs its commands with."""
        try:
            response = self._http.get("/.well-known/aitbc-keys.json")
            _raise_for_status(response)
            keys = response.json()
            return keys if isinstance(keys, dict) else {}
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise Unavailable(f"the exchange's keys cannot be had: {error}") from error

    def download(
        self, job_id: str, file: Path, *, sha256: str | None, limit: int, cancelled: Callable[[], bool]
    ) -> None:
        """Write a job's input of at most `limit` bytes to a file; stop early when `cancelled`.

        The URL is always the exchange's own, whatever the job names: the request carries the miner's key.
        """
        digest, size = hashlib.sha256(), 0
        url = f"{BASE}/{job_id}/input"
        try:
            with self._http.stream("GET", url, headers=self._identity()) as response, open(file, "wb") as target:
                _raise_for_status(response)
                for chunk in response.iter_bytes():
                    if cancelled():
                        return
                    size += len(chunk)
                    if size > limit:
                        raise Rejected(413, f"the input is larger than the {limit} bytes this miner takes")
                    digest.update(chunk)
                    target.write(chunk)
        except httpx.HTTPError as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        if sha256 and digest.hexdigest() != sha256:
            raise Unavailable("the input that arrived is not the one announced (SHA-256 differs)")

    def close(self) -> None:
        """Close the connections; a poll still waiting ends with Unavailable."""
        self._http.close()

    def _post(self, path: str, body: Json, timeout: Any = httpx.USE_CLIENT_DEFAULT) -> Any:
        content, headers = encode(body), self._identity() | {"Content-Type": "application/json"}
        try:
            response = self._http.post(BASE + path, content=content, headers=headers, timeout=timeout)
        except httpx.ConnectError as error:
            raise Unavailable(f"no exchange answers at {self.url} ({error}); AITBC_URL names its address") from error
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: another thread closed the client
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        except (ValueError, httpx.InvalidURL) as error:  # httpx cannot form this request
            raise Rejected(0, f"no request can be made of it: {error}") from error
        _raise_for_status(response)
        try:
            return response.json() if response.content else {}
        except (ValueError, RecursionError) as error:
            message = "the response is not JSON; is this the exchange's address?"
            raise Unavailable(message, responded=True) from error

    def _identity(self) -> dict[str, str]:
        return {"X-Miner-ID": self.miner_id} if self.miner_id else {}


def _raise_for_status(response: httpx.Response) -> None:
    if response.is_success:
        return
    response.read()
    detail = _detail(response)
    if response.is_server_error or response.is_redirect or response.status_code in RETRY_LATER:
        hint = HINTS.get(response.status_code, "")
        raise Unavailable(f"{response.status_code}: {detail}{hint}", _retry_after(response), responded=True)
    raise Rejected(response.status_code, detail)


def _detail(response: httpx.Response) -> str:
    try:
        body = response.json()
        return valid_text(str(body.get("detail") or body.get("error") or body.get("title")))[:300]
    except (ValueError, AttributeError, RecursionError):
        return valid_text(response.text)[:300]


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return min(float(value), 300.0) if value.isascii() and value.isdigit() else 0.0

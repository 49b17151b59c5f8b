"""Back-ends: model servers that cannot poll. They are polled for their models and fed with work.

Each has a miner row of its own, so that its work is leased, metered and paid like everybody's.
"""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from aitbc.core import outbound_http
from aitbc.core.db import atomic
from aitbc.core.errors import Conflict, DomainError, Invalid, StateConflict
from apps.gpu.errors import BackendRefused, LeaseFenced
from apps.gpu.logic.encoding import valid_text
from apps.gpu.models import Backend, Miner
from apps.gpu.services import heartbeats, leases, miners, model_servers
from apps.gpu.services.miner_cache import known_from
from apps.gpu.services.model_servers import Outcome
from apps.gpu.states import MinerState

POLL_SECONDS = 30
POLLS_AT_ONCE = 16  # one that hangs holds its thread for outbound_http.QUICK
FEED_SECONDS = 240
TAKE_SECONDS = 60  # after this a feeder takes no more: the next one does
BEAT_SECONDS = 5.0
TASKS = ("inference", "chat", "completion", "llm")
NAME_LIMIT, ERROR_LIMIT = 128, 300  # characters of a miner's name, of what is wrong with a back-end

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registration:
    """A model server to register: its address, kind (Backend.Kind), jobs at once, price in AIT per hour, region."""

    url: str
    kind: str
    concurrency: int
    price: str | None
    region: str


def add(registration: Registration, *, caller: miners.Caller, allow_listed: bool) -> Backend:
    """Register a model server under a miner of its own, fetch its models at once, and return its row.

    A server that does not answer is registered too, its miner offline. `allow_listed` permits http and private
    addresses. Raises BackendRefused for any other such address, Conflict when the owner registered this one already.
    """
    url = registration.url
    try:
        outbound_http.resolve(url, allowed=allow_listed)
    except outbound_http.Refused as refused:
        raise BackendRefused(f"The address {refused}.", errors=[{"field": "url", "message": str(refused)}]) from None
    named = miners.Caller(caller.owner_id, f"backend:{caller.key_id}"[:64], caller.key_prefix, named=_miner_name(url))
    if Backend.objects.filter(owner_id=caller.owner_id, url=url).exists():
        raise Conflict("This back-end is registered already.")
    offered = {
        "tasks": list(TASKS),
        "models": [],
        **({} if registration.price is None else {"price": registration.price}),
    }
    with atomic(Backend):
        miner = miners.register(
            named, capabilities=offered, concurrency=registration.concurrency, region=registration.region
        )
        backend = Backend(
            owner_id=caller.owner_id, miner=miner, kind=registration.kind, url=url, allow_listed=allow_listed
        )
        backend.save(force_insert=True)
    refresh(backend_id=backend.pk)
    backend.refresh_from_db()
    return backend


def remove(backend: Backend, *, actor: str) -> None:
    """Delete a model server's row and deregister its miner, which drains first while it has leases or bookings."""
    with atomic(Backend):
        backend.delete()
        miners.deregister(backend.miner, drain=True, actor=actor)


def healthy() -> list[UUID]:
    """Return the ids of the back-ends that answered their last poll."""
    return list(Backend.objects.filter(healthy=True).values_list("pk", flat=True))


def refresh_due() -> None:
    """Poll the back-ends that are due, several at once: one that hangs or fails stops no other."""
    since = timezone.now() - timedelta(seconds=POLL_SECONDS)
    due = list(Backend.objects.select_related("miner").filter(Q(polled_at=None) | Q(polled_at__lt=since)))
    with ThreadPoolExecutor(max_workers=POLLS_AT_ONCE) as pool:
        for backend, (models, error) in zip(due, pool.map(_look, due), strict=True):
            _record(backend, models, error)


def refresh(*, backend_id: UUID | str) -> bool:
    """Poll a back-end for its models and set its miner online or offline; returns whether it is of use.

    An unreachable or senseless server is no error here: its row keeps the reason in `last_error`.
    """
    backend = Backend.objects.select_related("miner").get(pk=backend_id)
    return _record(backend, *_look(backend))


def _look(backend: Backend) -> tuple[list[str], str]:
    """Return the models of the server and what is wrong with it, if anything; touches no database."""
    try:
        return model_servers.models(backend), ""
    except (outbound_http.Refused, outbound_http.Failed) as failure:
        return [], valid_text(str(failure))[:ERROR_LIMIT]
    except Exception as error:  # a fault of ours that this server brings out: the others are polled all the same
        log.exception("back-end %s cannot be polled", backend.pk)
        return [], valid_text(f"{type(error).__name__}: {error}")[:ERROR_LIMIT]


def _record(backend: Backend, models: list[str], error: str) -> bool:
    """Write what a poll found; a back-end that was changed meanwhile is left to the next poll."""
    try:
        return _store(backend, models, error)
    except StateConflict:
        return False
    except Invalid as refused:  # its offer is not taken any more: miner.max_price was lowered
        backend.miner.refresh_from_db()
        return _record(backend, [], str(refused.detail)[:ERROR_LIMIT])


def _store(backend: Backend, models: list[str], error: str) -> bool:
    miner, well, now = backend.miner, not error, timezone.now()
    with atomic(Backend):
        if not Backend.objects.filter(pk=backend.pk).update(healthy=well, last_error=error, polled_at=now):
            return False  # it was removed meanwhile
        target = MinerState.ONLINE if well else MinerState.OFFLINE
        if miner.state in (MinerState.ONLINE, MinerState.SUSPECT, MinerState.OFFLINE) and miner.state != target:
            miner.advance(target, actor=f"backend:{backend.pk}", reason=error or "it answers", changed_at=now)
        if well and models != miner.offer.get("models"):
            miners.declare(miner, capabilities={**miner.capabilities, "models": models})
    return well


def feed(*, backend_id: UUID | str) -> int:
    """Lease jobs to a back-end and run them, up to its concurrency at once; returns how many ended.

    Takes no new ones after TAKE_SECONDS. Returns 0 while another feeder of this back-end is at work.
    """
    now = timezone.now()
    free = Q(feeding_until=None) | Q(feeding_until__lt=now)
    mine = Backend.objects.filter(free, pk=backend_id)
    if not mine.update(feeding_until=now + timedelta(seconds=FEED_SECONDS + 30)):
        return 0
    try:
        return _feed(Backend.objects.select_related("miner").get(pk=backend_id), now + timedelta(seconds=TAKE_SECONDS))
    finally:
        Backend.objects.filter(pk=backend_id).update(feeding_until=None)


def _feed(backend: Backend, take_until: Any) -> int:
    """The calls run in threads without a database; leases are taken, kept alive and ended here."""
    done = 0
    running: dict[Future[Outcome], leases.Grant] = {}
    with ThreadPoolExecutor(max_workers=backend.miner.concurrency) as pool:
        while True:
            if timezone.now() < take_until:
                for grant in _take(backend, backend.miner.concurrency - len(running)):
                    running[pool.submit(model_servers.run, backend, grant.body)] = grant
            if not running:
                return done
            for future in wait(running, timeout=BEAT_SECONDS, return_when=FIRST_COMPLETED).done:
                _settle(backend, running.pop(future), future)
                done += 1
            _beat(backend)


def _take(backend: Backend, free: int) -> list[leases.Grant]:
    if free < 1:
        return []
    miner = Miner.objects.get(pk=backend.miner_id)
    return leases.grant(known_from(miner), n=free).grants


def _beat(backend: Backend) -> None:
    miner = backend.miner
    heartbeats.record(miners.Caller(miner.owner_id, miner.key_id, "", named=miner.name))


def _settle(backend: Backend, grant: leases.Grant, future: Future[Outcome]) -> None:
    holder = leases.Holder(backend.owner_id, backend.miner_id, grant.attempt)
    error = future.exception()
    outcome = (
        future.result() if error is None else Outcome(code="ENGINE_ERROR", message=f"{type(error).__name__}: {error}")
    )
    try:
        _end(grant, holder, outcome)
    except LeaseFenced:
        return  # it was withdrawn or took too long; a LateResult row is the evidence


def _end(grant: leases.Grant, holder: leases.Holder, outcome: Outcome) -> None:
    if outcome.result is not None:
        try:
            leases.complete(job_id=grant.job_id, holder=holder, result=outcome.result, metrics={})
            return
        except LeaseFenced:
            raise
        except DomainError as error:  # no result that is taken: the others of this back-end go on
            outcome = Outcome(code="ENGINE_ERROR", message=str(error.detail))
    leases.fail(job_id=grant.job_id, holder=holder, code=outcome.code, message=valid_text(outcome.message))


def _miner_name(url: str) -> str:
    """A long address ends in its digest, so that two of them are two miners."""
    name = f"backend {url}"
    if len(name) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return f"{name[: NAME_LIMIT - len(digest) - 1]} {digest}"

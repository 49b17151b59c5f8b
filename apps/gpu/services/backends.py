"""Model servers that cannot poll (Ollama, anything with OpenAI's API): polled for models, fed with work.

Each has a miner row of its own, so that its work is leased, metered and paid like everybody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Q
from django.utils import timezone

from aitbc.core import blobs, outbound_http
from aitbc.core.db import atomic
from aitbc.core.errors import Conflict, DomainError
from apps.gpu.errors import BackendRefused, LeaseFenced
from apps.gpu.logic.encoding import Unencodable, plain, valid_text
from apps.gpu.models import Backend, Miner
from apps.gpu.services import heartbeats, leases, miners
from apps.gpu.services.miner_cache import known_from
from apps.gpu.states import MinerState

POLL_SECONDS = 30
FEED_SECONDS = 240
TAKE_SECONDS = 60  # after this a feeder takes no more: the next one does
CALL_SECONDS = 150.0
BEAT_SECONDS = 5.0
TASKS = ("inference", "chat", "completion", "llm")
ANSWER_BYTES = 4 * 1024 * 1024
DEFAULT_TOKENS = 512
KINDS = Backend.Kind


@dataclass(frozen=True)
class Outcome:
    """What the model server made of a job: a result, or a typed failure."""

    result: dict[str, Any] | None = None
    code: str = ""
    message: str = ""


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
    _target(url, allow_listed)
    named = miners.Caller(
        caller.owner_id, f"backend:{caller.key_id}"[:64], caller.key_prefix, named=f"backend {url}"[:128]
    )
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


def due() -> list[UUID]:
    """Return the ids of back-ends that are due for a poll."""
    since = timezone.now() - timedelta(seconds=POLL_SECONDS)
    return list(Backend.objects.filter(Q(polled_at=None) | Q(polled_at__lt=since)).values_list("pk", flat=True))


def healthy() -> list[UUID]:
    """Return the ids of the back-ends that answered their last poll."""
    return list(Backend.objects.filter(healthy=True).values_list("pk", flat=True))


def refresh(*, backend_id: UUID | str) -> bool:
    """Poll a back-end for its models and set its miner online or offline; returns whether it answered.

    An unreachable or senseless server is no error here: its row keeps the reason in `last_error`.
    """
    backend = Backend.objects.select_related("miner").get(pk=backend_id)
    try:
        models, error = _models(backend), ""
    except (outbound_http.Refused, outbound_http.Failed) as failure:
        models, error = [], str(failure)
    miner, well = backend.miner, not error
    with atomic(Backend):
        Backend.objects.filter(pk=backend.pk).update(healthy=well, last_error=error[:300], polled_at=timezone.now())
        target = MinerState.ONLINE if well else MinerState.OFFLINE
        if miner.state in (MinerState.ONLINE, MinerState.SUSPECT, MinerState.OFFLINE) and miner.state != target:
            miner.advance(
                target, actor=f"backend:{backend.pk}", reason=error or "it answers", changed_at=timezone.now()
            )
        if well and sorted(models) != miner.offer.get("models"):
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
                    running[pool.submit(run, backend, grant.body)] = grant
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
        if outcome.result is not None:
            leases.complete(job_id=grant.job_id, holder=holder, result=outcome.result, metrics={})
        else:
            leases.fail(job_id=grant.job_id, holder=holder, code=outcome.code, message=valid_text(outcome.message))
    except LeaseFenced:
        return  # it was withdrawn or took too long; a LateResult row is the evidence
    except DomainError as error:  # no result that is taken: the others of this back-end go on
        leases.fail(job_id=grant.job_id, holder=holder, code="ENGINE_ERROR", message=valid_text(str(error.detail)))


def run(backend: Backend, body: Mapping[str, Any]) -> Outcome:
    """Run one job's body (payload, or the digest of a stored one) on the model server; returns result or failure.

    Touches no database, since it runs in a thread; whatever it raises counts as an ENGINE_ERROR.
    """
    payload = body.get("payload")
    if payload is None and body.get("input_sha256"):
        payload = orjson.loads(blobs.read(body["input_sha256"]))
    if not isinstance(payload, dict) or not (payload.get("prompt") or payload.get("messages")):
        return Outcome(code="BAD_INPUT", message="The payload needs a prompt or messages.")
    known = backend.miner.offer.get("models") or [""]
    model = str(payload.get("model") or known[0])
    try:
        answer = _generate(backend, model, payload)
    except (outbound_http.Refused, outbound_http.Failed) as failure:
        return Outcome(code="ENGINE_ERROR", message=str(failure))
    if not isinstance(answer.get("output"), str):
        return Outcome(code="INFERENCE_FAILED", message="The model server's answer has no text.")
    try:
        return Outcome(result=plain({"status": "completed", "model": model, **answer}))
    except Unencodable as error:
        return Outcome(code="ENGINE_ERROR", message=f"The model server's answer cannot be encoded as JSON: {error}")


def _generate(backend: Backend, model: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    target = _target(backend.url, backend.allow_listed)
    tokens = payload.get("max_tokens") if isinstance(payload.get("max_tokens"), int) else DEFAULT_TOKENS
    if backend.kind == KINDS.OLLAMA:
        body = {"model": model, "prompt": _prompt(payload), "stream": False, "options": {"num_predict": tokens}}
        response = outbound_http.call(
            target, "POST", "/api/generate", body=body, seconds=CALL_SECONDS, limit=ANSWER_BYTES
        )
        response = response if isinstance(response, dict) else {}
        return {"output": response.get("response"), "tokens_processed": response.get("eval_count")}
    messages = payload.get("messages") or [{"role": "user", "content": str(payload["prompt"])}]
    chat = {"model": model, "messages": messages, "max_tokens": tokens, "stream": False}
    response = outbound_http.call(
        target, "POST", "/v1/chat/completions", body=chat, seconds=CALL_SECONDS, limit=ANSWER_BYTES
    )
    choices = response.get("choices") if isinstance(response, dict) else None
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    usage = response.get("usage") if isinstance(response, dict) else None
    spent = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return {"output": (first.get("message") or {}).get("content"), "tokens_processed": spent}


def _prompt(payload: Mapping[str, Any]) -> str:
    if payload.get("prompt"):
        return str(payload["prompt"])
    turns = [turn for turn in payload["messages"] if isinstance(turn, dict)]
    return "\n".join(f"{turn.get('role', 'user')}: {turn.get('content', '')}" for turn in turns)


def _models(backend: Backend) -> list[str]:
    target = _target(backend.url, backend.allow_listed)
    path, outer, inner = (
        ("/api/tags", "models", "name") if backend.kind == KINDS.OLLAMA else ("/v1/models", "data", "id")
    )
    response = outbound_http.call(target, "GET", path)
    listed = response.get(outer) if isinstance(response, dict) else None
    if not isinstance(listed, list):
        raise outbound_http.Failed("its answer names no models")
    return sorted(
        {valid_text(str(model[inner]))[:200] for model in listed if isinstance(model, dict) and model.get(inner)}
    )


def _target(url: str, allowed: bool) -> outbound_http.Target:
    try:
        return outbound_http.resolve(url, allowed=allowed)
    except outbound_http.Refused as refused:
        raise BackendRefused(f"The address {refused}.", errors=[{"field": "url", "message": str(refused)}]) from None

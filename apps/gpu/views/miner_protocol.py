"""The protocol of miner programs: register, send heartbeats, take work, deliver it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core import blobs, params
from aitbc.core.errors import Invalid
from aitbc.core.hot_path import HotViewSet
from aitbc.core.long_polling import hold, is_internal, is_replay, undo_with
from aitbc.core.parsers import plain
from aitbc.core.renderers import DownloadRenderer
from aitbc.core.schema import NOT_THERE
from aitbc.core.viewsets import Scopes
from apps.gpu.errors import LeaseNotFound
from apps.gpu.logic import miner_payloads
from apps.gpu.models import Lease
from apps.gpu.serializers.miner_protocol import (
    AcceptedSerializer,
    AssignedSerializer,
    CalledSerializer,
    FailSerializer,
    HeartbeatSerializer,
    JobGivenUpSerializer,
    PollSerializer,
    PulseSerializer,
    RegisteredSerializer,
    RegisterSerializer,
    ResultSerializer,
)
from apps.gpu.services import heartbeats, leases, miners, requirement_classes
from apps.gpu.services.miner_cache import Known
from apps.gpu.views.identity import IDENTITY, MinerIdentity

MINER = "miner"
POLL_SECONDS = 3  # for miners that do not wait in a long poll; waiting is cheaper for both
WORK = PolymorphicProxySerializer("Polled", [AssignedSerializer, CalledSerializer], resource_type_field_name=None)
WORK_OR_NULL = OpenApiResponse(
    {"oneOf": [{"$ref": "#/components/schemas/Polled"}, {"type": "null"}]}, description="Work, a call, or null."
)
NO_WORK = OpenApiResponse(description="Nothing fits at the moment.")


class MinerProtocolViewSet(MinerIdentity, HotViewSet):
    """What a miner program calls while it runs."""

    hot_actions = frozenset({"heartbeat", "poll", "result", "fail"})

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(
        ("register", "heartbeat", "poll", "release", "result", "fail", "download"), MINER
    )
    body_limits: ClassVar[dict[str, int]] = {
        "result": leases.RESULT_BYTES + leases.INLINE_BYTES,
        "register": 256 * 1024,
    }

    @extend_schema(request=RegisterSerializer, responses={200: RegisteredSerializer, **NOT_THERE}, parameters=IDENTITY)
    def register(self, request: Request) -> Response:
        """Register a miner, or change what it offers."""
        body = self.body()
        data = self.validated(RegisterSerializer, body)
        capabilities = data.get("capabilities")
        if isinstance(capabilities, (dict, list)) is False:
            capabilities = {}
        miner = miners.register(
            self.caller(body),
            capabilities=capabilities,
            concurrency=data.get("concurrency"),
            region=data.get("region") or "",
        )
        return self.answer(
            {
                "status": "ok",
                "miner_id": miner.name,
                "id": str(miner.pk),
                "session_token": miner.session,
                "gpu_count": miner.gpus.present().count(),
                "concurrency": miner.concurrency,
                **pace(),
            }
        )

    @extend_schema(request=HeartbeatSerializer, responses={200: PulseSerializer, **NOT_THERE}, parameters=IDENTITY)
    def heartbeat(self, request: Request) -> Response:
        """Send a sign of life with the running jobs; the answer says what to stop."""
        body = self.body()
        read = self.validated(HeartbeatSerializer, {k: body[k] for k in ("jobs", "bookings_ready") if k in body})
        jobs = read.get("jobs")
        with_progress = [job for job in jobs or [] if job.get("progress") is not None]
        pulse = heartbeats.record(
            self.caller(body),
            metrics=miner_payloads.metrics_of(plain(body)),
            running=None if jobs is None else [job["job_id"] for job in jobs],
            reports=[leases.Report(job["job_id"], job["progress"], job.get("note") or "") for job in with_progress],
            bookings_ready=read.get("bookings_ready"),
        )
        return self.answer(
            {
                "status": "ok",
                "miner_id": pulse.miner.name,
                **pace(),
                "cancel": pulse.cancel,
                "checkpoint": pulse.checkpoint,
                "leases": pulse.leases,
                "bookings": pulse.bookings,
                "orders": pulse.commands,
                "attention": pulse.attention,
            }
        )

    @extend_schema(
        methods=["POST"],
        request=PollSerializer,
        responses={200: WORK, 204: NO_WORK, **NOT_THERE},
        parameters=[*IDENTITY, PollSerializer],
    )
    @extend_schema(methods=["GET"], responses={200: WORK_OR_NULL, **NOT_THERE}, parameters=[*IDENTITY, PollSerializer])
    def poll(self, request: Request) -> HttpResponseBase:
        """Take work that fits, or wait for some: 204 when there is none (200 and null on GET)."""
        body = self.body()
        query = {
            name: value
            for name, value in {**request.query_params.dict(), **body}.items()
            if name in ("max_wait_seconds", "max_jobs", "attention")
        }
        data = self.validated(PollSerializer, query)
        woken = time.monotonic() if is_replay(request) else None
        caller, n = self.caller(body), data.get("max_jobs") or 1
        known = miners.recognise(caller)
        found = leases.grant(known, n=n, newer_than=woken)
        if found.changed:
            known = miners.recognise(caller)
            found = leases.grant(known, n=n, newer_than=woken)
        if found.grants:
            return self._answer_with(known, found.grants, many=n > 1)
        if heartbeats.needs_heartbeat(known, seen_attention=data.get("attention"), woken=woken is not None):
            return self.answer({"job_id": None, "jobs": [], "beat_now": True})
        empty = (
            HttpResponse(b"null", content_type="application/json")
            if request.method == "GET"
            else HttpResponse(status=204)
        )
        return hold(topics=_topics(known, full=found.full), seconds=data.get("max_wait_seconds") or 0, empty=empty)

    @extend_schema(exclude=True, parameters=[OpenApiParameter("jobs"), OpenApiParameter("since")])
    def release(self, request: Request) -> Response:
        """Undo grants whose answer did not reach the miner; only the dispatcher may call this."""
        if not is_internal(request):
            raise Http404
        jobs = [UUID(job) for job in request.query_params["jobs"].split(",")]
        since = datetime.fromisoformat(request.query_params["since"])
        return self.answer({"released": leases.release(owner_id=self.actor.pk, job_ids=jobs, since=since)})

    @extend_schema(request=ResultSerializer, responses={200: AcceptedSerializer}, parameters=IDENTITY)
    def result(self, request: Request, job_id: UUID) -> Response:
        """Deliver the result of a job this miner holds. The same bytes again are welcome; anything late is 409."""
        body = self.body()
        if "result" not in body and not body.get("error"):
            raise Invalid("A result is required.", errors=[{"field": "result", "message": "This field is required."}])
        data = self.validated(
            ResultSerializer,
            {name: body.get(name) for name in ("metrics", "attempt", "success", "error")}
            | {"result": body.get("result", {})},
        )
        holder = self._holder(body, data.get("attempt"))
        success = False if "result" not in body else data.get("success")
        failed = miner_payloads.failure_in_result(data["result"], success=success, error=data.get("error"))
        if failed is not None:
            leases.fail(job_id=job_id, holder=holder, code=failed[0], message=failed[1])
            return self.answer(
                {"status": "ok", "job_id": str(job_id), "result": "failure recorded", "error": "recorded"}
            )
        metrics = data["metrics"] if isinstance(data.get("metrics"), dict) else {}
        leases.complete(job_id=job_id, holder=holder, result=data["result"], metrics=metrics)
        return self.answer({"status": "ok", "job_id": str(job_id), "result": "accepted"})

    @extend_schema(request=FailSerializer, responses={200: JobGivenUpSerializer}, parameters=IDENTITY)
    def fail(self, request: Request, job_id: UUID, miner: str | None = None) -> Response:
        """Report a job as failed, with the reason."""
        body = self.body()
        data = self.validated(FailSerializer, body)
        code, message = miner_payloads.failure(
            code=data.get("code") or data.get("error_code"),
            message=data.get("message") or data.get("error_message"),
            error=data.get("error"),
        )
        leases.fail(
            job_id=job_id, holder=self._holder(body, data.get("attempt"), path=miner), code=code, message=message
        )
        return self.answer({"status": "ok", "job_id": str(job_id), "code": code, "error": "recorded"})

    def get_renderers(self) -> list[BaseRenderer]:
        """A download is what it is, whatever type the client accepts."""
        return [*super().get_renderers(), *([DownloadRenderer()] if self.action == "download" else [])]

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}, parameters=IDENTITY)
    def download(self, request: Request, job_id: UUID) -> HttpResponseBase:
        """The input of a job this miner holds now."""
        holder = self._holder({}, None)
        held = Lease.objects.live().of_job(job_id).owned_by(holder.owner_id)
        lease = (held if holder.miner_id is None else held.of_miner(holder.miner_id)).first()
        if lease is None or not lease.input_sha256:
            raise LeaseNotFound("You do not hold this job, or its input came with it.")
        answer = StreamingHttpResponse(
            blobs.chunks_of(blobs.open(lease.input_sha256)), content_type="application/octet-stream"
        )
        answer["Content-Length"] = str(lease.input_size or blobs.open(lease.input_sha256).seek(0, 2))
        answer["ETag"] = f'"{lease.input_sha256}"'
        return answer

    def _holder(self, body: Mapping[str, Any], attempt: int | None, path: str | None = None) -> leases.Holder:
        """Without an id the owner's lease on the job decides which miner is meant."""
        caller = self.caller(body, path=path)
        miner_id = None if caller.named is None else miners.id_of(caller)
        return leases.Holder(caller.owner_id, miner_id, attempt)

    def _answer_with(self, known: Known, grants: list[leases.Grant], *, many: bool) -> HttpResponseBase:
        jobs = [{**self._job(grant), **_gpus_for(known, grant)} for grant in grants]
        answer = self.answer({**jobs[0], "jobs": jobs} if many else jobs[0])
        since = min(grant.granted_at for grant in grants).isoformat().replace("+00:00", "Z")
        base_path = self.request.path.rsplit("/", 1)[0]
        return undo_with(
            answer, f"{base_path}/release?jobs={','.join(str(grant.job_id) for grant in grants)}&since={since}"
        )

    def _job(self, grant: leases.Grant) -> dict[str, Any]:
        body, job_id = grant.body, str(grant.job_id)
        fields = {
            "job_id": job_id,
            "id": job_id,
            "attempt": grant.attempt,
            "task_type": body["task_type"],
            "payload": body["payload"],
            "constraints": body["constraints"],
            "model": miner_payloads.model_of(body["payload"], body["constraints"]),
            "lease_until": grant.lease_until,
            "lease_seconds": round((grant.lease_until - grant.granted_at).total_seconds()),
            "heartbeat_seconds": min(params.get("miner.heartbeat_s"), max(1, grant.heartbeat_seconds // 3)),
            "timeout_seconds": grant.execution_seconds,
        }
        if body.get("input_sha256"):
            base_path = self.request.path.rsplit("/", 1)[0]
            fields["input"] = {
                "sha256": body["input_sha256"],
                "size": body["input_size"],
                "url": f"{base_path}/{job_id}/input",
            }
        return fields


def _gpus_for(known: Known, grant: leases.Grant) -> dict[str, Any]:
    """The GPUs a job may use: its booking's; or, on a miner with booked GPUs, the others."""
    booking_id = requirement_classes.CATALOGUE.booking_of(grant.class_id)
    candidate = known.candidate
    if not booking_id and not candidate.allocation.hidden:
        return {}
    uuids = [gpu.uuid for gpu in candidate.gpus_for(booking_id) if gpu.uuid]
    return {"gpu_uuids": uuids, **({"booking_id": booking_id} if booking_id else {})}


def pace() -> dict[str, int]:
    """How often a miner should send heartbeats and poll, in seconds."""
    return {"heartbeat_seconds": params.get("miner.heartbeat_s"), "poll_seconds": POLL_SECONDS}


def _topics(known: Known, *, full: bool) -> list[str]:
    """A miner that holds all it may is woken by its own leases ending, not by work."""
    own = f"miner:{known.pk}"
    if full:
        return [own]
    requirement_classes.CATALOGUE.learn(())
    return [own, requirement_classes.CREATED, *requirement_classes.CATALOGUE.topics(known.candidate, known.version)]

"""Commands to miners: scans, read by owners, answered by miners."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.long_polling import hold, is_replay
from aitbc.core.parsers import plain
from aitbc.core.viewsets import Scopes
from apps.gpu.errors import CommandNotFound, ScanFailed
from apps.gpu.models import Miner, MinerCommand
from apps.gpu.serializers.miner_commands import (
    AppliedSerializer,
    CommandAnsweredSerializer,
    CommandAnswerSerializer,
    CommandStateSerializer,
    MinerCommandSerializer,
    ScanQuerySerializer,
    ScanSerializer,
)
from apps.gpu.services import miner_commands, miners, power_limits
from apps.gpu.states import CommandState
from apps.gpu.views.gpus import OWNERS
from apps.gpu.views.identity import MinerIdentity, uuid_or_none
from apps.gpu.views.miner_protocol import MINER


class MinerCommandViewSet(MinerIdentity):
    """Commands to miners: read by their owners, answered by the miners."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        "retrieve": OWNERS,
        "scan": OWNERS,
        **dict.fromkeys(("answer_command", "applied"), MINER),
    }
    pagination_class = None
    body_limits: ClassVar[dict[str, int]] = {"answer_command": 256 * 1024}

    @extend_schema(responses=MinerCommandSerializer)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """A command and, once there is one, its answer."""
        rows = MinerCommand.objects.select_related("miner").filter(pk=pk)
        command = (rows if self.actor.may("operator") else rows.filter(miner__owner_id=self.actor.pk)).first()
        if command is None:
            raise CommandNotFound()
        return self.answer(command, serializer=MinerCommandSerializer)

    @extend_schema(
        operation_id="gpu_v1_miners_orders_answer_order",
        request=CommandAnswerSerializer,
        responses=CommandAnsweredSerializer,
    )
    def answer_command(self, request: Request, pk: UUID) -> Response:
        """A miner's answer to a command: what it found or did, or `error`."""
        result = {name: value for name, value in self.validated(CommandAnswerSerializer, self.body()).items() if value}
        error = result.pop("error", "")
        command = miner_commands.answer(owner_id=self.actor.pk, command_id=pk, result=plain(result), error=error)
        return self.answer({"status": "ok", "order_id": command.pk, "state": command.state})

    @extend_schema(request=AppliedSerializer, responses=CommandStateSerializer)
    def applied(self, request: Request, order: UUID) -> Response:
        """Answer a command to change settings; a change that was made is benchmarked next."""
        data = self.validated(AppliedSerializer)
        done = power_limits.applied(
            owner_id=self.actor.pk, command_id=order, settings=data.get("settings", {}), refused=data.get("refused", "")
        )
        return self.answer({"order_id": str(done.pk), "state": done.state})

    @extend_schema(
        request=None,
        parameters=[ScanQuerySerializer],
        responses={200: ScanSerializer, 202: OpenApiResponse(ScanSerializer, description="Not answered yet.")},
    )
    def scan(self, request: Request, miner: str) -> HttpResponseBase:
        """Have a miner scan its cards, and wait for what it reports; 202 when that takes longer."""
        query = self.validated(ScanQuerySerializer, {**request.query_params.dict(), **self.body()})
        found = self._miner(miner)
        command = found.commands.filter(kind=MinerCommand.Kind.SCAN).order_by("-created_at", "-pk").first()
        if command is None or not is_replay(request):
            command = miner_commands.scan(found, actor=self.actor_name()).command
        if command.state in (CommandState.FAILED, CommandState.EXPIRED):
            raise ScanFailed(
                command.answer.get("error") or "The miner did not answer in time.", order_id=str(command.pk)
            )
        if command.state != CommandState.OPEN:
            return self.answer(_scan(command), serializer=ScanSerializer)
        pending = self.answer(_scan(command), status=202, serializer=ScanSerializer)
        return hold(topics=[miner_commands.topic(command.pk)], seconds=query["wait"], empty=pending)

    def _miner(self, named: str) -> Miner:
        pk = uuid_or_none(named)
        if self.actor.may("operator") and pk and (found := Miner.objects.filter(pk=pk).first()):
            return found
        return miners.get(self.caller(path=named))


def _scan(command: MinerCommand) -> dict[str, Any]:
    gpus = list(command.miner.gpus.present().order_by("position", "pk").select_related("miner", "profile"))
    answered = command.state == CommandState.ANSWERED
    fields = {
        "miner_id": command.miner.name,
        "order_id": command.pk,
        "state": command.state,
        "gpus": gpus,
        "registered": len(gpus),
        "edge_optimized": sum(bool(gpu.profile and gpu.profile.edge_optimized) for gpu in gpus),
        "discovery_method": command.answer.get("discovery_method") or "reported" if answered else None,
        "requested_at": command.created_at,
        "answered_at": command.ended_at,
    }
    return fields if answered else {**fields, "ask_again": f"/gpu/v1/orders/{command.pk}"}
